
/*
 * A feedback uses a record and changes two states: all of it happens once,
 * whatever dies in between.
 */


#include "record_fixture.h"
#include "shm/clipper_record_claim.h"
#include "shm/clipper_state_lesson.h"
#include "shm/clipper_state_table.h"


#define AREA   (256 * 1024)
#define STEPS  1000000          /* in all: a call has many with sanitizers */


static clipper_state_table_t  table;


static void
table_make(void)
{
    void          *addr;
    const u_char   seed[32] = { 5, 6, 7 };

    addr = death_map(AREA);
    assert_int_equal(clipper_state_table_create(addr, AREA, seed), NGX_OK);
    clipper_state_table_attach(&table, addr, (uint32_t) getpid());
}


static void
who_of(clipper_state_who_t *who, ngx_uint_t user)
{
    static const uint64_t   key = 42;
    static const ngx_str_t  name = ngx_string("m:1");

    memset(who, 0, sizeof(*who));
    who->id[0] = 0x9e3779b97f4a7c15 * (user + 1);
    who->id[1] = user;
    who->kind = user ? CLIPPER_STATE_USER : CLIPPER_STATE_APP;
    who->nfields = 1;
    ngx_str_set(&who->owner, "a:thompson");
    who->uid.data = (u_char *) "u";
    who->uid.len = user;
    who->n = 1;
    who->key = &key;
    who->names = &name;
}


static double
sum_of(ngx_uint_t user)
{
    double               vec[CLIPPER_POLICY_ROWS + 1];
    clipper_state_who_t  who;
    clipper_state_age_t  age;

    who_of(&who, user);

    return clipper_state_table_read(&table, &who, vec, 0, 1, &age)
           == NGX_DECLINED ? 0 : vec[CLIPPER_POLICY_ROWS];
}


static ngx_uint_t
learned(clipper_owner_t owner, uint64_t lesson)
{
    return clipper_state_lesson_done(&table, owner, lesson);
}


/* as a worker does it; NGX_OK: it was this call that learned */

static ngx_int_t
lesson(clipper_zone_t *zone, const record_t *r)
{
    double               delta[CLIPPER_POLICY_ROWS + 1] = { 0 };
    ngx_int_t            rc;
    static record_t      out;
    clipper_state_who_t  app, user;

    zone->lesson++;
    rc = clipper_record_take(zone, r->query_id, r->app, r->uid, 0, &out);

    if (rc == NGX_OK) {
        delta[CLIPPER_POLICY_T0] = 1000;
        delta[CLIPPER_POLICY_ROWS] = 1;
        who_of(&app, 0);
        who_of(&user, 1);
        assert_int_equal(clipper_state_table_learn(&table, &app, &user, delta,
                                                   zone->lesson), NGX_OK);
        clipper_record_claim_end(zone, out.query_id, out.app, out.uid, 0, 0);
    }

    return rc;
}


static void
lesson_call(void *data)
{
    call_t  *call = data;

    call->zone.pid = (uint32_t) getpid();
    table.pid = call->zone.pid;
    (void) clipper_state_lesson_join(&table);

    (void) lesson(&call->zone, &call->record);
}


/*
 * Catches a feedback that a death takes with it, or that counts twice: once it
 * is given again, both sums have it, and its record is used up.
 */

static void
test_lesson_death(void **state)
{
    int             i, kills, again;
    long            steps;
    call_t         *call;
    uint64_t        whole;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    table_make();
    assert_int_equal(clipper_state_lesson_join(&table), NGX_OK);
    clipper_record_fate_learned = learned;
    call = calloc(1, sizeof(call_t));
    kills = 1;
    again = 0;
    whole = 0;

    for (i = 1; i <= kills; i++) {
        record_of(&call->record, (uint64_t) i);
        assert_int_equal(clipper_record_put(&zone, &call->record), NGX_OK);
        call->zone = zone;

        /* the first one is not killed, and tells how long a call is */

        steps = death_after(lesson_call, call,
                            i == 1 ? 10000000 : (long) death_random(whole));

        if (i == 1) {
            whole = (uint64_t) steps;
            kills = (int) (2 * STEPS / steps);

            if (getenv("CLIPPER_TEST_DEATHS")) {
                kills *= 25;
            }
        }

        again += (lesson(&zone, &call->record) == NGX_OK);
        assert_true(sum_of(0) == i && sum_of(1) == i);
        assert_int_equal(clipper_record_take(&zone, call->record.query_id,
                                             call->record.app,
                                             call->record.uid, 0, &call->out),
                         NGX_DECLINED);
    }

    /* both happened */

    assert_true(again > 0 && again < kills);

    free(call);
    munmap(zone.records, RING);
}


/* catches an equal input whose label is lost while another one is learned */

static void
test_lesson_equal_inputs(void **state)
{
    uint64_t        id;
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    record_of(&r, 12);

    for (id = 1; id <= 2; id++) {
        r.query_id = id;
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    for (id = 2; id; id--) {
        zone.lesson++;
        assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 0,
                                             &out), NGX_OK);
        assert_int_equal(out.query_id, id);
    }

    assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 0,
                                         &out), NGX_DONE);
    munmap(zone.records, RING);
}


/* catches the same in Redis' claims, which last for a round trip */

static void
test_lesson_equal_claims(void **state)
{
    uint64_t        id;
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    record_of(&r, 12);
    r.shared = 1;

    for (id = 1; id <= 2; id++) {
        r.query_id = id;
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    for (id = 2; id; id--) {
        assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 1,
                                             &out), NGX_AGAIN);
        assert_int_equal(out.query_id, id);
    }

    munmap(zone.records, RING);
}


/* catches a place of the dead that is never given again, and a living one's */

static void
place_of_another_process(void)
{
    pid_t  pid;

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        table.pid = (uint32_t) getpid();
        _exit(clipper_state_lesson_join(&table) != NGX_OK);
    }

    assert_int_equal(waitpid(pid, NULL, 0), pid);
}


static void
test_lesson_places(void **state)
{
    int                      i;
    clipper_owner_t          first;
    clipper_state_header_t  *h;

    table_make();
    h = table.header;
    assert_int_equal(clipper_state_lesson_join(&table), NGX_OK);

    for (i = 1; i < CLIPPER_STATE_LESSONS; i++) {
        h->lessons[i].owner = (uint32_t) getpid();
        h->lessons[i].order = ++h->lessons_taken;
    }

    /* all alive but one */

    h->lessons[9].owner = 0;
    place_of_another_process();
    first = h->lessons[9].owner;
    assert_int_not_equal(first, 0);
    assert_int_equal(clipper_state_lesson_done(&table, first, 1), 0);

    assert_int_equal(clipper_state_lesson_join(&table), NGX_OK);
    assert_ptr_equal(table.lesson, &h->lessons[9]);
    assert_int_equal(clipper_state_lesson_done(&table, first, 1), 1);
    assert_int_equal(clipper_state_lesson_join(&table), NGX_DECLINED);
    assert_null(table.lesson);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lesson_death),
        cmocka_unit_test(test_lesson_equal_inputs),
        cmocka_unit_test(test_lesson_equal_claims),
        cmocka_unit_test(test_lesson_places)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

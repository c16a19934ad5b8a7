
/*
 * Labels that wait for Redis, in the ring of records.
 */


#include "record_fixture.h"
#include "shm/clipper_record_claim.h"
#include "shm/clipper_record_note.h"
#include "shm/clipper_record_ring.h"


static const uint64_t          user[2] = { 7, 8 };
static clipper_record_note_t   note;


/* a record that is this process' to claim, and its label instead of it */

static int
note_put(clipper_zone_t *zone, uint64_t id, ngx_str_t *label, ngx_str_t *uid)
{
    assert_int_equal(clipper_record_place(zone, id, 3, user, 1), NGX_OK);

    return (int) clipper_record_note_put(zone, id, 3, user, label, uid,
                                         0);
}


/* catches a label that is lost or changed on its way to the next worker */

static void
test_note_whole(void **state)
{
    size_t                  i, n;
    ngx_str_t               label, uid;
    clipper_zone_t          zone;
    static u_char           text[CLIPPER_RECORD_NOTE_MAX + 1];
    clipper_record_usage_t  usage;

    ring_make(&zone, RING);

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (u_char) (i * 7);
    }

    for (i = 0; i < 300; i++) {
        n = death_random(CLIPPER_RECORD_NOTE_MAX + 1);
        label.data = text;
        label.len = i ? death_random(n + 1) : 0;
        uid.data = text + label.len;
        uid.len = n - label.len;

        assert_int_equal(note_put(&zone, i, &label, &uid), NGX_OK);
        clipper_record_usage(&zone, 0, &usage);
        assert_int_equal(usage.records, 0);
        assert_int_equal(clipper_record_note_take(&zone, &note), NGX_OK);
        assert_int_equal(note.query_id, i);
        assert_int_equal(note.app, 3);
        assert_memory_equal(note.key, user, sizeof(user));
        assert_int_equal(note.label, label.len);
        assert_int_equal(note.uid, uid.len);
        assert_memory_equal(note.text, text, n);

        /* one has it; left to others, it is there again, until its end */

        assert_int_equal(clipper_record_note_take(&zone, &note), NGX_DECLINED);
        clipper_record_claim_leave(&zone, i, 3, user, 1);
        assert_int_equal(clipper_record_note_take(&zone, &note), NGX_OK);
        clipper_record_claim_end(&zone, i, 3, user, 1, 0);
        clipper_record_claim_leave(&zone, i, 3, user, 1);
        assert_int_equal(clipper_record_note_take(&zone, &note), NGX_DECLINED);
    }

    /* a second label of the same query, and one that is too long */

    assert_int_equal(clipper_record_note_put(&zone, i - 1, 3, user, &label,
                                             &uid, 0), NGX_DONE);
    label.len = CLIPPER_RECORD_NOTE_MAX;
    uid.len = 1;
    assert_int_equal(note_put(&zone, i, &label, &uid), NGX_DECLINED);

    munmap(zone.records, RING);
}


/*
 * Catches labels that a worker takes with it which dies while it claims them,
 * and one that it had learned and that counts again.
 */

static ngx_uint_t
learned_odd(clipper_owner_t owner, uint64_t lesson)
{
    return lesson % 2;
}


static void
claim_and_die(void *data)
{
    int       i;
    record_t  out;
    call_t   *call = data;

    call->zone.pid = (uint32_t) getpid();

    for (i = 0; i < 4; i++) {
        (void) clipper_record_note_take(&call->zone, &note);

        if (i < 2) {
            call->zone.lesson = 10 + (uint64_t) i;
            (void) clipper_record_claim_learn(&call->zone, note.query_id, 3,
                                              user, 1, &out);
        }
    }
}


static void
test_note_claimer_dies(void **state)
{
    int             i;
    call_t         *call;
    uint64_t        left;
    ngx_str_t       label = ngx_string("1"), uid = ngx_string("u");
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    call = calloc(1, sizeof(call_t));
    clipper_record_fate_learned = learned_odd;

    for (i = 0; i < 5; i++) {
        assert_int_equal(note_put(&zone, (uint64_t) i, &label, &uid), NGX_OK);
    }

    call->zone = zone;
    (void) death_after(claim_and_die, call, 10000000);

    /* newest first: lesson 10 of label 4 was not learned, 11 of label 3 was */

    for (left = 0; clipper_record_note_take(&zone, &note) == NGX_OK; ) {
        left |= (uint64_t) 1 << note.query_id;
    }

    assert_int_equal(left, 0x17);

    clipper_record_fate_learned = NULL;
    free(call);
    munmap(zone.records, RING);
}


/*
 * Catches a label that counts twice: the ring has passed the record, not the
 * label, and the query is taken for one of another instance.
 */

static void
test_note_outlives_record(void **state)
{
    record_t                r, out;
    uint64_t                id;
    ngx_str_t               label = ngx_string("1"), uid = ngx_string("u");
    clipper_zone_t          zone;
    clipper_record_usage_t  usage;

    ring_make(&zone, RING);
    assert_int_equal(clipper_record_place(&zone, 5, 3, user, 1), NGX_OK);

    /* the record is among the oldest by the time of its label */

    record_of(&r, 13);
    clipper_record_usage(&zone, 0, &usage);

    for (id = 100; usage.used < usage.size / 2; id++) {
        r.query_id = id;
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
        clipper_record_usage(&zone, 0, &usage);
    }

    assert_int_equal(clipper_record_note_put(&zone, 5, 3, user, &label, &uid,
                                             0), NGX_OK);

    while (clipper_record_take(&zone, 5, 3, user, 1, &out) == NGX_DONE) {
        r.query_id = id++;
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    assert_int_equal(clipper_record_place(&zone, 5, 3, user, 1), NGX_DONE);
    assert_int_equal(clipper_record_note_take(&zone, &note), NGX_OK);
    assert_int_equal(note.query_id, 5);

    munmap(zone.records, RING);
}


/*
 * Catches labels that were acknowledged and that the ring overwrites while
 * Redis is away: they, and what they are about, outlast any number of queries.
 * Where they fill the ring, further ones are refused.
 */

static void
pass(clipper_zone_t *zone, uint64_t *id, size_t bytes)
{
    size_t    wrote;
    record_t  r;

    record_of(&r, *id);
    r.n = 2;

    for (wrote = 0; wrote < bytes; wrote += 200) {
        r.query_id = ++*id;
        (void) clipper_record_put(zone, &r);
    }
}


static void
note_claim(clipper_zone_t *zone, uint64_t id)
{
    record_t  out;

    zone->lesson = 1;
    assert_int_equal(clipper_record_claim_learn(zone, id, 3, user, 1, &out),
                     NGX_OK);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.query_id, id);
    clipper_record_claim_end(zone, id, 3, user, 1, 1);
}


static void
test_note_outlives_the_ring(void **state)
{
    int             full;
    record_t        r, out;
    uint64_t        i, n, id, taken;
    ngx_str_t       label = ngx_string("1"), uid = ngx_string("u");
    clipper_zone_t  zone;

    for (full = 0; full < 2; full++) {
        ring_make(&zone, RING);
        zone.notes = 1;
        id = 1000;

        for (i = 1; full || i <= 60; i++) {
            record_of(&r, i);
            r.app = 3;
            r.uid[0] = user[0];
            r.uid[1] = user[1];
            r.n = 2;
            r.shared = 1;

            if (clipper_record_put(&zone, &r) != NGX_OK) {
                break;
            }

            assert_int_equal(clipper_record_take(&zone, i, 3, user, 0.001,
                                                 &out), NGX_AGAIN);

            if (clipper_record_note_put(&zone, i, 3, user, &label, &uid, 0)
                != NGX_OK)
            {
                break;
            }

            assert_true(i < 1000);
        }

        n = i - 1;
        assert_true(n >= 60);
        pass(&zone, &id, 10 * RING);

        for (taken = 0;
             clipper_record_note_take(&zone, &note) == NGX_OK;
             taken++)
        {
            note_claim(&zone, note.query_id);
        }

        assert_int_equal(taken, n);

        /* they have gone, and the ring has room again */

        pass(&zone, &id, 4 * RING);
        record_of(&r, ++id);
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
        assert_int_equal(((clipper_record_area_t *) zone.records)
                         ->journal.overflows, 0);
        munmap(zone.records, RING);
    }
}


/*
 * Catches a record that the ring passes while a worker claims it: the claim
 * has succeeded, or becomes a label that waits, and there is nothing to learn
 * from.  The claims of the dead stay no longer than other records, nor do
 * those that are left.
 */

static void
claim_of(clipper_zone_t *zone, uint64_t id)
{
    record_t  r, out;

    record_of(&r, id);
    r.app = 3;
    r.uid[0] = user[0];
    r.uid[1] = user[1];
    r.n = 2;
    r.shared = 1;

    assert_int_equal(clipper_record_put(zone, &r), NGX_OK);
    assert_int_equal(clipper_record_take(zone, id, 3, user, 0.001, &out),
                     NGX_AGAIN);
}


static void
claims_and_die(void *data)
{
    uint64_t   id;
    record_t   out;
    call_t    *call = data;

    call->zone.pid = (uint32_t) getpid();

    for (id = 4; id < 6; id++) {
        (void) clipper_record_take(&call->zone, id, 3, user, 0.001, &out);
    }
}


static void
test_note_claim_outlives_the_ring(void **state)
{
    call_t                 *call;
    record_t                r, out;
    uint64_t                i, id;
    ngx_str_t               label = ngx_string("1"), uid = ngx_string("u");
    clipper_zone_t          zone, other;

    ring_make(&zone, RING);
    zone.notes = 1;
    id = 1000;

    other = zone;
    other.pid = (uint32_t) getppid();

    for (i = 1; i < 4; i++) {
        claim_of(i == 2 ? &other : &zone, i);
    }

    for (i = 4; i < 6; i++) {
        claim_of(&zone, i);
        clipper_record_claim_leave(&zone, i, 3, user, 0);
    }

    assert_int_equal(clipper_record_place(&zone, 6, 3, user, 1), NGX_OK);

    call = calloc(1, sizeof(call_t));
    call->zone = zone;
    (void) death_after(claims_and_die, call, 10000000);

    pass(&zone, &id, 10 * RING);

    for (i = 4; i < 6; i++) {
        assert_int_equal(clipper_record_take(&zone, i, 3, user, 0.001, &out),
                         NGX_DECLINED);
    }

    /* a claim here that succeeds, another worker's that Redis is away for */

    zone.lesson = 1;
    assert_int_equal(clipper_record_claim_learn(&zone, 1, 3, user, 0, &out),
                     NGX_OK);
    assert_int_equal(out.n, 2);
    clipper_record_claim_end(&zone, 1, 3, user, 0, 1);

    assert_int_equal(clipper_record_note_put(&other, 2, 3, user, &label, &uid,
                                             1), NGX_OK);
    pass(&zone, &id, 10 * RING);
    other.lesson = 1;
    note_claim(&other, 2);

    /* left, it can be claimed again, also the place of an unknown one */

    for (i = 3; i <= 6; i += 3) {
        clipper_record_claim_leave(&zone, i, 3, user, 0);
        assert_int_equal(clipper_record_take(&zone, i, 3, user, 0.001, &out),
                         NGX_AGAIN);
        assert_int_equal(out.owner, 0);
        assert_int_equal(out.n, i == 3 ? 2 : 0);
        clipper_record_claim_end(&zone, i, 3, user, 0, 1);
    }

    /* nothing stays behind */

    pass(&zone, &id, 4 * RING);
    record_of(&r, ++id);
    assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);

    for (i = 1; i <= 6; i++) {
        assert_int_equal(clipper_record_take(&zone, i, 3, user, 0.001, &out),
                         NGX_DECLINED);
    }

    free(call);
    munmap(zone.records, RING);
}


/* a death while labels move takes none, and doubles none */

static void
pass_on(void *data)
{
    uint64_t         id;
    call_t          *call = data;

    call->zone.pid = (uint32_t) getpid();
    id = call->record.query_id;
    pass(&call->zone, &id, 8000);
}


static void
test_note_death_in_a_move(void **state)
{
    int                     kills;
    call_t                 *call;
    uint64_t                i, id, seen;
    ngx_str_t               label = ngx_string("1"), uid = ngx_string("u");
    clipper_zone_t          zone;
    clipper_record_area_t  *area;

    ring_make(&zone, RING);
    area = zone.records;
    zone.notes = 1;
    id = 1000;
    call = calloc(1, sizeof(call_t));

    for (i = 0; i < 60; i++) {
        assert_int_equal(note_put(&zone, i, &label, &uid), NGX_OK);
    }

    pass(&zone, &id, 2 * RING);

    /* how many deaths meet a change depends on the build */

    for (kills = 0; kills < 40 || area->journal.undone <= 3; kills++) {
        assert_true(kills < 1000);

        call->zone = zone;
        call->record.query_id = id += 1000;
        (void) death_after(pass_on, call, 100 + (long) death_random(20000));

        for (seen = 0; clipper_record_note_take(&zone, &note) == NGX_OK; ) {
            assert_false((seen >> note.query_id) & 1);
            seen |= (uint64_t) 1 << note.query_id;
        }

        assert_int_equal(seen, ((uint64_t) 1 << 60) - 1);

        for (i = 0; i < 60; i++) {
            clipper_record_claim_leave(&zone, i, 3, user, 1);
        }
    }

    free(call);
    munmap(zone.records, RING);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_note_whole),
        cmocka_unit_test(test_note_claimer_dies),
        cmocka_unit_test(test_note_outlives_record),
        cmocka_unit_test(test_note_outlives_the_ring),
        cmocka_unit_test(test_note_claim_outlives_the_ring),
        cmocka_unit_test(test_note_death_in_a_move)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * The ring of records: against a plain list, and with deaths in it.
 */


#include "record_fixture.h"
#include "shm/clipper_journal.h"


/* catches a record that another user or application gets, or one got twice */

static void
test_record_once(void **state)
{
    uint64_t        other[2] = { 99, 99 };
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    record_of(&r, 12);
    assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);

    assert_int_equal(clipper_record_take(&zone, 12, r.app, other, 0, &out),
                                         NGX_DECLINED);
    assert_int_equal(clipper_record_take(&zone, 12, r.app + 1, r.uid, 0, &out),
                                         NGX_DECLINED);
    assert_int_equal(clipper_record_take(&zone, 13, r.app, r.uid, 0, &out),
                                         NGX_DECLINED);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 0, &out),
                                         NGX_OK);
    record_check(&out, 12);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 0, &out),
                                         NGX_DECLINED);
    assert_int_equal(clipper_record_find(&zone, r.app, r.uid,
                                         r.input, 0, &out), NGX_DECLINED);
    munmap(zone.records, RING);
}


static uint64_t
newest(const uint8_t *live, uint64_t last, uint64_t like)
{
    uint64_t  id;
    record_t  a, b;

    record_of(&a, like);

    for (id = last; id; id--) {
        if (!live[id]) {
            continue;
        }

        record_of(&b, id);

        if (a.app == b.app && a.uid[0] == b.uid[0]
            && a.input[0] == b.input[0])
        {
            return id;
        }
    }

    return 0;
}


/*
 * Catches records that are lost too early, come back, or are not the newest:
 * the ring always has the newest of all records put.
 */

static void
test_record_random(void **state)
{
    int             i, rc;
    uint8_t        *live;
    uint64_t        id, last, oldest, want;
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    live = calloc(20001, 1);
    last = 0;
    oldest = 1;

    for (i = 0; i < 20000; i++) {

        if (death_random(3)) {
            record_of(&r, ++last);
            assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
            live[last] = 1;
            continue;
        }

        if (last == 0) {
            continue;
        }

        id = last - death_random(last < 60 ? last : 60);
        record_of(&r, id);

        if (death_random(2)) {
            rc = clipper_record_take(&zone, id, r.app, r.uid, 0, &out);
            want = live[id] ? id : 0;

        } else {
            want = newest(live, last, id);
            rc = clipper_record_find(&zone, r.app, r.uid, r.input, 0, &out);
        }

        if (rc == NGX_OK) {
            assert_int_equal(out.query_id, want);
            assert_true(want >= oldest);
            record_check(&out, want);
            live[want] = 0;

        } else if (want) {

            /* overwritten: then all older ones are too */

            assert_true(last - want > 8);

            for (id = 1; id <= want; id++) {
                live[id] = 0;
            }

            oldest = want + 1;
        }
    }

    free(live);
    munmap(zone.records, RING);
}


/* catches a walk over all records of one input when the oldest goes */

static void
test_record_same_input(void **state)
{
    uint64_t        id;
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, 16 << 20);

    for (id = 1; id < 300000; id++) {
        memset(&r, 0, offsetof(record_t, key));
        r.query_id = id;
        r.app = 1;
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    assert_int_equal(clipper_record_find(&zone, 1, r.uid, r.input, 0, &out),
                                         NGX_OK);
    assert_int_equal(out.query_id, id - 1);
    munmap(zone.records, 16 << 20);
}


static void
ring_call(void *data)
{
    call_t  *call = data;

    call->zone.pid = (uint32_t) getpid();

    if (call->op == 0) {
        (void) clipper_record_put(&call->zone, &call->record);

    } else if (call->op == 1) {
        (void) clipper_record_take(&call->zone,
                                   call->record.query_id, call->record.app,
                                   call->record.uid, 0, &call->out);
    } else {
        (void) clipper_record_find(&call->zone, call->record.app,
                                   call->record.uid, call->record.input, 0,
                                   &call->out);
    }
}


/* the ids that a copy of the ring has */

static uint64_t
ring_ids(clipper_zone_t *zone, uint64_t last, uint8_t *ids)
{
    uint64_t        id, n;
    record_t        r, out;
    clipper_zone_t  copy;

    copy = *zone;
    copy.records = malloc(RING);
    copy.pid = (uint32_t) getpid();
    memcpy(copy.records, zone->records, RING);
    n = 0;

    for (id = 1; id <= last; id++) {
        record_of(&r, id);
        ids[id] = clipper_record_take(&copy, id, r.app, r.uid, 0, &out)
                  == NGX_OK;
        n += ids[id];

        if (ids[id]) {
            record_check(&out, id);
        }
    }

    free(copy.records);

    return n;
}


/*
 * Catches a ring that a death has torn.  A call happened or not; a put may
 * have dropped old records first.
 */

static void
test_record_death(void **state)
{
    int             i, kills;
    long            steps;
    uint8_t         before[4096], after[4096];
    uint64_t        id, last;
    call_t         *call;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    call = calloc(1, sizeof(call_t));
    kills = getenv("CLIPPER_TEST_DEATHS") ? 3000 : 150;
    last = 0;

    for (i = 0; i < 200; i++) {
        record_of(&call->record, ++last);
        assert_int_equal(clipper_record_put(&zone, &call->record), NGX_OK);
    }

    for (i = 0; i < kills && last < 4000; i++) {
        call->zone = zone;
        call->op = (int) death_random(3);
        id = call->op ? last - death_random(20) : last + 1;
        record_of(&call->record, id);

        (void) ring_ids(&zone, last, before);
        steps = 200 + (long) death_random(3800);
        steps = death_after(ring_call, call, steps);
        last += (call->op == 0);
        (void) ring_ids(&zone, last, after);

        if (call->op == 0) {

            /* dropped from the oldest on, and nothing else changed */

            for (id = 1; id < last && !after[id]; id++) { /* void */ }

            for ( /* void */ ; id < last; id++) {
                assert_int_equal(after[id], before[id]);
            }

        } else {
            after[0] = 0;

            for (id = 1; id <= last; id++) {
                assert_true(before[id] >= after[id]);
                after[0] += before[id] - after[id];
            }

            assert_true(after[0] <= 1);
        }

        /* and the ring still works */

        record_of(&call->record, ++last);
        assert_int_equal(clipper_record_put(&zone, &call->record), NGX_OK);
        assert_int_equal(clipper_record_take(&zone, last,
                                             call->record.app,
                                             call->record.uid, 0,
                                             &call->out), NGX_OK);
        record_check(&call->out, last);
    }

    free(call);
    munmap(zone.records, RING);
}


static void
test_record_sizes(void **state)
{
    char      small[1024] = { 0 };
    record_t  r;

    assert_int_equal(clipper_record_create(small, sizeof(small), ring_seed),
                     NGX_ERROR);

    record_of(&r, 1);
    clipper_record_output(&r, 0, (u_char *) small, 64);
    assert_int_equal(r.len[0], 64);
    clipper_record_output(&r, 0, (u_char *) small, 65);
    assert_int_equal(r.len[0], CLIPPER_RECORD_LONG);
}


/* catches a span or a count that is wrong after the ring wraps around */

static void
test_record_usage(void **state)
{
    double                  span;
    uint64_t                id, oldest;
    record_t                r, out;
    clipper_zone_t          zone;
    clipper_record_usage_t  usage;

    ring_make(&zone, RING);

    clipper_record_usage(&zone, 50, &usage);
    assert_true(usage.span == 0 && usage.records == 0 && usage.used == 0);
    assert_true(usage.size > RING / 2 && usage.size < RING);

    oldest = 1;

    for (id = 1; id < 3000; id++) {
        record_of(&r, id);
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);

        clipper_record_usage(&zone, (double) id * 0.5 + 3, &usage);

        /* times follow from ids: the oldest, and all later ones */

        span = usage.span - 3;
        oldest = id - (uint64_t) (span * 2);
        assert_true(span >= 0 && span * 2 == (double) (id - oldest));
        assert_int_equal(usage.records, id - oldest + 1);
        assert_true(usage.used <= usage.size);
    }

    assert_true(oldest > 2000);

    record_of(&r, id - 1);
    assert_int_equal(clipper_record_take(&zone, id - 1, r.app, r.uid, 0, &out),
                                         NGX_OK);
    record_of(&r, oldest);
    assert_int_equal(clipper_record_take(&zone, oldest, r.app, r.uid, 0, &out),
                                         NGX_OK);
    clipper_record_usage(&zone, (double) (id - 1) * 0.5, &usage);
    assert_int_equal(usage.records, id - oldest - 2);
    assert_true(usage.span == (double) (id - 1 - oldest) * 0.5);

    /* a clock that went back */

    clipper_record_usage(&zone, 0, &usage);
    assert_true(usage.span == 0);

    assert_int_equal(clipper_record_validate(zone.records, RING), NGX_OK);
    assert_int_equal(clipper_record_validate(zone.records, RING / 2),
                     NGX_ERROR);
    memset(zone.records, 0, RING);
    assert_int_equal(clipper_record_validate(zone.records, RING), NGX_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_record_once),
        cmocka_unit_test(test_record_random),
        cmocka_unit_test(test_record_same_input),
        cmocka_unit_test(test_record_death),
        cmocka_unit_test(test_record_usage),
        cmocka_unit_test(test_record_sizes)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

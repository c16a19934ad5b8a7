
/*
 * Records that are in Redis, too.
 */


#include "record_fixture.h"
#include "shm/clipper_record_wire.h"


/* catches a shared record that two get, or one that is found again */

static void
test_record_shared(void **state)
{
    record_t                r, out;
    clipper_zone_t          zone;
    clipper_record_usage_t  usage;

    ring_make(&zone, RING);
    record_of(&r, 12);
    r.shared = 1;
    assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);

    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 1, &out),
                     NGX_AGAIN);
    assert_int_equal(out.owner, 0);
    assert_memory_equal(&out, &r, offsetof(record_t, key));

    /* this process is alive and claims it */

    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 1, &out),
                     NGX_DONE);
    assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 1,
                                         &out), NGX_DONE);
    clipper_record_usage(&zone, 50, &usage);
    assert_int_equal(usage.records, 1);

    assert_int_equal(clipper_record_settle(&zone, 12, r.app, r.uid, &out),
                     NGX_OK);
    assert_memory_equal(out.key, r.key, r.n * sizeof(uint64_t));
    assert_int_equal(clipper_record_settle(&zone, 12, r.app, r.uid, &out),
                     NGX_DONE);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 1, &out),
                     NGX_DONE);
    assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 1,
                                         &out), NGX_DECLINED);
    assert_int_equal(clipper_record_place(&zone, 12, r.app, r.uid, 1),
                     NGX_DONE);
    clipper_record_usage(&zone, 50, &usage);
    assert_int_equal(usage.records, 0);

    clipper_record_forget(&zone, 12, r.app, r.uid);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 1, &out),
                     NGX_DECLINED);

    munmap(zone.records, RING);
}


/* catches a claim that the death of its worker makes impossible */

static void
claim_and_die(void *data)
{
    call_t  *call = data;

    call->zone.pid = (uint32_t) getpid();

    if (call->op == 0) {
        (void) clipper_record_take(&call->zone, call->record.query_id,
                                   call->record.app, call->record.uid, 1,
                                   &call->out);
    } else {
        (void) clipper_record_place(&call->zone, call->record.query_id,
                                    call->record.app, call->record.uid, 2);
    }
}


static void
test_record_claimer_dies(void **state)
{
    int             op;
    call_t         *call;
    record_t        out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    call = calloc(1, sizeof(call_t));

    for (op = 0; op < 2; op++) {
        record_of(&call->record, 20 + (uint64_t) op);
        call->record.shared = 1;
        call->zone = zone;
        call->op = op;

        if (op == 0) {
            assert_int_equal(clipper_record_put(&zone, &call->record), NGX_OK);
        }

        (void) death_after(claim_and_die, call, 10000000);

        assert_int_equal(clipper_record_take(&zone, call->record.query_id,
                                             call->record.app,
                                             call->record.uid, 1, &out),
                         NGX_AGAIN);
        assert_true(out.owner != 0);
        assert_int_equal(out.n, op == 0 ? call->record.n : 0);
        assert_int_equal(clipper_record_settle(&zone, call->record.query_id,
                                               call->record.app,
                                               call->record.uid, &out),
                         NGX_OK);
    }

    free(call);
    munmap(zone.records, RING);
}


/* catches a shared record that is older than those in Redis */

static void
test_record_old(void **state)
{
    record_t        r, out;
    clipper_zone_t  zone;

    ring_make(&zone, RING);
    record_of(&r, 12);
    r.shared = 1;
    assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid,
                                         r.time + 0.1, &out), NGX_DONE);
    assert_int_equal(clipper_record_take(&zone, 12, r.app, r.uid, 1, &out),
                     NGX_DONE);

    /* one that no other instance can have does not grow old */

    record_of(&r, 13);
    assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    assert_int_equal(clipper_record_take(&zone, 13, r.app, r.uid,
                                         r.time + 0.1, &out), NGX_OK);

    /* and its id stays known */

    assert_int_equal(clipper_record_take(&zone, 13, r.app, r.uid, 1, &out),
                     NGX_DONE);
    munmap(zone.records, RING);
}


/* catches a record that comes back as another one, or torn bytes that do */

static void
test_record_wire(void **state)
{
    size_t    len, n;
    u_char    owner[CLIPPER_RECORD_WIRE_OWNER] = "0123456789abcdef";
    u_char   *out;
    uint64_t  id;
    record_t  r, got;

    out = malloc(CLIPPER_RECORD_WIRE_MAX);

    for (id = 1; id < 500; id++) {
        record_of(&r, id);
        r.served = (int32_t) (id % (r.n + 1)) - 1;
        r.propensity = (r.served == CLIPPER_POLICY_ALL) ? -1 : r.propensity;
        len = clipper_record_wire_encode(&r, owner, out);
        assert_true(len <= CLIPPER_RECORD_WIRE_MAX);
        assert_memory_equal(out + 1, owner, sizeof(owner));

        got = r;
        memset(got.key, 0, sizeof(got.key));
        memset(got.output, 0, sizeof(got.output));
        assert_int_equal(clipper_record_wire_decode(out, len, &got), NGX_OK);
        got.shared = 0;
        assert_int_equal(got.served, r.served);
        assert_true(got.propensity == r.propensity);
        got.served = (int32_t) (id % 9) - 1;
        got.propensity = 1.0 / (double) id;
        record_check(&got, id);

        for (n = 0; n < len; n++) {
            assert_int_equal(clipper_record_wire_decode(out, n, &got),
                             NGX_ERROR);
        }

        /* any bytes are refused or make a record within its bounds */

        for (n = 0; n < 200; n++) {
            out[death_random(len)] = (u_char) death_random(256);

            if (clipper_record_wire_decode(out, len, &got) == NGX_OK) {
                assert_true(got.n >= 1 && got.n <= CLIPPER_POLICY_MEMBERS);
                assert_true(got.served < (int32_t) got.n);
            }
        }
    }

    free(out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_record_shared),
        cmocka_unit_test(test_record_claimer_dies),
        cmocka_unit_test(test_record_old),
        cmocka_unit_test(test_record_wire)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * The plans of the batch control.  Catches: a plan that sends expired inputs,
 * drops others, or sends more inputs than wait, a controller that does not
 * probe.
 */


#include "batch_fixture.h"
#include "batch/clipper_batch_late.h"


static void
test_size(void **state)
{
    assert_true(sizeof(clipper_batch_t) <= 1536);
}


static void
test_cold_replica_gets_one_at_once(void **state)
{
    load.queued = 50;
    load.tail_us = 21000;
    conf.wait_us = 5000;

    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 1);
    assert_int_equal(clipper_batch_latency(&b, 1), 0);
}


static void
test_expired_is_never_sent(void **state)
{
    load.queued = 3;
    load.head_us = 0;
    assert_int_equal(ask(), NGX_DECLINED);
    assert_true(plan.need_us > 0);

    load.head_us = -5000;
    assert_int_equal(ask(), NGX_DECLINED);
    assert_true(plan.need_us > 0);

    conf.plain = 1;
    assert_int_equal(ask(), NGX_DECLINED);
    assert_true(plan.need_us > 0);

    load.head_us = 1;
    assert_int_equal(ask(), NGX_OK);
}


/* the latest tasks decide: too much for one batch, the head is on time */

static void
test_batch_fits_the_head(void **state)
{
    learn(400);
    conf.fixed = 1000;

    load.queued = 300;
    load.head_us = 20000;
    load.tail_us = 20000;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 300);

    load.head_us = 3300;
    load.tail_us = 3300;
    assert_int_equal(ask(), NGX_OK);
    assert_in_range(plan.take, 115, 150);
}


static void
test_infeasible_head_is_dropped(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 20; i++) {
        observe(1, 5000, 1);
    }

    load.queued = 10;
    load.head_us = 4000;
    load.tail_us = 20000;

    assert_int_equal(ask(), NGX_DECLINED);
    assert_in_range(plan.need_us, 5000, 6000);

    load.head_us = plan.need_us;
    load.queued = 1;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 1);
}


/*
 * 5 ms per batch and hardly anything per input: the head would be sent with 60
 * others, and hundreds of inputs would be late because of it
 */

static void
test_head_is_given_up_for_the_others(void **state)
{
    ngx_uint_t  i;

    conf.max = 1000;

    for (i = 0; i < 40; i++) {
        observe(limit(), 5000 + 10 * limit(), 1);
    }

    load.queued = 600;
    load.rate = 0.05;
    load.head_us = 6500;
    load.tail_us = 20000;

    assert_int_equal(ask(), NGX_DECLINED);

    /* the last 460 fit when the first of them has 9600 us left */
    assert_in_range(plan.need_us, 9200, 10800);

    /* with more replicas, fewer arrivals, or less work, it is served */

    load.replicas = 20;
    assert_int_equal(ask(), NGX_OK);
    assert_true(plan.take > 10);

    load.replicas = 1;
    load.rate = 0.005;
    assert_int_equal(ask(), NGX_OK);
    assert_true(plan.take > 10);

    load.rate = 0.05;
    load.queued = 4;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 4);
}


/* everything looks too slow: a probe every 50 ms, at once when it was fast */

static void
test_probes(void **state)
{
    uint64_t    start;
    ngx_uint_t  probes;

    observe(1, 800000, 0);
    observe(1, 800000, 0);
    start = load.now_us;
    load.queued = 5;

    assert_int_equal(ask(), NGX_DECLINED);
    load.now_us += 49999;
    assert_int_equal(ask(), NGX_DECLINED);
    load.now_us += 1;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 1);
    assert_int_equal(ask(), NGX_DECLINED);

    for (probes = 0; probes < 100; probes++) {
        observe(1, 1000, 1);

        if (clipper_batch_latency(&b, 1) < 20000) {
            break;
        }

        assert_int_equal(ask(), NGX_OK);
        assert_int_equal(plan.take, 1);
    }

    assert_true(probes < 12);
    assert_true(load.now_us - start < 100000);
}


static void
test_waits_for_a_fuller_batch(void **state)
{
    learn(400);
    conf.wait_us = 2000;

    load.queued = 5;
    load.waited_us = 500;
    assert_int_equal(ask(), NGX_AGAIN);
    assert_int_equal(plan.wait_us, 1500);

    /* it waited long enough, the batch is full, the deadline is near */

    load.waited_us = 2000;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 5);

    load.waited_us = 0;
    conf.fixed = 5;
    assert_int_equal(ask(), NGX_OK);

    conf.fixed = 0;
    load.head_us = clipper_batch_late(&b, 7) + 300;
    assert_int_equal(ask(), NGX_AGAIN);
    assert_in_range(plan.wait_us, 200, 300);

    load.head_us = clipper_batch_late(&b, 7);
    assert_int_equal(ask(), NGX_OK);

    /* too late for possible later inputs, but not for the waiting ones */

    load.head_us = clipper_batch_latency(&b, 6);
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 5);
}


/* what comes meanwhile is part of the batch, or waits for the next one */

static void
test_waits_for_no_more_than_is_on_time(void **state)
{
    learn(400);
    conf.wait_us = 4000;

    load.queued = 5;
    load.rate = 0.05;
    assert_int_equal(ask(), NGX_AGAIN);
    assert_int_equal(plan.wait_us, 4000);

    load.head_us = 6500;
    assert_int_equal(ask(), NGX_AGAIN);
    assert_true(plan.wait_us <= 2000);
    assert_true(plan.wait_us
                + clipper_batch_late(&b, 5 + plan.wait_us / 20)
                <= 6500);

    /* no room for the second batch of the same SLO, without another replica */

    load.rate = 0.001;
    load.head_us = 2000;
    load.tail_us = 2000;
    assert_int_equal(ask(), NGX_AGAIN);

    load.tail_us = 1700;
    assert_int_equal(ask(), NGX_OK);

    load.replicas = 2;
    assert_int_equal(ask(), NGX_AGAIN);
}


/* for any input and any observation the plan is valid and the curve sane */

static void
test_any_history(void **state)
{
    u_char            seed[CLIPPER_HASH_SEED];
    uint64_t          r, last, latency;
    ngx_int_t         rc;
    ngx_uint_t        i, n;
    clipper_random_t  random;

    memset(seed, 9, sizeof(seed));
    clipper_random_init(&random, seed);

    for (i = 0; i < 200000; i++) {
        r = clipper_random_u64(&random);

        load.queued = 1 + (r >> 8) % ((r & 1) ? 10 : 20000);
        load.replicas = 1 + (r >> 4) % 3;
        load.head_us = (int64_t) ((r >> 24) % 30000) - 1000;
        load.tail_us = load.head_us + (int64_t) ((r >> 40) % 20000) - 100;
        load.waited_us = (r >> 50) % 5000;
        conf.wait_us = (r & 6) ? 0 : 3000;
        conf.fixed = (r & 0x70) ? 0 : 1 + (r >> 20) % 500;
        conf.max = (r & 0x700) ? 0 : 1 + (r >> 12) % 100000;

        r = clipper_random_u64(&random);
        load.now_us += r % ((r >> 60) ? 1000 : 3000000);

        rc = ask();

        if (rc == NGX_DECLINED) {
            assert_true(plan.need_us > load.head_us);
            continue;
        }

        if (rc == NGX_AGAIN) {
            assert_true(plan.wait_us > 0 && plan.wait_us <= conf.wait_us);
            continue;
        }

        assert_int_equal(rc, NGX_OK);
        assert_true(load.head_us > 0);
        assert_in_range(plan.take, 1, ngx_min(load.queued, limit()));

        latency = (r >> 20) % ((r >> 59) ? 30000 : 10000000);
        observe(plan.take, (r & 0xfff) ? latency : (uint64_t) -1, r & 1);

        if (i % 100 == 0) {
            for (n = 1, last = 0; n < 100000; n += n / 3 + 1) {
                latency = clipper_batch_latency(&b, n);
                assert_true(latency >= last && latency < 1ULL << 62);
                last = latency;
            }
        }
    }
}


/* one slow batch is no reason to refuse, nor are some after a fast one */

static void
test_refuses_nothing_in_doubt(void **state)
{
    ngx_uint_t  i;

    load.head_us = 100000;
    load.tail_us = 100000;

    observe(1, 8000000, 0);
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 1);

    /* the first one is forgotten at once */

    for (i = 0; i < 20; i++) {
        observe(1, 70000, 1);
        assert_true(clipper_batch_latency(&b, 1) < 100000);
        assert_int_equal(ask(), NGX_OK);
    }

    for (i = 0; i < 3; i++) {
        observe(1, 300000, 0);
        assert_int_equal(ask(), NGX_OK);
        assert_int_equal(plan.take, 1);
    }

    assert_true(clipper_batch_latency(&b, 1) > 100000);

    /* but if others are faster it is theirs */

    load.slower = 1;
    assert_int_equal(ask(), NGX_DECLINED);
    load.slower = 0;

    observe(1, 300000, 0);
    assert_int_equal(ask(), NGX_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_size),
        test(test_cold_replica_gets_one_at_once),
        test(test_expired_is_never_sent),
        test(test_batch_fits_the_head),
        test(test_infeasible_head_is_dropped),
        test(test_head_is_given_up_for_the_others),
        test(test_probes),
        test(test_refuses_nothing_in_doubt),
        test(test_waits_for_a_fuller_batch),
        test(test_waits_for_no_more_than_is_on_time),
        test(test_any_history)
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}

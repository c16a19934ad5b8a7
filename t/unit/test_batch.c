
/*
 * The batch control step by step.  Catches: an AIMD that is none, a profile
 * that is not monotone or not the asked quantile, a plan that sends what is
 * expired, drops what is not, or sends more than is there, a controller that
 * does not probe, forget or inherit.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "ngx_http_clipper_batch.h"
#include "ngx_http_clipper_hash.h"


static ngx_http_clipper_batch_t       b;
static ngx_http_clipper_batch_conf_t  conf;
static ngx_http_clipper_batch_load_t  load;
static ngx_http_clipper_batch_plan_t  plan;


static int
setup(void **state)
{
    memset(&conf, 0, sizeof(conf));
    ngx_http_clipper_batch_init(&b, NULL, 1000);

    load.now_us = 1000;
    load.queued = 1;
    load.replicas = 1;
    load.head_us = 20000;
    load.tail_us = 20000;
    load.waited_us = 0;

    return 0;
}


static ngx_int_t
ask(void)
{
    return ngx_http_clipper_batch_plan(&b, &conf, &load, &plan);
}


/* one batch after the other, without a pause */

static void
observe(ngx_uint_t n, uint64_t latency_us, ngx_uint_t on_time)
{
    load.now_us += latency_us;
    ngx_http_clipper_batch_observe(&b, &conf, load.now_us, n, latency_us,
                                   on_time);
}


static ngx_uint_t
limit(void)
{
    return ngx_http_clipper_batch_limit(&b, &conf);
}


static void
test_size(void **state)
{
    assert_true(sizeof(ngx_http_clipper_batch_t) <= 1536);
}


static void
test_cold_replica_gets_one_at_once(void **state)
{
    load.queued = 50;
    load.tail_us = 21000;
    conf.wait_us = 5000;

    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 1);
    assert_int_equal(ngx_http_clipper_batch_latency(&b, 1), 0);
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


/* misses lead down to one, from where the cap grows again */

static void
assert_falls_and_grows(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 200; i++) {
        observe(limit(), 100, 0);
    }

    assert_int_equal(limit(), 1);
    observe(1, 100, 1);
    assert_int_equal(limit(), 2);
}


/* "batch aimd": one more, x 0.9; only with batches that tried the cap */

static void
test_aimd(void **state)
{
    ngx_uint_t  n;

    conf.plain = 1;
    assert_int_equal(limit(), 1);

    for (n = 1; n < 100; n++) {
        observe(n, 100, 1);
        assert_int_equal(limit(), n + 1);
    }

    observe(60, 100, 1);
    assert_int_equal(limit(), 100);

    observe(100, 100, 0);
    assert_int_equal(limit(), 90);

    observe(90, 100, 1);
    assert_int_equal(limit(), 91);

    assert_falls_and_grows();
}


/* with the profile: doubling, x 0.9, a step of 1/32 that grows again */

static void
test_cap(void **state)
{
    ngx_uint_t  n;

    for (n = 1; n < 1024; n *= 2) {
        observe(n, 100, 1);
        assert_int_equal(limit(), n * 2);
    }

    observe(600, 100, 1);
    assert_int_equal(limit(), 1024);

    observe(1024, 100, 0);
    assert_int_equal(limit(), 921);

    observe(921, 100, 1);
    assert_int_equal(limit(), 950);

    assert_falls_and_grows();
}


static void
test_miss_of_a_small_batch_keeps_the_cap(void **state)
{
    ngx_uint_t  n;

    for (n = 1; n < 128; n *= 2) {
        observe(n, 100, 1);
    }

    observe(64, 100, 0);
    assert_int_equal(limit(), 128);
    observe(128, 100, 0);
    assert_int_equal(limit(), 115);
}


/* without a miss the step grows again to doubling */

static void
test_cap_returns_fast(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 12; i++) {
        observe(limit(), 100, 1);
    }

    assert_int_equal(limit(), 4096);

    while (limit() > 1) {
        observe(limit(), 100, 0);
    }

    for (i = 0; i < 40; i++) {
        observe(limit(), 100, 1);
    }

    assert_true(limit() >= 4096);
}


static void
test_bounds_of_the_operator(void **state)
{
    ngx_uint_t  i;

    conf.max = 100;

    for (i = 0; i < 50; i++) {
        observe(limit(), 100, 1);
        assert_true(limit() <= 100);
    }

    assert_int_equal(limit(), 100);

    conf.fixed = 7;
    assert_int_equal(limit(), 7);
    load.queued = 50;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 7);

    conf.fixed = 0;
    conf.max = 0;

    for (i = 0; i < 50; i++) {
        observe(limit(), 100, 1);
    }

    assert_int_equal(limit(), NGX_HTTP_CLIPPER_BATCH_MAX);
}


/* 300 us and 20 us per input, learned from batches of all sizes */

static void
learn(ngx_uint_t max)
{
    ngx_uint_t  n;

    for (n = 1; n <= max; n += n / 5 + 1) {
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
    }
}


static void
test_profile_follows_the_model(void **state)
{
    double      error;
    uint64_t    last, latency;
    ngx_uint_t  n;

    learn(400);
    last = 0;

    for (n = 1; n <= 2 * NGX_HTTP_CLIPPER_BATCH_MAX; n += n / 50 + 1) {
        latency = ngx_http_clipper_batch_latency(&b, n);

        /* monotone everywhere, and near the truth where it was tried */
        assert_true(latency >= last);
        last = latency;

        error = (double) latency / (double) (300 + 20 * n);

        if (n <= 400) {
            assert_true(error > 0.95 && error < 1.25);

        } else if (n <= 4000) {
            assert_true(error > 0.7 && error < 1.4);
        }
    }
}


static void
test_profile_is_the_quantile(void **state)
{
    double                     latency;
    u_char                     seed[NGX_HTTP_CLIPPER_HASH_SEED];
    ngx_uint_t                 i, n, below, total;
    ngx_http_clipper_random_t  random;

    memset(seed, 5, sizeof(seed));
    ngx_http_clipper_random_init(&random, seed);
    below = 0;
    total = 0;

    for (i = 0; i < 5000; i++) {
        n = 1 + (ngx_uint_t) (ngx_http_clipper_random_double(&random) * 60);

        /* an exponential tail */
        latency = (300 + 20 * (double) n)
                  * (1 - 0.3 * log(1 - ngx_http_clipper_random_double(
                                                                   &random)));

        if (i > 500) {
            total++;
            below += latency <= (double) ngx_http_clipper_batch_latency(&b, n);
        }

        observe(n, (uint64_t) latency, 1);
    }

    assert_in_range(below * 1000 / total, 930, 970);
}


static void
test_one_outlier_is_no_rule(void **state)
{
    uint64_t  before;

    learn(100);
    before = ngx_http_clipper_batch_latency(&b, 50);

    observe(50, 500000, 1);
    assert_true(ngx_http_clipper_batch_latency(&b, 50) < before * 2);
    assert_true(ngx_http_clipper_batch_latency(&b, 1) < 1000);
}


static void
test_many_outliers_are_the_rule(void **state)
{
    ngx_uint_t  i;

    learn(100);

    for (i = 0; i < 8; i++) {
        observe(50, 5000, 1);
    }

    assert_in_range(ngx_http_clipper_batch_latency(&b, 50), 4700, 9000);
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
 * 5 ms per batch and next to nothing per input: the head would leave with 60
 * others, and hundreds would be late for it
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
    load.head_us = 6500;
    load.tail_us = 20000;

    assert_int_equal(ask(), NGX_DECLINED);
    
    /* the 460 last ones fit when the first of them has 9600 us */
    assert_in_range(plan.need_us, 9200, 10800);

    /* with others to help, or with less to do, it is served */

    load.replicas = 20;
    load.queued = 100;
    assert_int_equal(ask(), NGX_OK);
    assert_true(plan.take > 10);

    load.replicas = 1;
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

        if (ngx_http_clipper_batch_latency(&b, 1) < 20000) {
            break;
        }

        assert_int_equal(ask(), NGX_OK);
        assert_int_equal(plan.take, 1);
    }

    assert_true(probes < 12);
    assert_true(load.now_us - start < 100000);
}


static void
test_knowledge_fades(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 100; i++) {
        observe(1, 30000, 0);
    }

    assert_int_equal(ask(), NGX_DECLINED);
    load.now_us += 60000000;
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(ngx_http_clipper_batch_latency(&b, 1), 0);
}


static void
test_inherited_profile(void **state)
{
    ngx_http_clipper_batch_t  other;

    learn(400);
    other = b;
    ngx_http_clipper_batch_init(&b, &other, load.now_us);

    assert_int_equal(limit(), ngx_http_clipper_batch_limit(&other, &conf));
    assert_in_range(ngx_http_clipper_batch_latency(&b, 100), 2200, 2800);
    assert_int_equal(b.batches, 0);

    /* its own experience soon counts more */
    for (other.batches = 0; other.batches < 6; other.batches++) {
        observe(100, 4000, 1);
    }

    assert_true(ngx_http_clipper_batch_latency(&b, 100) > 3800);
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
    load.head_us = 700;
    assert_int_equal(ask(), NGX_AGAIN);
    assert_true(plan.wait_us < 300);

    load.head_us = ngx_http_clipper_batch_latency(&b, 7);
    assert_int_equal(ask(), NGX_OK);

    /* late already for what may come, but not for what is there */

    load.head_us = ngx_http_clipper_batch_latency(&b, 6);
    assert_int_equal(ask(), NGX_OK);
    assert_int_equal(plan.take, 5);
}


/* whatever is asked and observed, the plan is possible and the curve sane */

static void
test_any_history(void **state)
{
    u_char                     seed[NGX_HTTP_CLIPPER_HASH_SEED];
    uint64_t                   r, last, latency;
    ngx_int_t                  rc;
    ngx_uint_t                 i, n;
    ngx_http_clipper_random_t  random;

    memset(seed, 9, sizeof(seed));
    ngx_http_clipper_random_init(&random, seed);

    for (i = 0; i < 200000; i++) {
        r = ngx_http_clipper_random_u64(&random);

        load.queued = 1 + (r >> 8) % ((r & 1) ? 10 : 20000);
        load.replicas = 1 + (r >> 4) % 3;
        load.head_us = (int64_t) ((r >> 24) % 30000) - 1000;
        load.tail_us = load.head_us + (int64_t) ((r >> 40) % 20000) - 100;
        load.waited_us = (r >> 50) % 5000;
        conf.wait_us = (r & 6) ? 0 : 3000;
        conf.fixed = (r & 0x70) ? 0 : 1 + (r >> 20) % 500;
        conf.max = (r & 0x700) ? 0 : 1 + (r >> 12) % 100000;

        r = ngx_http_clipper_random_u64(&random);
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
                latency = ngx_http_clipper_batch_latency(&b, n);
                assert_true(latency >= last && latency < 1ULL << 62);
                last = latency;
            }
        }
    }
}


#define test(name)  cmocka_unit_test_setup(name, setup)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_size),
        test(test_cold_replica_gets_one_at_once),
        test(test_expired_is_never_sent),
        test(test_aimd),
        test(test_cap),
        test(test_miss_of_a_small_batch_keeps_the_cap),
        test(test_cap_returns_fast),
        test(test_bounds_of_the_operator),
        test(test_profile_follows_the_model),
        test(test_profile_is_the_quantile),
        test(test_one_outlier_is_no_rule),
        test(test_many_outliers_are_the_rule),
        test(test_batch_fits_the_head),
        test(test_infeasible_head_is_dropped),
        test(test_head_is_given_up_for_the_others),
        test(test_probes),
        test(test_knowledge_fades),
        test(test_inherited_profile),
        test(test_waits_for_a_fuller_batch),
        test(test_any_history),
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}

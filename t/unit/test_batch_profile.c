
/*
 * The latency profile of a model.  Catches: a profile that is not monotone or
 * not the requested quantile, that one outlier changes, that is not forgotten
 * or not inherited.
 */


#include "batch_fixture.h"
#include "batch/clipper_batch_late.h"
#include "batch/clipper_batch_limit.h"
#include "batch/clipper_batch_profile.h"


static void
test_profile_follows_the_model(void **state)
{
    double      error;
    uint64_t    last, latency;
    ngx_uint_t  n;

    learn(400);
    last = 0;

    for (n = 1; n <= 2 * CLIPPER_BATCH_MAX; n += n / 50 + 1) {
        latency = clipper_batch_latency(&b, n);

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
    double            latency;
    u_char            seed[CLIPPER_HASH_SEED];
    ngx_uint_t        i, n, below, total;
    clipper_random_t  random;

    memset(seed, 5, sizeof(seed));
    clipper_random_init(&random, seed);
    below = 0;
    total = 0;

    for (i = 0; i < 5000; i++) {
        n = 1 + (ngx_uint_t) (clipper_random_double(&random) * 60);

        /* an exponential tail */
        latency = (300 + 20 * (double) n)
                  * (1 - 0.3 * log(1 - clipper_random_double(
                                                                   &random)));

        if (i > 500) {
            total++;
            below += latency <= (double) clipper_batch_latency(&b, n);
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
    before = clipper_batch_latency(&b, 50);

    observe(50, 500000, 1);
    assert_true(clipper_batch_latency(&b, 50) < before * 2);
    assert_true(clipper_batch_latency(&b, 1) < 1000);
}


/* three in a row are the rule; one that is as expected ends the row */

static void
test_exceptions(void **state)
{
    ngx_uint_t  i;

    assert_false(clipper_batch_profile_exception(&b, 1, 1000000));

    learn(100);

    for (i = 0; i < 2; i++) {
        assert_false(clipper_batch_profile_exception(&b, 50, 1300));
        assert_true(clipper_batch_profile_exception(&b, 50, 50000));
        assert_true(clipper_batch_profile_exception(&b, 50, 50000));
        observe(50, 1300, 1);
    }

    assert_true(clipper_batch_profile_exception(&b, 50, 50000));
    assert_true(clipper_batch_profile_exception(&b, 50, 50000));
    assert_false(clipper_batch_profile_exception(&b, 50, 50000));
    observe(50, 50000, 0);
    assert_true(clipper_batch_latency(&b, 50) > 20000);
}


/* neither the limit nor "stuck" comes too early, and stuck comes first */

static void
test_limit_of_a_batch(void **state)
{
    uint64_t        limit_us, stuck_us;
    clipper_batch_t  fresh;

    clipper_batch_init(&fresh, NULL, 1);

    limit_us = clipper_batch_limit_us(&fresh, 1, 0);
    assert_true(limit_us == 60000000);
    assert_true(clipper_batch_limit_stuck_us(&fresh, 1, limit_us) == 10000000);
    assert_true(clipper_batch_limit_stuck_us(&fresh, 1, 500000) == 250000);

    /* a fast model: the least values; a slow one: by its profile */

    learn(60);
    assert_true(clipper_batch_limit_us(&b, 50, 1) == 10000000);
    assert_true(clipper_batch_limit_us(&b, 50, 0) == 60000000);
    assert_true(clipper_batch_limit_stuck_us(&b, 50, 10000000) == 1000000);

    clipper_batch_profile_scale(&b, 10000);
    limit_us = clipper_batch_limit_us(&b, 50, 0);
    stuck_us = clipper_batch_limit_stuck_us(&b, 50, limit_us);

    assert_true(limit_us == 20 * clipper_batch_latency(&b, 50));
    assert_true(limit_us > 60000000);
    assert_true(stuck_us == clipper_batch_late(&b, 50));
    assert_true(stuck_us > 10000000 && stuck_us < limit_us);
}


static void
test_many_outliers_are_the_rule(void **state)
{
    ngx_uint_t  i;

    learn(100);

    for (i = 0; i < 8; i++) {
        observe(50, 5000, 1);
    }

    assert_in_range(clipper_batch_latency(&b, 50), 4700, 9000);
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
    assert_int_equal(clipper_batch_latency(&b, 1), 0);
}


static void
test_inherited_profile(void **state)
{
    clipper_batch_t  other;

    learn(400);
    other = b;
    clipper_batch_init(&b, &other, load.now_us);

    assert_int_equal(limit(), clipper_batch_most(&other, &conf));
    assert_in_range(clipper_batch_latency(&b, 100), 2200, 2800);
    assert_int_equal(b.batches, 0);

    /* its own measurements soon count more */
    for (other.batches = 0; other.batches < 6; other.batches++) {
        observe(100, 4000, 1);
    }

    assert_true(clipper_batch_latency(&b, 100) > 3800);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_profile_follows_the_model),
        test(test_profile_is_the_quantile),
        test(test_one_outlier_is_no_rule),
        test(test_exceptions),
        test(test_limit_of_a_batch),
        test(test_many_outliers_are_the_rule),
        test(test_knowledge_fades),
        test(test_inherited_profile)
    };

    return cmocka_run_group_tests_name("batch_profile", tests, NULL, NULL);
}

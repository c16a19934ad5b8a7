
/*
 * The cap of batches.  Catches: a control that is not AIMD, a cap that does
 * not recover after misses, bounds of the operator that are exceeded.
 */


#include "batch_fixture.h"


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

    assert_int_equal(limit(), CLIPPER_BATCH_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_aimd),
        test(test_cap),
        test(test_miss_of_a_small_batch_keeps_the_cap),
        test(test_cap_returns_fast),
        test(test_bounds_of_the_operator)
    };

    return cmocka_run_group_tests_name("batch_cap", tests, NULL, NULL);
}

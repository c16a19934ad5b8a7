
/*
 * Which messages are logged.
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clipper_limiter.h"


#define MINUTE  CLIPPER_LIMITER_US


/* catches a key that hides another one, and one that is told twice */

static void
test_keys_do_not_hide_each_other(void **state)
{
    clipper_limiter_t  limiter = { { 0 }, { 0 } };

    assert_true(clipper_limiter(&limiter, 7, 100));
    assert_false(clipper_limiter(&limiter, 7, 101));
    assert_true(clipper_limiter(&limiter, 0, 102));
    assert_false(clipper_limiter(&limiter, 0, 103));
    assert_false(clipper_limiter(&limiter, 7, 99 + MINUTE));
    assert_true(clipper_limiter(&limiter, 7, 100 + MINUTE));
    assert_false(clipper_limiter(&limiter, 0, 101 + MINUTE));
    assert_false(clipper_limiter(&limiter, 7, 99 + 2 * MINUTE));
}


/*
 * catches a log without bound, one that leaves out messages and does not say
 * so, and places that are never free again
 */

static void
test_many_keys(void **state)
{
    uint64_t           i;
    clipper_limiter_t  limiter = { { 0 }, { 0 } };

    for (i = 0; i < CLIPPER_LIMITER_PLACES - 1; i++) {
        assert_int_equal(clipper_limiter(&limiter, i, 1 + i), 1);
    }

    assert_int_equal(clipper_limiter(&limiter, i, 1 + i),
                     CLIPPER_LIMITER_LAST);
    assert_string_equal(clipper_limiter_end(1), "");
    assert_string_not_equal(clipper_limiter_end(CLIPPER_LIMITER_LAST), "");

    i++;
    assert_false(clipper_limiter(&limiter, i, 1 + i));
    assert_false(clipper_limiter(&limiter, i, MINUTE));
    assert_int_equal(clipper_limiter(&limiter, i, MINUTE + 1),
                     CLIPPER_LIMITER_LAST);
    assert_false(clipper_limiter(&limiter, 0, MINUTE + 1));
    assert_true(clipper_limiter(&limiter, 0, MINUTE + 2));
    assert_int_equal(clipper_limiter(&limiter, 1, 2 * MINUTE), 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_do_not_hide_each_other),
        cmocka_unit_test(test_many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: a grammar of numbers that differs from RFC 8259, an error at the
 * wrong byte, a range check of integers that is off by one.
 */


#include "number_fixture.h"


static void
test_grammar(void **state)
{
    size_t            i, error;
    u_char           *copy;
    const u_char     *end;
    clipper_number_t  number;

    /* the length of the number at the start, or -1 - offset of the error */

    static const struct {
        const char  *text;
        int          taken;
    } cases[] = {
        { "", -1 }, { "-", -2 }, { "+1", -1 }, { ".5", -1 }, { "-.5", -2 },
        { "1.", -3 }, { "1.e5", -3 }, { "-a", -2 }, { "1e", -3 }, { "1e+", -4 },
        { "1E-x", -4 }, { "1.5e", -5 }, { "NaN", -1 }, { "Infinity", -1 },
        { "-Infinity", -2 },
        { "0", 1 }, { "01", 1 }, { "-0", 2 }, { "-01", 2 }, { "00", 1 },
        { "1.5", 3 }, { "1.5.5", 3 }, { "1e5", 3 }, { "1e5.5", 3 },
        { "1e05", 4 }, { "1E+05", 5 }, { "1-2", 1 }, { "1+2", 1 },
        { "0x10", 1 }, { "0.0x", 3 }, { "12 ", 2 }, { "1,2", 1 }, { "1f", 1 },
        { "1_000", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = 0;
        end = number_scan(cases[i].text, &number, &copy, &error);

        if (end == NULL) {
            if ((int) -1 - (int) error != cases[i].taken) {
                fail_msg("\"%s\": error at %zu", cases[i].text, error);
            }

        } else if (end - copy != cases[i].taken) {
            fail_msg("\"%s\": %td taken", cases[i].text, end - copy);
        }

        free(copy);
    }
}


static void
test_integers(void **state)
{
    size_t            i, error;
    u_char           *copy;
    int32_t           value;
    ngx_int_t         rc;
    clipper_number_t  number;

    static const struct {
        const char  *text;
        ngx_int_t    rc;
        int32_t      value;
        ngx_uint_t   is_int64;
    } cases[] = {
        { "0", NGX_OK, 0, 1 }, { "-0", NGX_OK, 0, 1 }, { "7", NGX_OK, 7, 1 },
        { "2147483647", NGX_OK, 2147483647, 1 },
        { "2147483648", NGX_DECLINED, 0, 1 },
        { "-2147483648", NGX_OK, -2147483647 - 1, 1 },
        { "-2147483649", NGX_DECLINED, 0, 1 },
        { "4294967296", NGX_DECLINED, 0, 1 },
        { "1.0", NGX_DECLINED, 0, 0 }, { "1e3", NGX_DECLINED, 0, 0 },
        { "0e0", NGX_DECLINED, 0, 0 }, { "-0.0", NGX_DECLINED, 0, 0 },
        { "9223372036854775807", NGX_DECLINED, 0, 1 },
        { "9223372036854775808", NGX_DECLINED, 0, 1 },
        { "-9223372036854775808", NGX_DECLINED, 0, 1 },
        { "-9223372036854775809", NGX_DECLINED, 0, 0 },
        { "9999999999999999999", NGX_DECLINED, 0, 1 },
        { "10000000000000000000", NGX_DECLINED, 0, 1 },
        { "18446744073709551615", NGX_DECLINED, 0, 1 },
        { "18446744073709551616", NGX_DECLINED, 0, 0 },
        { "18446744073709551620", NGX_DECLINED, 0, 0 },
        { "20000000000000000000", NGX_DECLINED, 0, 0 },
        { "-10000000000000000000", NGX_DECLINED, 0, 0 },
        { "100000000000000000000", NGX_DECLINED, 0, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_non_null(number_scan(cases[i].text, &number, &copy, &error));

        value = 0;
        rc = clipper_number_int32(&number, &value);

        if (rc != cases[i].rc || value != cases[i].value
            || clipper_number_is_int64(&number) != cases[i].is_int64)
        {
            fail_msg("%s: %d, %d", cases[i].text, (int) rc, (int) value);
        }

        free(copy);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_integers)
    };

    return cmocka_run_group_tests_name("number_grammar", tests, NULL, NULL);
}


/*
 * Catches: a wrong byte in an input, a number or a base64 text that is wrongly
 * accepted or refused, the use of a member that does not count, an unknown
 * name of a type.
 */

#include "input_fixture.h"

#include <math.h>


static void
assert_item(ngx_uint_t i, const void *bytes, size_t len)
{
    assert_in_range(i, 0, in.nitems - 1);
    assert_int_equal(in.items[i].len, len);
    assert_memory_equal(in.data + in.items[i].offset, bytes, len);
}


static void
test_bytes_of_each_type(void **state)
{
    assert_int_equal(scan(DOUBLES, "{\"input\":[1.0, -2.5, 1e300]}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_false(in.batch);
    assert_item(0, "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0"
                   "\x9c\x75\x00\x88\x3c\xe4\x37\x7e", 24);

    assert_int_equal(scan(FLOATS, "{\"input\":[1.0, 0.1]}"), OK);
    assert_item(0, "\0\0\x80\x3f\xcd\xcc\xcc\x3d", 8);

    assert_int_equal(scan(INTS, "{\"input\":[1, -2, 2147483647,"
                                " -2147483648, -0]}"), OK);
    assert_item(0, "\1\0\0\0\xfe\xff\xff\xff\xff\xff\xff\x7f\0\0\0\x80\0\0\0\0",
                20);

    assert_int_equal(scan(STRINGS, "{\"input\":\"a\\u0000\\u00e9\\ud83d\\ude00"
                                   "\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"), OK);
    assert_item(0, "a\0\xc3\xa9\xf0\x9f\x98\x80\"\\/\b\f\n\r\t", 16);

    assert_int_equal(scan(BYTES, "{\"input\":\"AAEC\\/w\\u003d=\"}"), OK);
    assert_item(0, "\0\1\2\xff", 4);
}


static void
test_batches_are_back_to_back(void **state)
{
    assert_int_equal(scan(INTS, "{\"input_batch\":[[1,2],[],[3]]}"), OK);
    assert_true(in.batch);
    assert_int_equal(in.nitems, 3);
    assert_int_equal(in.items[1].offset, 8);
    assert_int_equal(in.items[1].len, 0);
    assert_int_equal(in.items[2].offset, 8);
    assert_item(2, "\3\0\0\0", 4);

    assert_int_equal(scan(STRINGS, "{\"input_batch\":[\"\",\"ab\",\"c\"]}"),
                     OK);
    assert_int_equal(in.nitems, 3);
    assert_int_equal(in.items[0].len, 0);
    assert_item(1, "ab", 2);
    assert_int_equal(in.items[2].offset, 2);

    assert_int_equal(scan(BYTES, "{\"input_batch\":[\"QQ\",\"QUI\",\"QUJD\"]}"),
                     OK);
    assert_memory_equal(in.data, "AABABC", 6);
}


static void
test_empty_inputs(void **state)
{
    assert_int_equal(scan(DOUBLES, "{\"input\":[]}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_int_equal(in.items[0].len, 0);
    assert_non_null(in.data);

    assert_int_equal(scan(STRINGS, "{\"input\":\"\"}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_int_equal(in.items[0].len, 0);

    assert_int_equal(scan(DOUBLES, "{\"input_batch\":[]}"), OK);
    assert_int_equal(in.nitems, 0);
    assert_true(in.batch);
    assert_true(in.has_input);
}


static void
test_which_member_counts(void **state)
{
    /* input wins over input_batch, also after it, whatever its value */

    assert_int_equal(scan(INTS, "{\"input_batch\":[[9],[8]],\"input\":[7]}"),
                     OK);
    assert_int_equal(in.nitems, 1);
    assert_false(in.batch);
    assert_item(0, "\7\0\0\0", 4);

    assert_int_equal(scan(INTS, "{\"input\":[7],\"input_batch\":\"x\"}"), OK);
    assert_int_equal(scan(INTS, "{\"input_batch\":{},\"input\":[7]}"), OK);
    assert_int_equal(scan(INTS, "{\"input_batch\":[[1.5]],\"input\":[7]}"), OK);
    assert_item(0, "\7\0\0\0", 4);

    /* the first of duplicates */

    assert_int_equal(scan(INTS, "{\"input\":[1],\"input\":[2]}"), OK);
    assert_item(0, "\1\0\0\0", 4);
    assert_int_equal(scan(INTS, "{\"input\":[1],\"input\":\"x\"}"), OK);
    assert_int_equal(scan(INTS, "{\"input\":\"x\",\"input\":[1]}"), SCHEMA);
    assert_int_equal(scan(INTS, "{\"input_batch\":[[1]],"
                                "\"input_batch\":[[2]]}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_item(0, "\1\0\0\0", 4);
    assert_int_equal(scan(INTS, "{\"input\":[1],\"version\":\"a\","
                                "\"version\":5}"), OK);
    assert_text(&in.version, CLIPPER_KIND_STRING, "a");

    /* names may have escapes, and must be whole */

    assert_int_equal(scan(INTS, "{\"\\u0069n\\u0070ut\":[1]}"), OK);
    assert_int_equal(scan(INTS, "{\"inpu\":[1],\"input\\u0000\":[2],"
                                "\"Input\":[3],\" input\":[4]}"), SCHEMA);

    /* other members only need to be JSON */

    assert_int_equal(scan(INTS, "{\"a\":[[{\"input\":1.5}]],\"input\":[1],"
                                "\"label\":{},\"query_id\":null}"), OK);
    assert_int_equal(in.label.kind, CLIPPER_KIND_ABSENT);
}


static void
test_members(void **state)
{
    assert_int_equal(scan(INTS, "{\"version\":\"v\\u00e9\\n\",\"input\":[1],"
                                "\"uid\":-12}"), OK);
    assert_text(&in.version, CLIPPER_KIND_STRING, "v\xc3\xa9\n");
    assert_text(&in.uid, CLIPPER_KIND_INTEGER, "-12");

    assert_int_equal(scan(INTS, "{\"uid\":\"\",\"version\":\"\",\"input\":[]}"),
                     OK);
    assert_text(&in.uid, CLIPPER_KIND_STRING, "");
    assert_text(&in.version, CLIPPER_KIND_STRING, "");

    /* an impossible user is only reported */

    assert_int_equal(scan(INTS, "{\"uid\":[1],\"input\":[]}"), OK);
    assert_int_equal(in.uid.kind, CLIPPER_KIND_ARRAY);
    assert_int_equal(scan(INTS, "{\"uid\":1.0,\"input\":[]}"), OK);
    assert_text(&in.uid, CLIPPER_KIND_REAL, "1.0");
    assert_int_equal(scan(INTS, "{\"uid\":null,\"input\":[]}"), OK);
    assert_text(&in.uid, CLIPPER_KIND_NULL, "null");
}


static void
test_numbers_of_each_type(void **state)
{
    size_t  i;
    char    body[128];

    static const struct {
        ngx_uint_t   type;
        ngx_uint_t   strict;
        const char  *number;
        ngx_uint_t   code;
    } cases[] = {
        { INTS, 0, "1.0", SCHEMA }, { INTS, 0, "1e3", SCHEMA },
        { INTS, 0, "2147483647", OK }, { INTS, 0, "2147483648", SCHEMA },
        { INTS, 0, "-2147483648", OK }, { INTS, 0, "-2147483649", SCHEMA },
        { INTS, 0, "99999999999999999999999", SCHEMA },
        { DOUBLES, 0, "1", OK }, { DOUBLES, 0, "-0", OK },
        { DOUBLES, 0, "123456789012345678901234567890", OK },
        { DOUBLES, 1, "1", SCHEMA }, { DOUBLES, 1, "1.0", OK },
        { DOUBLES, 1, "1e0", OK }, { DOUBLES, 1, "0", SCHEMA },
        { DOUBLES, 1, "9223372036854775808", SCHEMA },
        { DOUBLES, 1, "18446744073709551615", SCHEMA },
        { DOUBLES, 1, "18446744073709551616", OK },
        { DOUBLES, 1, "-9223372036854775808", SCHEMA },
        { DOUBLES, 1, "-9223372036854775809", OK },
        { DOUBLES, 0, "1e-400", OK }, { DOUBLES, 0, "1e400", SYNTAX },
        { DOUBLES, 0, "1.7976931348623158e308", OK },
        { DOUBLES, 0, "1.7976931348623159e308", SYNTAX },
        { FLOATS, 0, "1", OK }, { FLOATS, 1, "1", SCHEMA },
        { FLOATS, 0, "1e39", SCHEMA }, { FLOATS, 0, "-1e39", SCHEMA },
        { FLOATS, 0, "1e400", SYNTAX }, { FLOATS, 0, "1e-400", OK },
        { FLOATS, 0, "3.4028234663852886e38", OK },
        { FLOATS, 0, "3.4028235e38", SCHEMA },
        { STRINGS, 0, "1e400", SYNTAX }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conf.strict = cases[i].strict;

        /* alone, and where the shortcut meets it */

        snprintf(body, sizeof(body), "{\"input\":[%s]}", cases[i].number);

        if (scan(cases[i].type, body) != cases[i].code
            && cases[i].type != STRINGS)
        {
            fail_msg("%s: %d", body, (int) in.error.code);
        }

        snprintf(body, sizeof(body), "{\"input\":[%s, %s]}          "
                 "                                                  ",
                 cases[i].number, cases[i].number);

        if (scan(cases[i].type, body) != cases[i].code
            && cases[i].type != STRINGS)
        {
            fail_msg("%s: %d", body, (int) in.error.code);
        }
    }
}


static void
test_rounding(void **state)
{
    double  d[3];
    float   f[3];

    /* a float is not rounded twice: 1 + 2^-24 + 2^-54 */

    assert_int_equal(scan(FLOATS, "{\"input\":[1.000000059604644830901776231257"
                                  ", 16777217.0000000001, -0.0]}"), OK);
    memcpy(f, in.data, sizeof(f));
    assert_true(f[0] == 1.00000011920928955078125f);
    assert_true(f[1] == 16777218.0f);
    assert_true(signbit(f[2]));

    assert_int_equal(scan(DOUBLES, "{\"input\":[6.6000000000000005,"
                                   " 9007199254740993, -0]}"), OK);
    memcpy(d, in.data, sizeof(d));
    assert_true(d[0] == 6.6000000000000005);
    assert_true(d[1] == 9007199254740992.0);
    assert_true(d[2] == 0 && signbit(d[2]));
}


static void
test_base64(void **state)
{
    size_t  i;
    char    body[64];

    static const struct {
        const char  *text;
        const char  *bytes;
    } cases[] = {
        { "", "" }, { "QQ==", "A" }, { "QQ", "A" }, { "QUI=", "AB" },
        { "QUI", "AB" }, { "QUJD", "ABC" }, { "QUJDRA==", "ABCD" },
        { "+/+/", "\xfb\xff\xbf" }, { "QR==", "A" },

        /* the URL-safe alphabet, lines, data URLs */

        { "-_-_", "\xfb\xff\xbf" }, { "+_-/", "\xfb\xff\xbf" },
        { "Q UI", "AB" }, { "\\nQQ==", "A" }, { "QQ=\\r\\n=\\n", "A" },
        { "QUJD\\r\\nRA==\\r\\n", "ABCD" }, { "Q\\tU\\nJ D", "ABC" },
        { " ", "" }, { "data:;base64,QUI", "AB" },
        { "data:image/png;base64,QUJD", "ABC" }, { "DATA:;BASE64,", "" },

        { "Q", NULL }, { "Q===", NULL }, { "=", NULL }, { "====", NULL },
        { "QUI==", NULL }, { "QQ=", NULL }, { "QUJD=", NULL },
        { "QUJD====", NULL }, { "QQ==QQ==", NULL }, { "Q=Q=", NULL },
        { "QU.I", NULL }, { "QUJ\xc3\xa9", NULL }, { "QUJDR", NULL },
        { "QQ\\u0000=", NULL }, { "QQ= =A", NULL }, { "Q U\\nI J D", NULL },
        { "QQ\\f==", NULL }, { "data:image/png,QUJD", NULL },
        { "data:base64,QUJD", NULL }, { "data:;base64", NULL },
        { "data:;base64,Q", NULL }, { "data", "u\xab\x5a" },
        { "dat:", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(body, sizeof(body), "{\"input\":\"%s\"}", cases[i].text);

        if (scan(BYTES, body) != (cases[i].bytes ? OK : SCHEMA)) {
            fail_msg("%s", cases[i].text);
        }

        if (cases[i].bytes) {
            assert_item(0, cases[i].bytes, strlen(cases[i].bytes));

        } else {
            assert_int_equal(in.error.what, CLIPPER_INPUT_BASE64);
            assert_int_equal(in.nitems, 0);
        }
    }
}


/* a missing value is NaN, where the configuration says so, and only there */

static void
test_nulls(void **state)
{
    float       f[3];
    double      d[3];
    ngx_uint_t  type;

    conf.nulls = 1;

    assert_int_equal(scan(DOUBLES, "{\"input\":[1.5,null,NaN]}"), OK);
    assert_int_equal(in.items[0].len, sizeof(d));
    memcpy(d, in.data, sizeof(d));
    assert_true(d[0] == 1.5 && isnan(d[1]) && isnan(d[2]));
    assert_memory_equal(&d[1], &d[2], sizeof(double));

    assert_int_equal(scan(FLOATS, "{\"input_batch\":[[null],[ NaN , 2]]}"), OK);
    assert_int_equal(in.nitems, 2);
    memcpy(f, in.data, sizeof(f));
    assert_true(isnan(f[0]) && isnan(f[1]) && f[2] == 2);

    assert_int_equal(scan(INTS, "{\"input\":[null]}"), SCHEMA);
    assert_int_equal(scan(INTS, "{\"input\":[NaN]}"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"input\":null}"), SCHEMA);
    assert_int_equal(scan(DOUBLES, "{\"input_batch\":[null]}"), SCHEMA);
    assert_int_equal(scan(DOUBLES, "{\"input\":[Infinity]}"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"input\":[-NaN]}"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"input\":[nan]}"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"input\":[NaN"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"input\":[Na"), SYNTAX);
    assert_int_equal(in.error.offset, 12);

    /* NaN after an error of meaning is a syntax error only outside an input */

    assert_int_equal(scan(DOUBLES, "{\"input\":[\"a\",NaN]}"), SCHEMA);
    assert_int_equal(in.error.offset, 10);
    assert_int_equal(scan(DOUBLES, "{\"input\":[1],\"x\":NaN}"), SYNTAX);
    assert_int_equal(scan(DOUBLES, "{\"x\":NaN,\"input\":[1]}"), SYNTAX);

    conf.nulls = 0;

    for (type = FLOATS; type <= DOUBLES; type++) {
        assert_int_equal(scan(type, "{\"input\":[1.5,null]}"), SCHEMA);
        assert_int_equal(scan(type, "{\"input\":[1.5,NaN]}"), SYNTAX);
        assert_int_equal(in.error.offset, 14);
    }
}


static void
test_mark(void **state)
{
    assert_int_equal(scan(INTS, "\xef\xbb\xbf{\"input\":[7]}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_int_equal(scan(INTS, "\xef\xbb\xbf \n{\"input\":[7]}"), OK);

    /* only one, only before the document */

    assert_int_equal(scan(INTS, " \xef\xbb\xbf{\"input\":[7]}"), SYNTAX);
    assert_int_equal(scan(INTS, "\xef\xbb\xbf\xef\xbb\xbf{}"), SYNTAX);
    assert_int_equal(in.error.offset, 3);
    assert_int_equal(scan(INTS, "{\"input\":[7]}\xef\xbb\xbf"), SYNTAX);
    assert_int_equal(scan(INTS, "\xef\xbb{"), SYNTAX);
    assert_int_equal(in.error.offset, 2);
    assert_int_equal(scan(INTS, "\xef"), SYNTAX);
    assert_int_equal(in.error.offset, 1);

    /* offsets are those of the body */

    assert_int_equal(scan(INTS, "\xef\xbb\xbf{\"input\":[7.5]}"), SCHEMA);
    assert_int_equal(in.error.offset, 13);
}


static void
test_type_names(void **state)
{
    size_t     i;
    ngx_str_t  name;

    static const struct {
        const char  *name;
        int          type;
    } cases[] = {
        { "bytes", BYTES }, { "byte", BYTES }, { "b", BYTES },
        { "integers", INTS }, { "ints", INTS }, { "integer", INTS },
        { "int", INTS }, { "i", INTS }, { "floats", FLOATS },
        { "float", FLOATS }, { "f", FLOATS }, { "doubles", DOUBLES },
        { "double", DOUBLES }, { "d", DOUBLES }, { "strings", STRINGS },
        { "string", STRINGS }, { "strs", STRINGS }, { "str", STRINGS },
        { "s", STRINGS }, { "DOUBLES", DOUBLES }, { "Int", INTS },
        { "", -1 }, { "x", -1 }, { "doubl", -1 }, { "doubless", -1 },
        { "3", -1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        name.data = (u_char *) cases[i].name;
        name.len = strlen(cases[i].name);

        if (clipper_input_type(&name) != cases[i].type) {
            fail_msg("%s", cases[i].name);
        }
    }

    for (i = BYTES; i <= STRINGS; i++) {
        assert_int_equal(clipper_input_type(
                             clipper_input_type_name(i)), i);
    }

    assert_null(clipper_input_type_name(5));
    assert_int_equal(clipper_input_type_size(DOUBLES), 8);
    assert_int_equal(clipper_input_type_size(FLOATS), 4);
    assert_int_equal(clipper_input_type_size(BYTES), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_of_each_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_batches_are_back_to_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_empty_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nulls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_member_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_of_each_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rounding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_base64, setup, teardown),
        cmocka_unit_test_setup_teardown(test_type_names, setup, teardown)
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}

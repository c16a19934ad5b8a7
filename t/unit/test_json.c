
/*
 * Catches: an output embedded as JSON that is not JSON, or quoted although it
 * is; a length that differs from the output; a string that is not valid JSON or
 * UTF-8 or not the same bytes; a number that does not read back or has digits
 * to spare.  jansson and the C library are the judges.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>
#include <jansson.h>

#include "json/clipper_json.h"
#include "splitmix.h"


#define DEPTH  64
#define FLAGS  (JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL)


static uint64_t  seed = 88172645463325252u;


static uint64_t
rnd(void)
{
    return splitmix(seed++);
}


/* an output in a response; its memory ends where the output ends */

static void
assert_output(const char *output, size_t len, const char *want)
{
    size_t                 n;
    u_char                *data, *text;
    clipper_json_output_t  out;

    n = strlen(want);
    data = malloc(len ? len : 1);
    memcpy(data, output, len);

    clipper_json_output(&out, data, len, DEPTH);

    text = malloc(out.len);

    if (clipper_json_output_write(text, &out) != text + out.len) {
        fail_msg("%s: another length", output);
    }

    if (out.len != n || memcmp(text, want, n) != 0) {
        fail_msg("%s became %.*s", output, (int) out.len, text);
    }

    free(text);
    free(data);
}


static void
test_output_rule(void **state)
{
    size_t  i;

    static const char  *verbatim[] = {
        "1.0", "5", "-0", "\"x\"", "[1, 2]", "{\"a\": 1}", "true", "false",
        "null", "[]", "{}", "1.10", "1e3", "18446744073709551616",
        "\"\\u00e9\"", "\"\xc3\xa9\"", "\"\\u0000\"", "\"\\/\"", "1e-400",
        "[1,[2,[3,{\"a\":[]}]]]", "{\"a\":1,\"a\":2}"
    };

    static const char  *quoted[] = {
        "DEFAULT", "True", "None", "nan", "inf", "NaN", "-Infinity", "['a']",
        "[1 2 3]", "1.", ".5", "+1", "01", "1,2", "[1,]", "{\"a\"}", "{a:1}",
        "1e400", "[1e400]", "tru", "nulll", "1 2", "// 1", "[", "]", "{}}"
    };

    for (i = 0; i < sizeof(verbatim) / sizeof(verbatim[0]); i++) {
        assert_output(verbatim[i], strlen(verbatim[i]), verbatim[i]);
    }

    for (i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
        char     buf[64];
        u_char  *end;

        end = clipper_json_string((u_char *) buf, (u_char *) quoted[i],
                                  strlen(quoted[i]));
        *end = '\0';
        assert_int_equal(buf[0], '"');
        assert_output(quoted[i], strlen(quoted[i]), buf);
    }

    assert_output("", 0, "\"\"");
    assert_output(" \t\r\n", 4, "\" \\t\\r\\n\"");
    assert_output(" \n[1, 2]\t ", 10, "[1, 2]");
    assert_output(" 5 ", 3, "5");
    assert_output("1\0", 2, "\"1\\u0000\"");
    assert_output("\v1", 2, "\"\\u000b1\"");
    assert_output("\xef\xbb\xbf" "1", 4, "\"\xef\xbb\xbf" "1\"");
    assert_output("a/b", 3, "\"a/b\"");
    assert_output("\"\\ud800\"", 8, "\"\\\"\\\\ud800\\\"\"");
    assert_output("\"\xff\"", 3, "\"\\\"\xef\xbf\xbd\\\"\"");
}


static void
test_depth(void **state)
{
    char        text[4096];
    ngx_str_t   value;

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(clipper_json_value((u_char *) text, 128, 64, &value),
                                        NGX_OK);
    assert_int_equal(clipper_json_value((u_char *) text, 128, 63, &value),
                                        NGX_DECLINED);
    assert_int_equal(clipper_json_value((u_char *) "1", 1, 0, &value), NGX_OK);
    assert_int_equal(clipper_json_value((u_char *) "[]", 2, 0, &value),
                                        NGX_DECLINED);

    memset(text, '[', 1025);
    memset(text + 1025, ']', 1025);
    assert_int_equal(clipper_json_value((u_char *) text + 1, 2048, 1000000,
                                        &value), NGX_OK);
    assert_int_equal(clipper_json_value((u_char *) text, 2050, 1000000,
                                        &value), NGX_DECLINED);
}


static void
assert_string(const char *data, size_t len, const char *want)
{
    u_char  buf[256];

    assert_int_equal(clipper_json_string_len((u_char *) data, len),
                     strlen(want));
    assert_int_equal(clipper_json_string(buf, (u_char *) data, len)
                     - buf, strlen(want));
    assert_memory_equal(buf, want, strlen(want));
}


static void
test_strings(void **state)
{
    assert_string("", 0, "\"\"");
    assert_string("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    assert_string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    assert_string("\0\1\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");

    /* one U+FFFD for the longest valid start of a sequence, Unicode 3.9 */

    assert_string("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", 13,
                  "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd"
                  "c\xef\xbf\xbd\xef\xbf\xbd" "d\"");
    assert_string("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string("\xe0\x9f\x80", 3,
                  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string("\xed\xa0\x80", 3,
                  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string("\xf4\x90\x80\x80", 4,
                  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string("\xf5\xff", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string("\xe2\x82", 2, "\"\xef\xbf\xbd\"");
}


/* all pairs and many quadruples of bytes: valid JSON, its length, its text */

static void
test_random_strings(void **state)
{
    u_char     bytes[8], text[64];
    size_t     i, n, len, valid;
    json_t    *got, *want;

    valid = 0;

    for (i = 0; i < 65536 + 200000; i++) {

        if (i < 65536) {
            n = 2;
            bytes[0] = (u_char) (i >> 8);
            bytes[1] = (u_char) i;

        } else {
            n = rnd() % 9;
            for (len = 0; len < n; len++) {
                bytes[len] = (u_char) (rnd() % 4 ? 0x80 | rnd() : rnd());
            }
        }

        len = clipper_json_string(text, bytes, n) - text;

        if (len != clipper_json_string_len(bytes, n)) {
            fail_msg("another length, case %zu", i);
        }

        got = json_loadb((char *) text, len, FLAGS, NULL);
        if (!json_is_string(got)) {
            fail_msg("not JSON, case %zu", i);
        }

        want = json_stringn((char *) bytes, n);

        if (want) {
            valid++;

            if (!json_equal(got, want)) {
                fail_msg("another string, case %zu", i);
            }

        } else if (strstr(json_string_value(got), "\xef\xbf\xbd") == NULL
                   && memchr(bytes, 0, n) == NULL)
        {
            fail_msg("invalid bytes were lost, case %zu", i);
        }

        json_decref(want);
        json_decref(got);
    }

    assert_in_range(valid, 10000, 265000);
}


static void
test_u64(void **state)
{
    size_t    i, n;
    char      want[32];
    u_char    buf[CLIPPER_JSON_U64_LEN];
    uint64_t  v;

    for (i = 0; i < 100000; i++) {
        v = i < 3 ? i : i == 3 ? UINT64_MAX : rnd() >> (rnd() % 64);

        n = sprintf(want, "%llu", (unsigned long long) v);

        assert_int_equal(clipper_json_u64(buf, v) - buf, n);
        assert_memory_equal(buf, want, n);
    }
}


static void
assert_double(double d, const char *want)
{
    u_char  buf[CLIPPER_JSON_DOUBLE_LEN];
    size_t  n;

    n = clipper_json_double(buf, d) - buf;

    if (n != strlen(want) || memcmp(buf, want, n) != 0) {
        fail_msg("%a became %.*s, not %s", d, (int) n, buf, want);
    }
}


static void
test_doubles(void **state)
{
    assert_double(0, "0.0");
    assert_double(-0.0, "-0.0");
    assert_double(1, "1.0");
    assert_double(-10, "-10.0");
    assert_double(0.1, "0.1");
    assert_double(100.25, "100.25");
    assert_double(6.6000000000000005, "6.6000000000000005");
    assert_double(1234567890123456, "1234567890123456.0");
    assert_double(9999999999999998, "9999999999999998.0");
    assert_double(1e16, "1e+16");
    assert_double(1.5e300, "1.5e+300");
    assert_double(0.0001, "0.0001");
    assert_double(0.00012345, "0.00012345");
    assert_double(0.00001, "1e-05");
    assert_double(-1.7976931348623157e308, "-1.7976931348623157e+308");
    assert_double(5e-324, "5e-324");
    assert_double(-2.2250738585072011e-308, "-2.225073858507201e-308");
    assert_double(NAN, "null");
    assert_double(INFINITY, "null");
    assert_double(-INFINITY, "null");
}


/* reads back, is JSON with a point or an exponent, and one digit less is not */

static void
test_digits(void **state)
{
    assert_int_equal(clipper_json_digits(0), 1);
    assert_int_equal(clipper_json_digits(-2.5), 2);
    assert_int_equal(clipper_json_digits(1e300), 1);
    assert_int_equal(clipper_json_digits(5e-324), 1);
    assert_int_equal(clipper_json_digits(123456789012345.0), 15);
    assert_int_equal(clipper_json_digits(1 / 3.0), 16);
    assert_int_equal(clipper_json_digits(6.6000000000000005), 17);
}


static void
test_random_doubles(void **state)
{
    char       shorter[64];
    u_char     buf[CLIPPER_JSON_DOUBLE_LEN + 1];
    double     d;
    size_t     i, k, n, digits;
    uint64_t   bits;
    ngx_str_t  value;

    for (i = 0; i < 100000; i++) {
        bits = rnd();

        if (i % 3 == 0) {
            d = (double) (int64_t) bits / 1e15;

        } else if (i % 3 == 1) {
            d = (double) (int64_t) (bits % 2000000) / 1000 - 1000;

        } else {
            memcpy(&d, &bits, sizeof(double));
        }

        if (!isfinite(d)) {
            continue;
        }

        n = clipper_json_double(buf, d) - buf;
        assert_in_range(n, 3, CLIPPER_JSON_DOUBLE_LEN);
        buf[n] = '\0';

        if (strtod((char *) buf, NULL) != d
            || strpbrk((char *) buf, ".e") == NULL
            || clipper_json_value(buf, n, 0, &value) != NGX_OK)
        {
            fail_msg("%a became %s", d, buf);
        }

        digits = strspn((char *) buf, "-0.");
        for (k = digits, digits = 0; k < n && buf[k] != 'e'; k++) {
            digits += (buf[k] != '.');
        }

        if (digits > 17) {
            fail_msg("%s", buf);
        }

        if (digits > 1 && n > 2 && memcmp(buf + n - 2, ".0", 2) != 0) {
            sprintf(shorter, "%.*e", (int) digits - 2, d);

            if (strtod(shorter, NULL) == d) {
                fail_msg("%s is longer than %s", buf, shorter);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_output_rule),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_random_strings),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_random_doubles)
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

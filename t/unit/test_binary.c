
/*
 * Catches: a typed body that is cut into other inputs than its length says, a
 * .npy file whose numbers become other numbers, a header that is trusted
 * further than its bytes go.
 */

#include "input_fixture.h"
#include "json/clipper_input_binary.h"
#include "json/clipper_npy.h"

#include <math.h>


#define RAW   CLIPPER_INPUT_BINARY_RAW
#define NPY   CLIPPER_INPUT_BINARY_NPY
#define NONE  CLIPPER_INPUT_NONE


static u_char  file[8192];


/* in two pieces, each ending where its memory ends */

static ngx_uint_t
read_body(ngx_uint_t form, ngx_uint_t type, ngx_uint_t batch, const void *body,
    size_t len)
{
    ngx_int_t          rc;
    clipper_segment_t  s[2];

    conf.type = type;

    s[0].pos = malloc(len / 3 + 1);
    s[0].last = s[0].pos + len / 3;
    memcpy(s[0].pos, body, len / 3);
    s[1].pos = malloc(len - len / 3 + 1);
    s[1].last = s[1].pos + (len - len / 3);
    memcpy(s[1].pos, (const u_char *) body + len / 3, len - len / 3);

    rc = clipper_input_binary_read(&in, &conf, form, batch, s, 2);

    free(s[0].pos);
    free(s[1].pos);

    assert_int_equal(rc, in.error.code == OK ? NGX_OK : NGX_ERROR);

    return in.error.code;
}


static void
assert_wrong(const char *text)
{
    u_char  cause[CLIPPER_INPUT_CAUSE];

    assert_int_equal(in.error.code, SCHEMA);
    assert_int_equal(in.error.what, CLIPPER_INPUT_BODY);
    assert_int_equal(in.nitems, 0);

    *clipper_input_error_cause(&in.error, in.mode, cause) = '\0';

    if (strncmp((char *) cause, text, strlen(text)) != 0) {
        fail_msg("%s, not %s", cause, text);
    }
}


/* a file of NumPy with this header */

static ngx_uint_t
npy(ngx_uint_t type, ngx_uint_t batch, const char *header, const void *data,
    size_t len)
{
    size_t  n;

    n = strlen(header);
    memcpy(file, "\x93NUMPY\x01\0", 8);
    file[8] = (u_char) n;
    file[9] = (u_char) (n >> 8);
    memcpy(file + 10, header, n);

    if (len) {
        memcpy(file + 10 + n, data, len);
    }

    return read_body(NPY, type, batch, file, 10 + n + len);
}


static void
test_raw(void **state)
{
    double  d[6] = { 1, 2, 3, 4, 5, NAN };

    assert_int_equal(read_body(RAW, DOUBLES, NONE, d, sizeof(d)), OK);
    assert_int_equal(in.nitems, 1);
    assert_false(in.batch);
    assert_int_equal(in.items[0].len, sizeof(d));
    assert_memory_equal(in.data, d, sizeof(d));

    assert_int_equal(read_body(RAW, DOUBLES, 3, d, sizeof(d)), OK);
    assert_int_equal(in.nitems, 3);
    assert_true(in.batch);
    assert_int_equal(in.items[2].offset, 32);
    assert_int_equal(in.items[2].len, 16);

    assert_int_equal(read_body(RAW, DOUBLES, 1, d, sizeof(d)), OK);
    assert_true(in.batch && in.nitems == 1);

    read_body(RAW, DOUBLES, 4, d, sizeof(d));
    assert_wrong("The body does not divide into inputs of equal length");
    read_body(RAW, DOUBLES, 0, d, sizeof(d));
    assert_wrong("The body does not divide into inputs of equal length");
    read_body(RAW, DOUBLES, NONE, d, 12);
    assert_wrong("The body ends within an element (offset 12)");
    assert_int_equal(read_body(RAW, FLOATS, NONE, d, 12), OK);
    read_body(RAW, INTS, NONE, d, 11);
    assert_wrong("The body ends within an element");

    assert_int_equal(read_body(RAW, DOUBLES, NONE, d, 0), OK);
    assert_true(in.nitems == 1 && in.items[0].len == 0);
    assert_int_equal(read_body(RAW, DOUBLES, 0, d, 0), OK);
    assert_true(in.nitems == 0 && in.batch);
    assert_int_equal(read_body(RAW, BYTES, 2, "\0\xff\x80z", 4), OK);
    assert_memory_equal(in.data, "\0\xff\x80z", 4);

    assert_int_equal(read_body(RAW, STRINGS, NONE, "\xc3\xa9t\xc3\xa9", 5), OK);
    assert_int_equal(in.items[0].len, 5);
    read_body(RAW, STRINGS, NONE, "t\xc3", 2);
    assert_wrong("The body is not UTF-8 (offset 1)");
    read_body(RAW, STRINGS, 2, "ab", 2);
    assert_wrong("A batch of strings must be sent as JSON");

    conf.max_elements = 5;
    assert_int_equal(read_body(RAW, DOUBLES, NONE, d, sizeof(d)), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_ELEMENTS);
    assert_int_equal(in.error.number, 5);
    assert_int_equal(read_body(RAW, DOUBLES, 2, d, sizeof(d)), OK);
    conf.max_batch = 2;
    assert_int_equal(read_body(RAW, DOUBLES, 3, d, sizeof(d)), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_BATCH);
    assert_int_equal(read_body(RAW, BYTES, (ngx_uint_t) 1 << 40, d, 0), LIMIT);
}


#define HEAD(descr, shape)                                                    \
    "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }   \n"


/* each kind of number, as JSON would have it */

static void
test_conversions(void **state)
{
    float   f[4];
    double  d[4];

    static const float  wide[2] = { 0.1f, 3e38f };
    static const double  big[2] = { 0.1, 1e39 };
    static const int64_t  longs[2] = { -7, 2147483647 };
    static const int64_t  beyond[2] = { 5, 2147483648 };

    assert_int_equal(npy(DOUBLES, NONE, HEAD("<f4", "(2,)"), wide, 8), OK);
    memcpy(d, in.data, 16);
    assert_true(d[0] == (double) 0.1f && d[1] == (double) 3e38f);

    assert_int_equal(npy(DOUBLES, NONE, HEAD(">f8", "(1,)"),
                         "\x3f\xf8\0\0\0\0\0\0", 8), OK);
    memcpy(d, in.data, 8);
    assert_true(d[0] == 1.5);

    assert_int_equal(npy(FLOATS, NONE, HEAD("<f8", "(1,)"), big, 8), OK);
    memcpy(f, in.data, 4);
    assert_true(f[0] == 0.1f);
    npy(FLOATS, NONE, HEAD("<f8", "(2,)"), big, 16);
    assert_wrong("An element of the .npy file is too large");

    /* halves: 1.5, the smallest one, infinity, NaN */

    assert_int_equal(npy(FLOATS, NONE, HEAD("<f2", "(4,)"),
                         "\0\x3e\x01\0\0\xfc\x01\x7e", 8), OK);
    memcpy(f, in.data, 16);
    assert_true(f[0] == 1.5f && f[1] == ldexpf(1, -24) && f[2] == -INFINITY
                && isnan(f[3]));

    assert_int_equal(npy(INTS, NONE, HEAD("<i8", "(2,)"), longs, 16), OK);
    assert_memory_equal(in.data, "\xf9\xff\xff\xff\xff\xff\xff\x7f", 8);
    npy(INTS, NONE, HEAD("<i8", "(2,)"), beyond, 16);
    assert_wrong("An element of the .npy file is too large");
    assert_int_equal(in.error.offset, 10 + strlen(HEAD("<i8", "(2,)")) + 8);
    npy(INTS, NONE, HEAD("<u8", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff",
        8);
    assert_wrong("An element of the .npy file is too large");
    assert_int_equal(npy(DOUBLES, NONE, HEAD("<u8", "(1,)"),
                         "\xff\xff\xff\xff\xff\xff\xff\xff", 8), OK);
    memcpy(d, in.data, 8);
    assert_true(d[0] == 18446744073709551616.0);
    assert_int_equal(npy(INTS, NONE, HEAD(">i2", "(2,)"), "\xff\xfe\0\x07", 4),
                     OK);
    assert_memory_equal(in.data, "\xfe\xff\xff\xff\x07\0\0\0", 8);
    assert_int_equal(npy(INTS, NONE, HEAD("|b1", "(2,)"), "\0\x01", 2), OK);
    assert_memory_equal(in.data, "\0\0\0\0\x01\0\0\0", 8);
    npy(INTS, NONE, HEAD("<f8", "(1,)"), longs, 8);
    assert_wrong("The elements of the .npy file are not of the application's");

    assert_int_equal(npy(BYTES, NONE, HEAD("|u1", "(2,)"), "\xff\x01", 2), OK);
    assert_memory_equal(in.data, "\xff\x01", 2);
    npy(BYTES, NONE, HEAD("<i4", "(2,)"), longs, 8);
    assert_wrong("The elements of the .npy file are not of the application's");
    npy(STRINGS, NONE, HEAD("|u1", "(2,)"), "ab", 2);
    assert_wrong("The elements of the .npy file are not of the application's");
}


static void
test_shapes(void **state)
{
    float  f[12] = { 0 };

    assert_int_equal(npy(FLOATS, NONE, HEAD("<f4", "(3, 2, 2)"), f, 48), OK);
    assert_true(in.nitems == 1 && in.items[0].len == 48);
    assert_int_equal(npy(FLOATS, 3, HEAD("<f4", "(3, 2, 2)"), f, 48), OK);
    assert_true(in.nitems == 3 && in.items[1].offset == 16);
    npy(FLOATS, 2, HEAD("<f4", "(3, 2, 2)"), f, 48);
    assert_wrong("\"batch\" is not the first dimension");
    assert_int_equal(npy(FLOATS, NONE, HEAD("<f4", "()"), f, 4), OK);
    assert_int_equal(in.items[0].len, 4);
    npy(FLOATS, 1, HEAD("<f4", "()"), f, 4);
    assert_wrong("\"batch\" is not the first dimension");
    assert_int_equal(npy(FLOATS, 0, HEAD("<f4", "(0, 5)"), f, 0), OK);
    assert_int_equal(in.nitems, 0);
    assert_int_equal(npy(FLOATS, 4, HEAD("<f4", "(4, 0)"), f, 0), OK);
    assert_true(in.nitems == 4 && in.items[3].len == 0);

    npy(FLOATS, NONE, HEAD("<f4", "(3,)"), f, 11);
    assert_wrong("The .npy file is cut off");
    npy(FLOATS, NONE, HEAD("<f4", "(3,)"), f, 13);
    assert_wrong("The body goes on after the .npy file");
    npy(FLOATS, NONE, HEAD("<f4", "(9999999999999999999999,)"), f, 4);
    assert_wrong("The shape of the .npy file is too large");
    npy(FLOATS, NONE, HEAD("<f4", "(4294967296, 4294967296)"), f, 4);
    assert_wrong("The shape of the .npy file is too large");
    npy(FLOATS, NONE, HEAD("<f4", "(4294967296, 4294967296, 0)"), f, 0);
    assert_wrong("The shape of the .npy file is too large");
}


/* NumPy's own ways to write a header, and what is not a header */

static void
test_headers(void **state)
{
    size_t             i, n;
    static const char  good[] =
        "{\"shape\":(1,),\"descr\":\"<f4\",\"fortran_order\":False}\n";
    static const char *bad[] = {
        "", "{", "{}", "{'descr': '<f4'}", "(1,)", "{'descr' '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f3', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}"
    };

    assert_int_equal(npy(FLOATS, NONE, good, "\0\0\x80?", 4), OK);

    /* versions 2 and 3 have a longer length */

    for (i = 2; i <= 3; i++) {
        n = strlen(good);
        memcpy(file, "\x93NUMPY\x02\0", 8);
        file[6] = (u_char) i;
        memcpy(file + 8, &(uint32_t) { n }, 4);
        memcpy(file + 12, good, n);
        memcpy(file + 12 + n, "\0\0\x80?", 4);
        assert_int_equal(read_body(NPY, FLOATS, NONE, file, 16 + n), OK);
        assert_memory_equal(in.data, "\0\0\x80?", 4);
        file[11] = 0x7f;
        read_body(NPY, FLOATS, NONE, file, 16 + n);
        assert_wrong("The .npy header is too long");
    }

    file[6] = 4;
    read_body(NPY, FLOATS, NONE, file, 100);
    assert_wrong("The .npy file has an unknown version");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (npy(FLOATS, NONE, bad[i], "\0\0\x80?", 4) != SCHEMA) {
            fail_msg("%s", bad[i]);
        }

        assert_int_equal(in.error.what, CLIPPER_INPUT_BODY);
        assert_in_range(in.error.offset, 0, 10 + strlen(bad[i]) + 4);
    }

    /* cut off anywhere */

    npy(FLOATS, NONE, good, "\0\0\x80?", 4);
    n = 10 + strlen(good) + 4;

    for (i = 0; i < n; i++) {
        assert_int_equal(read_body(NPY, FLOATS, NONE, file, i), SCHEMA);
        assert_in_range(in.error.offset, 0, n);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conversions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown)
    };

    return cmocka_run_group_tests_name("binary", tests, NULL, NULL);
}

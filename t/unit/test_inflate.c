
/*
 * Catches: a body that unpacks to other bytes when it comes in other pieces, a
 * bomb that is unpacked beyond its bound, a damaged body that is taken, memory
 * that is not kept or not freed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clipper_inflate.h"


#define GZIP     CLIPPER_INFLATE_GZIP
#define DEFLATE  CLIPPER_INFLATE_DEFLATE

#define PIECES   16


static clipper_inflate_t  z;
static clipper_scratch_t  out;
static u_char             packed[1 << 20];
static size_t             packed_len;


static int
setup(void **state)
{
    memset(&z, 0, sizeof(z));
    memset(&out, 0, sizeof(out));
    packed_len = 0;

    return 0;
}


static int
teardown(void **state)
{
    clipper_inflate_done(&z);
    clipper_scratch_trim(&out, 0);

    return 0;
}


/* appends what zlib makes of it; bits as of deflateInit2() */

static void
pack(const void *data, size_t len, int bits)
{
    z_stream  s;

    memset(&s, 0, sizeof(s));
    assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, bits, 8,
                                  Z_DEFAULT_STRATEGY), Z_OK);

    s.next_in = (void *) data;
    s.avail_in = len;
    s.next_out = packed + packed_len;
    s.avail_out = sizeof(packed) - packed_len;

    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);

    packed_len = s.next_out - packed;
    deflateEnd(&s);
}


/* in n pieces, each in its own memory, so that the sanitizer sees its end */

static ngx_int_t
unpack(ngx_uint_t coding, ngx_uint_t n, size_t limit, size_t *offset)
{
    size_t             from, to;
    ngx_int_t          rc;
    ngx_uint_t         i;
    clipper_segment_t  segments[PIECES] = { { NULL, NULL } };

    for (i = 0, from = 0; i < n; i++, from = to) {
        to = packed_len * (i + 1) / n;

        segments[i].pos = malloc(to - from ? to - from : 1);
        segments[i].last = segments[i].pos + (to - from);
        memcpy(segments[i].pos, packed + from, to - from);
    }

    out.len = 0;
    rc = clipper_inflate(&z, coding, segments, n, limit, &out, offset);

    for (i = 0; i < n; i++) {
        free(segments[i].pos);
    }

    return rc;
}


static void
test_codings_in_pieces(void **state)
{
    char        text[5000];
    size_t      i, offset;
    ngx_uint_t  n, k;

    static const struct {
        int         bits;
        ngx_uint_t  coding;
    } forms[] = {
        { 15 + 16, GZIP }, { 15, DEFLATE }, { -15, DEFLATE }, { 9, DEFLATE }
    };

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) (i * i / 7);
    }

    for (k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
        packed_len = 0;
        pack(text, sizeof(text), forms[k].bits);

        for (n = 1; n <= PIECES; n++) {
            assert_int_equal(unpack(forms[k].coding, n, 100000, &offset),
                             NGX_OK);
            assert_int_equal(out.len, sizeof(text));
            assert_memory_equal(out.start, text, sizeof(text));
            assert_int_equal(offset, packed_len);
        }
    }

    /* members one after the other, also empty ones */

    packed_len = 0;
    pack(text, 100, 15 + 16);
    pack(text, 0, 15 + 16);
    pack(text + 100, 400, 15 + 16);

    for (n = 1; n <= PIECES; n++) {
        assert_int_equal(unpack(GZIP, n, 500, &offset), NGX_OK);
        assert_int_equal(out.len, 500);
        assert_memory_equal(out.start, text, 500);
    }

    packed_len = 0;
    pack(text, 0, 15 + 16);
    assert_int_equal(unpack(GZIP, 1, 1, &offset), NGX_OK);
    assert_int_equal(out.len, 0);
}


/* not a byte beyond the limit, and not one less */

static void
test_limit(void **state)
{
    char    *zeros;
    size_t   offset, n;

    n = 50 * 1024 * 1024;
    zeros = calloc(1, n);
    pack(zeros, n, 15 + 16);
    free(zeros);

    assert_true(packed_len < 60000);

    assert_int_equal(unpack(GZIP, 3, 100000, &offset), NGX_ABORT);
    assert_int_equal(out.len, 100000);
    assert_true(out.size <= 200000);
    assert_true(offset < packed_len);

    packed_len = 0;
    pack("0123456789", 10, 15 + 16);
    assert_int_equal(unpack(GZIP, 2, 9, &offset), NGX_ABORT);
    assert_int_equal(unpack(GZIP, 2, 10, &offset), NGX_OK);
    assert_int_equal(unpack(GZIP, 2, 0, &offset), NGX_ABORT);

    /* many members count together */

    packed_len = 0;
    pack("0123456789", 10, 15 + 16);
    pack("0123456789", 10, 15 + 16);
    assert_int_equal(unpack(GZIP, 2, 19, &offset), NGX_ABORT);
    assert_int_equal(unpack(GZIP, 2, 20, &offset), NGX_OK);

    /* the cap of the buffer is another error */

    clipper_scratch_trim(&out, 0);
    out.cap = 15;
    assert_int_equal(unpack(GZIP, 2, 100, &offset), NGX_ERROR);
}


static void
test_damaged(void **state)
{
    size_t      i, whole, offset;
    u_char      was;
    ngx_int_t   rc;
    ngx_uint_t  coding;
    static const char  text[] = "{\"input\":[1.5,2.5,3.5,1.5,2.5]}";

    for (coding = GZIP; coding <= DEFLATE; coding++) {
        packed_len = 0;
        pack(text, sizeof(text), coding == GZIP ? 31 : 15);
        whole = packed_len;

        /* cut off anywhere */

        for (packed_len = 0; packed_len < whole; packed_len++) {
            assert_int_equal(unpack(coding, 1, 1000, &offset), NGX_DECLINED);
            assert_true(offset <= packed_len);
        }

        /* a wrong bit: an error, or in the header other flags */

        for (i = 0; i < 8 * whole; i++) {
            was = packed[i / 8];
            packed[i / 8] ^= (u_char) (1 << i % 8);

            rc = unpack(coding, 2, 1000, &offset);

            if (rc == NGX_OK) {
                assert_true(coding == GZIP && i / 8 < 10);
                assert_memory_equal(out.start, text, sizeof(text));
            }

            packed[i / 8] = was;
        }

        /* bytes behind the end */

        packed[packed_len++] = 'x';
        assert_int_equal(unpack(coding, 1, 1000, &offset), NGX_DECLINED);
    }

    packed_len = 5;
    memcpy(packed, "[1.5]", 5);
    assert_int_equal(unpack(GZIP, 1, 1000, &offset), NGX_DECLINED);
    assert_int_equal(unpack(DEFLATE, 1, 1000, &offset), NGX_DECLINED);

    /* as good as new */

    packed_len = 0;
    pack(text, sizeof(text), 31);
    assert_int_equal(unpack(GZIP, 1, 1000, &offset), NGX_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_codings_in_pieces, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown)
    };

    return cmocka_run_group_tests_name("inflate", tests, NULL, NULL);
}

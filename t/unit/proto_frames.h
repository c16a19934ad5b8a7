
/*
 * Messages in the notation of the documentation, for the tests of the codec.
 * Each frame is a heap block of its own, so that a sanitizer sees reads beyond
 * it; an empty frame has no address.
 */

#ifndef _PROTO_FRAMES_H_INCLUDED_
#define _PROTO_FRAMES_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/clipper_proto.h"


#define MAX_FRAMES  16
#define V3          CLIPPER_PROTO_V3
#define V4          CLIPPER_PROTO_V4
#define UNKNOWN     CLIPPER_PROTO_UNKNOWN
#define ANY         CLIPPER_PROTO_ANY_COUNT

#define E(name)     CLIPPER_PROTO_E##name
#define KIND(name)  CLIPPER_PROTO_##name


typedef clipper_proto_frame_t    frame_t;
typedef clipper_proto_message_t  message_t;


static frame_t     frames[MAX_FRAMES];
static ngx_uint_t  nframes;
static message_t   m;


static int
hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}


static void
drop_frames(void)
{
    while (nframes) {
        free((void *) frames[--nframes].data);
    }
}


static int
teardown(void **state)
{
    drop_frames();
    return 0;
}


/*
 * Frames as the documentation writes them: "| 03 00 | 31" has two.  A quoted
 * text is taken as it is.
 */

static void
set_frames(const char *text)
{
    u_char   buf[4096], *p;
    size_t   n;

    drop_frames();

    while (*text) {
        assert_int_equal(*text, '|');
        text++;
        n = 0;

        while (*text && *text != '|') {
            if (*text == ' ') {
                text++;

            } else if (*text == '"') {
                for (text++; *text != '"'; text++) {
                    buf[n++] = (u_char) *text;
                }
                text++;

            } else {
                buf[n++] = (u_char) (hex_digit(text[0]) * 16
                                     + hex_digit(text[1]));
                text += 2;
            }
        }

        assert_true(nframes < MAX_FRAMES);

        /* an empty frame may come without an address */
        p = n ? malloc(n) : NULL;
        if (n) {
            memcpy(p, buf, n);
        }

        frames[nframes].data = p;
        frames[nframes++].len = n;
    }
}


static ngx_int_t
decode(const char *text, ngx_uint_t version, ngx_uint_t expected)
{
    set_frames(text);
    return clipper_proto_decode(&m, frames, nframes, version, expected);
}


static void
assert_end(void)
{
    clipper_proto_output_t  out;

    assert_int_equal(clipper_proto_output_next(&m, &out), NGX_DONE);
    assert_int_equal(clipper_proto_output_next(&m, &out), NGX_DONE);
}


#define test(name)  cmocka_unit_test_teardown(name, teardown)


#endif /* _PROTO_FRAMES_H_INCLUDED_ */

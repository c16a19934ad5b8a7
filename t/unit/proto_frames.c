
#include "proto_frames.h"


frame_t     proto_frames[MAX_FRAMES];
ngx_uint_t  proto_nframes;


static int
hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}


static void
drop(void)
{
    while (proto_nframes) {
        free((void *) proto_frames[--proto_nframes].data);
    }
}


int
proto_frames_teardown(void **state)
{
    drop();
    return 0;
}


void
proto_frames_set(const char *text)
{
    u_char   buf[4096], *p;
    size_t   n;

    drop();

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

        assert_true(proto_nframes < MAX_FRAMES);

        /* an empty frame may have no address */
        p = n ? malloc(n) : NULL;
        if (n) {
            memcpy(p, buf, n);
        }

        proto_frames[proto_nframes].data = p;
        proto_frames[proto_nframes++].len = n;
    }
}


ngx_int_t
proto_frames_decode(message_t *m, const char *text, ngx_uint_t version,
    ngx_uint_t expected)
{
    proto_frames_set(text);
    return clipper_proto_decode(m, proto_frames, proto_nframes, version,
                                expected);
}


void
proto_frames_assert_end(message_t *m)
{
    clipper_proto_output_t  out;

    assert_int_equal(clipper_proto_output_next(m, &out), NGX_DONE);
    assert_int_equal(clipper_proto_output_next(m, &out), NGX_DONE);
}

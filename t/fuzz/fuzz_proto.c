
/*
 * Any frames through the decoder, as any peer: nothing is read beyond a frame,
 * an accepted reply can be walked to its end and covers its frames exactly,
 * accepted metadata respect the limits, and a refusal has a cause.
 *
 * Input: a byte with the version, one with the expected count, then frames: two
 * bytes of length (cut to what is left; an empty frame has no address) and the
 * bytes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clipper_name.h"
#include "json/clipper_input_type.h"
#include "proto/clipper_proto.h"


#define MAX_FRAMES  64

#define check(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static volatile u_char  sink;


static void
touch(const u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        sink ^= p[i];
    }
}


static ngx_uint_t
split(clipper_proto_frame_t *frames, const uint8_t *data, size_t size)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  n;

    for (n = 0; n < MAX_FRAMES && size >= 2; n++) {
        len = data[0] | (size_t) data[1] << 8;
        data += 2;
        size -= 2;
        len = ngx_min(len, size);

        /* in a separate block: the sanitizer sees a read beyond its end */
        p = len ? malloc(len) : NULL;
        check(p != NULL || len == 0);

        if (len) {
            memcpy(p, data, len);
        }

        frames[n].data = p;
        frames[n].len = len;
        data += len;
        size -= len;
    }

    return n;
}


static void
check_metadata(const clipper_proto_message_t *m)
{
    const clipper_proto_metadata_t  *md;

    md = &m->metadata;

    check(m->rpc_version == 3 || m->rpc_version == 4);
    check(md->input_type < CLIPPER_INPUT_TYPES);
    check(md->name.len > 0 && md->name.len <= CLIPPER_NAME_MAX);
    check(md->version.len > 0
          && md->version.len <= CLIPPER_NAME_MAX);
    check(m->rpc_version == 3
          || (clipper_name(&md->name) == NGX_OK
              && clipper_name(&md->version) == NGX_OK));
    check(memchr(md->name.data, 0, md->name.len) == NULL);
    check(memchr(md->version.data, 0, md->version.len) == NULL);
    check(md->token.len == (m->rpc_version == 4 ? 16 : 0));
    check(md->digest.len <= CLIPPER_PROTO_DIGEST);

    touch(md->name.data, md->name.len);
    touch(md->version.data, md->version.len);
    touch(md->token.data, md->token.len);
    touch(md->digest.data, md->digest.len);
}


static void
check_reply(clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version)
{
    size_t                  total;
    ngx_uint_t              i, count;
    clipper_proto_output_t  out;

    check(m->has_id);

    total = 0;

    for (count = 0;
         clipper_proto_output_next(m, &out) == NGX_OK;
         count++)
    {
        touch(out.data, out.len);
        total += out.len;
        check(out.status <= CLIPPER_PROTO_SKIPPED);
    }

    check(count == m->count);

    for (i = (version == 3) ? 5 : 3; i < n; i++) {
        total -= frames[i].len;
    }

    check(total == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t                rc;
    ngx_uint_t               n, version, expected;
    clipper_proto_frame_t    frames[MAX_FRAMES];
    clipper_proto_output_t   out;
    clipper_proto_message_t  m;

    static const ngx_uint_t  versions[] = {
        CLIPPER_PROTO_UNKNOWN,
        CLIPPER_PROTO_V3,
        CLIPPER_PROTO_V4
    };

    if (size < 2) {
        return 0;
    }

    version = versions[data[0] % 3];
    expected = (data[1] == 255) ? CLIPPER_PROTO_ANY_COUNT : data[1];

    n = split(frames, data + 2, size - 2);
    rc = clipper_proto_decode(&m, frames, n, version, expected);

    if (rc == NGX_OK) {
        check(m.error == CLIPPER_PROTO_EOK);

        if (m.kind == CLIPPER_PROTO_METADATA) {
            check_metadata(&m);

        } else if (m.kind == CLIPPER_PROTO_REPLY) {
            check(expected == CLIPPER_PROTO_ANY_COUNT
                  || expected == m.count);
            check_reply(&m, frames, n, version);
        }

    } else {
        check(rc == NGX_DECLINED);
        check(m.error > CLIPPER_PROTO_EOK);
        check(m.error < CLIPPER_PROTO_EUNREGISTERED
              || (m.error == CLIPPER_PROTO_EUNREGISTERED
                  && version == CLIPPER_PROTO_UNKNOWN));
        check(clipper_proto_output_next(&m, &out) == NGX_DONE);
        touch(clipper_proto_error_name(m.error)->data, 1);
    }

    while (n) {
        free((void *) frames[--n].data);
    }

    return 0;
}

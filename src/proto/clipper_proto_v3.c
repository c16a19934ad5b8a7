
/*
 * Clipper: version 3 of the container RPC, the original's: each input and each
 * output is a frame of its own.
 *
 *     request  "" | version | type | id | request type | size of the header
 *              | header: u64 input type, u64 n, n * u64 length | n inputs
 *     reply    "" | type | id | size of the header
 *              | header: u64 n, n * u64 length | n outputs
 */

#include "proto/clipper_proto_codec.h"
#include "base/clipper_wire.h"


static size_t
clipper_proto_v3_header_size(ngx_uint_t n)
{
    return 8 * (n + 2);
}


static void
clipper_proto_v3_head(clipper_proto_head_t *head,
    const clipper_proto_request_t *r)
{
    u_char      *p;
    ngx_uint_t   i;

    p = head->buf;

    clipper_wire_put32(p, CLIPPER_PROTO_V3);
    clipper_wire_put32(p + 4, CLIPPER_PROTO_CONTENT);
    clipper_wire_put32(p + 8, r->message_id);
    clipper_wire_put32(p + 12, r->kind);
    clipper_wire_put64(p + 16,
                       clipper_proto_v3_header_size(r->count));

    head->frames[0].data = p;
    head->frames[0].len = 0;

    for (i = 1; i < 5; i++) {
        head->frames[i].data = p + (i - 1) * 4;
        head->frames[i].len = 4;
    }

    head->frames[5].data = p + 16;
    head->frames[5].len = 8;

    head->nframes = 6;
}


static void
clipper_proto_v3_header(u_char *header, const clipper_proto_request_t *r)
{
    clipper_wire_put64(header, r->input_type);
    clipper_wire_put64(header + 8, r->count);
}


/* the time left is not part of version 3 */

static void
clipper_proto_v3_input(u_char *header, ngx_uint_t n, ngx_uint_t i,
    uint64_t len, uint64_t left_us)
{
    clipper_wire_put64(header + 16 + i * 8, len);
}


static clipper_proto_error_e
clipper_proto_v3_reply(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n)
{
    size_t         size;
    ngx_uint_t     i, count;
    const u_char  *header;

    if (n < 3) {
        return CLIPPER_PROTO_ESHORT;
    }

    if (frames[2].len != 4) {
        return CLIPPER_PROTO_EID;
    }

    m->message_id = clipper_wire_get32(frames[2].data);
    m->has_id = 1;

    if (n < 5) {
        return CLIPPER_PROTO_ESHORT;
    }

    header = frames[4].data;
    size = frames[4].len;

    if (frames[3].len != 8
        || clipper_wire_get64(frames[3].data) != size
        || size < 8
        || size % 8)
    {
        return CLIPPER_PROTO_EHEADER;
    }

    count = size / 8 - 1;

    if (clipper_wire_get64(header) != count) {
        return CLIPPER_PROTO_EHEADER;
    }

    if (n - 5 != count) {
        return CLIPPER_PROTO_EFRAMES;
    }

    for (i = 0; i < count; i++) {
        if (clipper_wire_get64(header + 8 + i * 8)
            != frames[5 + i].len)
        {
            return CLIPPER_PROTO_ELENGTH;
        }
    }

    m->count = count;
    m->outputs = frames + 5;

    return CLIPPER_PROTO_EOK;
}


const clipper_proto_codec_t  clipper_proto_v3_codec = {
    CLIPPER_PROTO_V3,
    0,
    0,
    clipper_proto_v3_header_size,
    clipper_proto_v3_head,
    clipper_proto_v3_header,
    clipper_proto_v3_input,
    clipper_proto_v3_reply
};

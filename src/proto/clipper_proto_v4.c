
/*
 * Clipper: version 4 of the container RPC: all inputs in one frame, all outputs
 * in one frame, the time left of each input, a status of each output.
 *
 *     request  "" | version | type
 *              | header: u32 id, u32 request type, u32 input type, u32 n,
 *                        n * u64 length, n * u64 time left | inputs
 *     reply    "" | type
 *              | header: u32 id, u32 n, n * u64 length, n * u32 status
 *              | outputs
 */

#include "proto/clipper_proto_codec.h"
#include "base/clipper_wire.h"


static size_t
clipper_proto_v4_header_size(ngx_uint_t n)
{
    return 16 + 16 * n;
}


static void
clipper_proto_v4_head(clipper_proto_head_t *head,
    const clipper_proto_request_t *r)
{
    u_char  *p;

    p = head->buf;

    clipper_wire_put32(p, CLIPPER_PROTO_V4);
    clipper_wire_put32(p + 4, CLIPPER_PROTO_CONTENT);

    head->frames[0].data = p;
    head->frames[0].len = 0;
    head->frames[1].data = p;
    head->frames[1].len = 4;
    head->frames[2].data = p + 4;
    head->frames[2].len = 4;

    head->nframes = 3;
}


static void
clipper_proto_v4_header(u_char *header, const clipper_proto_request_t *r)
{
    clipper_wire_put32(header, r->message_id);
    clipper_wire_put32(header + 4, r->kind);
    clipper_wire_put32(header + 8, (uint32_t) r->input_type);
    clipper_wire_put32(header + 12, (uint32_t) r->count);
}


static void
clipper_proto_v4_input(u_char *header, ngx_uint_t n, ngx_uint_t i,
    uint64_t len, uint64_t left_us)
{
    clipper_wire_put64(header + 16 + i * 8, len);
    clipper_wire_put64(header + 16 + (n + i) * 8, left_us);
}


/* each output is inside the data frame, and they fill it */

static clipper_proto_error_e
clipper_proto_v4_check(const u_char *lengths, const u_char *statuses,
    ngx_uint_t count, size_t left)
{
    uint64_t    len;
    uint32_t    status;
    ngx_uint_t  i;

    for (i = 0; i < count; i++) {
        len = clipper_wire_get64(lengths + i * 8);
        status = clipper_wire_get32(statuses + i * 4);

        if (len > left) {
            return CLIPPER_PROTO_ELENGTH;
        }

        if (status > CLIPPER_PROTO_SKIPPED
            || (status == CLIPPER_PROTO_SKIPPED && len != 0))
        {
            return CLIPPER_PROTO_ESTATUS;
        }

        left -= len;
    }

    return left ? CLIPPER_PROTO_ELENGTH : CLIPPER_PROTO_EOK;
}


static clipper_proto_error_e
clipper_proto_v4_reply(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n)
{
    size_t                 size;
    ngx_uint_t             count;
    const u_char          *header;
    clipper_proto_error_e  rc;

    if (n < 3) {
        return CLIPPER_PROTO_ESHORT;
    }

    header = frames[2].data;
    size = frames[2].len;

    if (size < 4) {
        return CLIPPER_PROTO_EID;
    }

    m->message_id = clipper_wire_get32(header);
    m->has_id = 1;

    if (n < 4) {
        return CLIPPER_PROTO_ESHORT;
    }

    if (n > 4) {
        return CLIPPER_PROTO_EFRAMES;
    }

    if (size < 8 || (size - 8) % 12) {
        return CLIPPER_PROTO_EHEADER;
    }

    count = (size - 8) / 12;

    if (clipper_wire_get32(header + 4) != count) {
        return CLIPPER_PROTO_EHEADER;
    }

    rc = clipper_proto_v4_check(header + 8, header + 8 + count * 8, count,
                                frames[3].len);

    if (rc != CLIPPER_PROTO_EOK) {
        return rc;
    }

    m->count = count;
    m->lengths = header + 8;
    m->statuses = header + 8 + count * 8;
    m->data = frames[3].data;

    return CLIPPER_PROTO_EOK;
}


const clipper_proto_codec_t  clipper_proto_v4_codec = {
    CLIPPER_PROTO_V4,
    1,
    1,
    clipper_proto_v4_header_size,
    clipper_proto_v4_head,
    clipper_proto_v4_header,
    clipper_proto_v4_input,
    clipper_proto_v4_reply
};

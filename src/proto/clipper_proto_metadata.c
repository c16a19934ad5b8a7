
/*
 * Clipper: the message by which a container announces itself.
 *
 *     version 3  "" | type | name | version | input type | RPC version
 *     version 4  "" | type | name | version | input type | token | digest
 *                | RPC version
 *
 * The RPC version is the last frame, so that it can be read whatever comes
 * before it.  JVM containers send it as 8 bytes; containers of the first days
 * did not send it.
 */

#include "base/clipper_name.h"
#include "base/clipper_plain.h"
#include "json/clipper_input_type.h"
#include "proto/clipper_proto_codec.h"
#include "proto/clipper_proto_metadata.h"
#include "base/clipper_wire.h"


#define CLIPPER_PROTO_V3_FRAMES  6
#define CLIPPER_PROTO_V4_FRAMES  8


/*
 * Checks a name or version.  Version 4 allows what a configuration can name.
 * In version 3 they are free text, and because logs and the status show them,
 * UTF-8 without control characters.  NGX_DECLINED: it is not such a text.
 */

static ngx_int_t
clipper_proto_text(ngx_str_t *text, const clipper_proto_frame_t *frame,
    uint32_t rpc_version)
{
    text->data = (u_char *) frame->data;
    text->len = frame->len;

    if (rpc_version == CLIPPER_PROTO_V4) {
        return clipper_name(text);
    }

    if (frame->len == 0 || frame->len > CLIPPER_NAME_MAX) {
        return NGX_DECLINED;
    }

    return clipper_plain_is(frame->data, frame->len) ? NGX_OK : NGX_DECLINED;
}


/*
 * Reads a number like strtol(), whatever follows the digits: the C++ and R
 * containers send as many bytes as their version text has.
 */

static clipper_proto_error_e
clipper_proto_input_type(ngx_uint_t *type, const clipper_proto_frame_t *frame)
{
    ngx_uint_t     n, negative;
    const u_char  *p, *end, *digits;

    if (frame->len == 0) {
        return CLIPPER_PROTO_EINPUT_TYPE;
    }

    p = frame->data;
    end = p + frame->len;

    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) {
        p++;
    }

    negative = (p < end && *p == '-');

    if (p < end && (*p == '-' || *p == '+')) {
        p++;
    }

    n = 0;

    for (digits = p; p < end && *p >= '0' && *p <= '9'; p++) {
        /* a value beyond the range stays there */
        n = ngx_min(n * 10 + (*p - '0'), CLIPPER_INPUT_TYPES);
    }

    if (p == digits) {
        return CLIPPER_PROTO_EINPUT_TYPE;
    }

    if (n >= CLIPPER_INPUT_TYPES || (negative && n != 0)) {
        return CLIPPER_PROTO_EINPUT_RANGE;
    }

    *type = n;

    return CLIPPER_PROTO_EOK;
}


static clipper_proto_error_e
clipper_proto_rpc_version(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n)
{
    ngx_uint_t                    want;
    const clipper_proto_frame_t  *last;

    if (n < CLIPPER_PROTO_V3_FRAMES - 1) {
        return CLIPPER_PROTO_ESHORT;
    }

    if (n < CLIPPER_PROTO_V3_FRAMES) {
        return CLIPPER_PROTO_ENO_VERSION;
    }

    last = &frames[n - 1];

    if (last->len != 4 && last->len != 8) {
        return CLIPPER_PROTO_EVERSION;
    }

    m->rpc_version = clipper_wire_get32(last->data);

    switch (m->rpc_version) {

    case CLIPPER_PROTO_V3:
        want = CLIPPER_PROTO_V3_FRAMES;
        break;

    case CLIPPER_PROTO_V4:
        want = CLIPPER_PROTO_V4_FRAMES;
        break;

    default:
        return CLIPPER_PROTO_EVERSION;
    }

    return (n == want) ? CLIPPER_PROTO_EOK
                       : CLIPPER_PROTO_EFRAMES;
}


clipper_proto_error_e
clipper_proto_metadata(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n)
{
    clipper_proto_error_e      rc;
    clipper_proto_metadata_t  *md;

    md = &m->metadata;

    rc = clipper_proto_rpc_version(m, frames, n);

    if (rc != CLIPPER_PROTO_EOK) {
        return rc;
    }

    if (clipper_proto_text(&md->name, &frames[2], m->rpc_version)
        != NGX_OK)
    {
        return CLIPPER_PROTO_ENAME;
    }

    if (clipper_proto_text(&md->version, &frames[3], m->rpc_version)
        != NGX_OK)
    {
        return CLIPPER_PROTO_EMODEL_VERSION;
    }

    rc = clipper_proto_input_type(&md->input_type, &frames[4]);

    if (rc != CLIPPER_PROTO_EOK) {
        return rc;
    }

    if (m->rpc_version == CLIPPER_PROTO_V3) {
        return CLIPPER_PROTO_EOK;
    }

    if (frames[5].len != CLIPPER_PROTO_TOKEN) {
        return CLIPPER_PROTO_ETOKEN;
    }

    if (frames[6].len > CLIPPER_PROTO_DIGEST) {
        return CLIPPER_PROTO_EDIGEST;
    }

    md->token.data = (u_char *) frames[5].data;
    md->token.len = frames[5].len;
    md->digest.data = (u_char *) frames[6].data;
    md->digest.len = frames[6].len;

    return CLIPPER_PROTO_EOK;
}

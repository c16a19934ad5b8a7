
/*
 * Clipper: the wire codec of the container RPC: what both versions share.
 *
 * A message of a container is "" | u32 type | ..., one to a container is
 * "" | u32 RPC version | u32 type | ....
 */

#include "proto/clipper_proto.h"
#include "proto/clipper_proto_metadata.h"
#include "base/clipper_wire.h"


typedef clipper_proto_error_e (*clipper_proto_decode_pt)(
    clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version);


typedef struct {
    uint32_t                           type;
    clipper_proto_kind_e               kind;
    clipper_proto_decode_pt            decode;
} clipper_proto_type_t;


static clipper_proto_error_e clipper_proto_decode_metadata(
    clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version);
static clipper_proto_error_e clipper_proto_decode_reply(
    clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version);
static clipper_proto_error_e clipper_proto_decode_heartbeat(
    clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version);
static clipper_proto_error_e clipper_proto_decode_leaving(
    clipper_proto_message_t *m, const clipper_proto_frame_t *frames,
    ngx_uint_t n, ngx_uint_t version);


static const clipper_proto_type_t  clipper_proto_types[] = {

    { CLIPPER_PROTO_NEW_CONTAINER,
      CLIPPER_PROTO_METADATA,
      clipper_proto_decode_metadata },

    { CLIPPER_PROTO_CONTENT,
      CLIPPER_PROTO_REPLY,
      clipper_proto_decode_reply },

    { CLIPPER_PROTO_BEAT,
      CLIPPER_PROTO_HEARTBEAT,
      clipper_proto_decode_heartbeat },

    { CLIPPER_PROTO_LEAVE,
      CLIPPER_PROTO_LEAVING,
      clipper_proto_decode_leaving }
};


static const u_char  clipper_proto_u32[7][4] = {
    { 0, 0, 0, 0 }, { 1, 0, 0, 0 }, { 2, 0, 0, 0 }, { 3, 0, 0, 0 },
    { 4, 0, 0, 0 }, { 5, 0, 0, 0 }, { 6, 0, 0, 0 }
};


const clipper_proto_codec_t *
clipper_proto_version_codec(ngx_uint_t version)
{
    switch (version) {

    case CLIPPER_PROTO_V3:
        return &clipper_proto_v3_codec;

    case CLIPPER_PROTO_V4:
        return &clipper_proto_v4_codec;

    default:
        return NULL;
    }
}


static const clipper_proto_type_t *
clipper_proto_find_type(uint32_t type)
{
    ngx_uint_t  i;

    for (i = 0;
         i < sizeof(clipper_proto_types)
             / sizeof(clipper_proto_type_t);
         i++)
    {
        if (clipper_proto_types[i].type == type) {
            return &clipper_proto_types[i];
        }
    }

    return NULL;
}


ngx_int_t
clipper_proto_decode(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version,
    ngx_uint_t expected)
{
    const clipper_proto_type_t  *type;

    ngx_memzero(m, sizeof(clipper_proto_message_t));
    m->kind = CLIPPER_PROTO_NONE;

    if (n != 0 && frames[0].len != 0) {
        m->error = CLIPPER_PROTO_EDELIMITER;
        return NGX_DECLINED;
    }

    if (n < 2) {
        m->error = CLIPPER_PROTO_ESHORT;
        return NGX_DECLINED;
    }

    type = NULL;

    if (frames[1].len == 4) {
        type = clipper_proto_find_type(
                               clipper_wire_get32(frames[1].data));
    }

    if (type == NULL) {
        m->error = CLIPPER_PROTO_ETYPE;
        return NGX_DECLINED;
    }

    m->kind = type->kind;
    m->error = type->decode(m, frames, n, version);

    if (m->error == CLIPPER_PROTO_EOK
        && m->kind == CLIPPER_PROTO_REPLY
        && expected != CLIPPER_PROTO_ANY_COUNT
        && expected != m->count)
    {
        m->error = CLIPPER_PROTO_ECOUNT;
    }

    if (m->error != CLIPPER_PROTO_EOK) {
        /* no output of a bad reply is trusted */
        m->count = 0;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static clipper_proto_error_e
clipper_proto_decode_metadata(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version)
{
    return clipper_proto_metadata(m, frames, n);
}


static clipper_proto_error_e
clipper_proto_decode_reply(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version)
{
    const clipper_proto_codec_t  *codec;

    codec = clipper_proto_version_codec(version);

    if (codec == NULL) {
        return CLIPPER_PROTO_EUNREGISTERED;
    }

    return codec->reply(m, frames, n);
}


static clipper_proto_error_e
clipper_proto_decode_heartbeat(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version)
{
    return (n == 2) ? CLIPPER_PROTO_EOK
                    : CLIPPER_PROTO_EFRAMES;
}


/* an unknown peer may have been dropped while it was leaving */

static clipper_proto_error_e
clipper_proto_decode_leaving(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version)
{
    if (version == CLIPPER_PROTO_V3) {
        m->kind = CLIPPER_PROTO_NONE;
        return CLIPPER_PROTO_ETYPE;
    }

    return (n == 2) ? CLIPPER_PROTO_EOK
                    : CLIPPER_PROTO_EFRAMES;
}


ngx_int_t
clipper_proto_output_next(clipper_proto_message_t *m,
    clipper_proto_output_t *out)
{
    ngx_uint_t  i;

    if (m->next >= m->count) {
        return NGX_DONE;
    }

    i = m->next++;

    if (m->outputs) {
        out->status = CLIPPER_PROTO_OUTPUT;
        out->data = m->outputs[i].data;
        out->len = m->outputs[i].len;

        return NGX_OK;
    }

    out->status = clipper_wire_get32(m->statuses + i * 4);
    out->data = m->data;
    out->len = clipper_wire_get64(m->lengths + i * 8);

    if (out->len) {
        m->data += out->len;
    }

    return NGX_OK;
}


/* "" | u32 version | u32 type */

static void
clipper_proto_begin(clipper_proto_frame_t *frames, ngx_uint_t version,
    ngx_uint_t type)
{
    frames[0].data = clipper_proto_u32[0];
    frames[0].len = 0;
    frames[1].data = clipper_proto_u32[version];
    frames[1].len = 4;
    frames[2].data = clipper_proto_u32[type];
    frames[2].len = 4;
}


ngx_uint_t
clipper_proto_keepalive(clipper_proto_frame_t *frames, ngx_uint_t version)
{
    clipper_proto_begin(frames,
                        version == CLIPPER_PROTO_V4
                        ? CLIPPER_PROTO_V4
                        : CLIPPER_PROTO_V3, CLIPPER_PROTO_BEAT);

    frames[3].data = clipper_proto_u32[0];
    frames[3].len = 4;

    return 4;
}


ngx_uint_t
clipper_proto_ask_metadata(clipper_proto_frame_t *frames)
{
    /* a container that has not announced itself gets version 3 */

    clipper_proto_begin(frames, CLIPPER_PROTO_V3, CLIPPER_PROTO_BEAT);

    frames[3].data = clipper_proto_u32[1];
    frames[3].len = 4;

    return 4;
}


ngx_uint_t
clipper_proto_move(clipper_proto_frame_t *frames)
{
    clipper_proto_begin(frames, CLIPPER_PROTO_V4, CLIPPER_PROTO_MOVE);

    return 3;
}


ngx_uint_t
clipper_proto_refused(clipper_proto_frame_t *frames, const ngx_str_t *text)
{
    clipper_proto_begin(frames, CLIPPER_PROTO_V4, CLIPPER_PROTO_REFUSE);

    frames[3].data = text->data;
    frames[3].len = text->len;

    return 4;
}

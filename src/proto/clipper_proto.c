
/*
 * Clipper: the wire codec of the container RPC: what both versions share.
 *
 * A message of a container is "" | u32 type | ..., one to a container is
 * "" | u32 RPC version | u32 type | ....
 */

#include "proto/clipper_proto.h"
#include "proto/clipper_proto_codec.h"
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


typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          text;
} clipper_proto_error_t;


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


static const clipper_proto_error_t
    clipper_proto_errors[CLIPPER_PROTO_ERRORS] =
{
    [CLIPPER_PROTO_EOK] =
        { ngx_string("none"),
          ngx_string("no error") },
    [CLIPPER_PROTO_ESHORT] =
        { ngx_string("short_message"),
          ngx_string("too few frames") },
    [CLIPPER_PROTO_EDELIMITER] =
        { ngx_string("no_delimiter"),
          ngx_string("the first frame is not empty") },
    [CLIPPER_PROTO_ETYPE] =
        { ngx_string("unknown_type"),
          ngx_string("unknown message type") },
    [CLIPPER_PROTO_EFRAMES] =
        { ngx_string("frame_count"),
          ngx_string("wrong number of frames") },
    [CLIPPER_PROTO_EID] =
        { ngx_string("bad_id"),
          ngx_string("invalid message id") },
    [CLIPPER_PROTO_EHEADER] =
        { ngx_string("bad_header"),
          ngx_string("the header does not match its size") },
    [CLIPPER_PROTO_ELENGTH] =
        { ngx_string("bad_length"),
          ngx_string("the lengths in the header do not match the outputs") },
    [CLIPPER_PROTO_ESTATUS] =
        { ngx_string("bad_status"),
          ngx_string("unknown output status") },
    [CLIPPER_PROTO_ECOUNT] =
        { ngx_string("output_count"),
          ngx_string("the number of outputs is not the number of inputs") },
    [CLIPPER_PROTO_ENAME] =
        { ngx_string("bad_name"),
          ngx_string("invalid model name") },
    [CLIPPER_PROTO_EMODEL_VERSION] =
        { ngx_string("bad_model_version"),
          ngx_string("invalid model version") },
    [CLIPPER_PROTO_EINPUT_TYPE] =
        { ngx_string("input_type_text"),
          ngx_string("the input type is not a number") },
    [CLIPPER_PROTO_EINPUT_RANGE] =
        { ngx_string("input_type_range"),
          ngx_string("the input type is not between 0 and 4") },
    [CLIPPER_PROTO_ENO_VERSION] =
        { ngx_string("no_rpc_version"),
          ngx_string("the metadata has no RPC version") },
    [CLIPPER_PROTO_EVERSION] =
        { ngx_string("rpc_version"),
          ngx_string("the RPC version is not 3 or 4") },
    [CLIPPER_PROTO_ETOKEN] =
        { ngx_string("bad_token"),
          ngx_string("the token is not 16 bytes long") },
    [CLIPPER_PROTO_EDIGEST] =
        { ngx_string("bad_digest"),
          ngx_string("the model digest is longer than 64 bytes") },

    [CLIPPER_PROTO_EUNREGISTERED] =
        { ngx_string("unregistered"),
          ngx_string("a reply from a container that is not registered") },
    [CLIPPER_PROTO_EUNKNOWN_ID] =
        { ngx_string("unknown_id"),
          ngx_string("a reply without a batch in flight") },
    [CLIPPER_PROTO_EREGISTERED] =
        { ngx_string("registered_twice"),
          ngx_string("metadata from a container that is registered already") },
    [CLIPPER_PROTO_EMISMATCH] =
        { ngx_string("type_mismatch"),
          ngx_string("the model is declared or linked with another input "
                     "type") },
    [CLIPPER_PROTO_ENO_SPACE] =
        { ngx_string("no_space"),
          ngx_string("the zone has no room for another replica") }
};


static const u_char  clipper_proto_u32[7][4] = {
    { 0, 0, 0, 0 }, { 1, 0, 0, 0 }, { 2, 0, 0, 0 }, { 3, 0, 0, 0 },
    { 4, 0, 0, 0 }, { 5, 0, 0, 0 }, { 6, 0, 0, 0 }
};


const clipper_proto_codec_t *
clipper_proto_codec(ngx_uint_t version)
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

    codec = clipper_proto_codec(version);

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


const ngx_str_t *
clipper_proto_error_name(clipper_proto_error_e error)
{
    return &clipper_proto_errors[error].name;
}


const ngx_str_t *
clipper_proto_error_text(clipper_proto_error_e error)
{
    return &clipper_proto_errors[error].text;
}

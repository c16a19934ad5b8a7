
/*
 * Causes of dropped messages, see the header.
 */


#include "proto/clipper_proto_error.h"


typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          text;
} clipper_proto_error_t;


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

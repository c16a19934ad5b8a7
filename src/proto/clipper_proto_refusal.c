
/*
 * Causes of refused connections, see the header.
 */


#include "proto/clipper_proto_refusal.h"


typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          text;
} clipper_proto_refusal_t;


static const clipper_proto_refusal_t
    clipper_proto_refusals[CLIPPER_PROTO_REFUSALS] =
{
    [CLIPPER_PROTO_REFUSAL_KEY] =
        { ngx_string("key"),
          ngx_string("its key is not among those of \"curve_clients\"") },
    [CLIPPER_PROTO_REFUSAL_MECHANISM] =
        { ngx_string("mechanism"),
          ngx_string("it is not encrypted although \"curve_key\" is set, or is "
                     "encrypted although it is not set") },
    [CLIPPER_PROTO_REFUSAL_HANDSHAKE] =
        { ngx_string("handshake"),
          ngx_string("it does not speak ZeroMQ, or expects another "
                     "server key") }
};


const ngx_str_t *
clipper_proto_refusal_name(clipper_proto_refusal_e cause)
{
    return &clipper_proto_refusals[cause].name;
}


const ngx_str_t *
clipper_proto_refusal_text(clipper_proto_refusal_e cause)
{
    return &clipper_proto_refusals[cause].text;
}


/*
 * Why a connection was turned away before its first message.
 */


#ifndef _CLIPPER_PROTO_REFUSAL_H_INCLUDED_
#define _CLIPPER_PROTO_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    CLIPPER_PROTO_REFUSAL_KEY = 0,
    CLIPPER_PROTO_REFUSAL_MECHANISM,
    CLIPPER_PROTO_REFUSAL_HANDSHAKE,

    CLIPPER_PROTO_REFUSALS
} clipper_proto_refusal_e;


/*
 * The name is the "cause" label of clipper_rpc_refused_total, the text follows
 * "container refused: ".
 */

const ngx_str_t *clipper_proto_refusal_name(clipper_proto_refusal_e cause);
const ngx_str_t *clipper_proto_refusal_text(clipper_proto_refusal_e cause);


#endif /* _CLIPPER_PROTO_REFUSAL_H_INCLUDED_ */

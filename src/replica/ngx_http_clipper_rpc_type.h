
/*
 * The routing key of a connection, and the callbacks of the user of the
 * sockets.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_TYPE_H_INCLUDED_


#include "proto/clipper_proto.h"
#include <zmq.h>


#define NGX_HTTP_CLIPPER_IDENTITY  255


/* as given by libzmq */

typedef struct {
    u_char       data[NGX_HTTP_CLIPPER_IDENTITY];
    u_char       len;
} ngx_http_clipper_identity_t;


/* callbacks of the user */

typedef struct {
    /*
     * a message of n frames after the identity frame; fd is of its connection
     */
    void         (*message)(ngx_http_clipper_identity_t *id, int fd,
                            clipper_proto_frame_t *frames, ngx_uint_t n);

    /* more frames than any valid message has */
    ngx_uint_t   (*frames)(ngx_http_clipper_identity_t *id);

    /* a connection was closed */
    void         (*closed)(int fd);

    /* a peer may have connected and not have spoken since */
    void         (*silent)(ngx_http_clipper_identity_t *id);
} ngx_http_clipper_rpc_handlers_t;


#endif /* _NGX_HTTP_CLIPPER_RPC_TYPE_H_INCLUDED_ */

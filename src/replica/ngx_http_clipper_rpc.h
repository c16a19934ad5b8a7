
/*
 * Container RPC: one ROUTER socket of this worker on all clipper_rpc
 * addresses, in nginx's event loop.  Reads whole messages, checks them with
 * the codec and hands them to its user; sends what others give it.
 * libzmq owns its descriptors; nginx only watches them.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "proto/clipper_proto.h"
#include <zmq.h>


#define NGX_HTTP_CLIPPER_IDENTITY  255


/* the routing key of a connection, as libzmq gave it */

typedef struct {
    u_char       data[NGX_HTTP_CLIPPER_IDENTITY];
    u_char       len;
} ngx_http_clipper_identity_t;


/* whom a socket tells what happens */

typedef struct {
    /* a message of n frames after the identity frame; fd is its connection's */
    void         (*message)(ngx_http_clipper_identity_t *id, int fd,
                            clipper_proto_frame_t *frames, ngx_uint_t n);

    /* more frames than any valid message of this peer has */
    ngx_uint_t   (*frames)(ngx_http_clipper_identity_t *id);

    /* a connection came or was closed */
    void         (*accepted)(int fd);
    void         (*closed)(int fd);
} ngx_http_clipper_rpc_handlers_t;


/* NGX_OK, also when no address is configured */
ngx_int_t ngx_http_clipper_rpc_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf,
    const ngx_http_clipper_rpc_handlers_t *handlers);
void ngx_http_clipper_rpc_done(void);

/* stops accepting; all peers are dropped */
void ngx_http_clipper_rpc_unbind(void);

/*
 * Sends a message of n parts, one at least, which the caller closes.
 * NGX_DECLINED: the peer is gone, nothing was sent.
 */
ngx_int_t ngx_http_clipper_rpc_send(ngx_http_clipper_identity_t *id,
    zmq_msg_t *parts, ngx_uint_t n);

/*
 * The same n parts with room for more: a part stays where it was initialised,
 * so they are moved, and the old memory is freed.  NULL: no memory.
 */
zmq_msg_t *ngx_http_clipper_rpc_grow(zmq_msg_t *parts, ngx_uint_t n,
    ngx_uint_t room);

/* ends one connection; its peer connects anew.  The descriptor stays open */
void ngx_http_clipper_rpc_shutdown(int fd);

/* counts a dropped message, logs it once a minute for each cause */
void ngx_http_clipper_rpc_error(clipper_proto_error_e cause, ngx_str_t *peer);


#endif /* _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_ */

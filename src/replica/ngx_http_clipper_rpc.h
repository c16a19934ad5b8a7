
/*
 * Container RPC: one ROUTER socket of this worker on all clipper_rpc
 * addresses, in nginx's event loop.  Reads whole messages, checks them with
 * the codec and hands them to the replica part; sends what others give it.
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


/* NGX_OK, also when no address is configured */
ngx_int_t ngx_http_clipper_rpc_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf);
void ngx_http_clipper_rpc_done(void);

/* stops accepting; all peers are dropped */
void ngx_http_clipper_rpc_unbind(void);

/*
 * Begins, continues and ends a message; `last` is set for its last frame.
 * NGX_OK; NGX_DECLINED: the peer is gone, nothing was sent.
 */
ngx_int_t ngx_http_clipper_rpc_open(ngx_http_clipper_identity_t *id);
ngx_int_t ngx_http_clipper_rpc_frame(const u_char *data, size_t len,
    ngx_uint_t last);
ngx_int_t ngx_http_clipper_rpc_message(zmq_msg_t *msg, ngx_uint_t last);

/* a whole message of a few short frames */
ngx_int_t ngx_http_clipper_rpc_control(ngx_http_clipper_identity_t *id,
    clipper_proto_frame_t *frames, ngx_uint_t n);

/* has the socket looked at again: needed after sending outside its events */
void ngx_http_clipper_rpc_check(void);

/* ends one connection; its peer connects anew.  The descriptor stays open */
void ngx_http_clipper_rpc_shutdown(int fd);

/* counts a dropped message, logs it once a minute for each cause */
void  ngx_http_clipper_rpc_error(clipper_proto_error_e cause, ngx_str_t *peer);


#endif /* _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_ */


/*
 * Container RPC: one ROUTER socket of this worker on all clipper_rpc
 * addresses, in nginx's event loop.
 *
 * It reads whole messages, checks them with the codec, passes them to its
 * user, and sends messages.  libzmq owns its descriptors; nginx only watches
 * them.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "replica/ngx_http_clipper_rpc_type.h"


/* NGX_OK even if no address is configured */
ngx_int_t ngx_http_clipper_rpc_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf,
    const ngx_http_clipper_rpc_handlers_t *handlers);
void ngx_http_clipper_rpc_done(void);

/* stops accepting and drops all peers */
void ngx_http_clipper_rpc_unbind(void);

/*
 * Sends a message of n >= 1 parts, which the caller closes.  NGX_DECLINED: the
 * peer is gone, nothing was sent; if libzmq refuses a later part, which it
 * promises not to do, there is an alert.
 */
ngx_int_t ngx_http_clipper_rpc_send(ngx_http_clipper_identity_t *id,
    zmq_msg_t *parts, ngx_uint_t n);

/*
 * Moves n parts to a larger array and frees the old one; a part must not be
 * copied after its initialization.  NULL: out of memory.
 */
zmq_msg_t *ngx_http_clipper_rpc_grow(zmq_msg_t *parts, ngx_uint_t n,
    ngx_uint_t room);

/*
 * Whether the connection of a message is still open: its descriptor is its own
 * then, until the next event.  In doubt its peer gets a keepalive.
 */
ngx_uint_t ngx_http_clipper_rpc_open(ngx_http_clipper_identity_t *id, int fd,
    ngx_uint_t version);

/*
 * Closes a connection; its peer reconnects.  The monitor was read before, in
 * the same event.
 */
void ngx_http_clipper_rpc_shutdown(int fd);

/* counts a dropped message, and logs it once a minute for each cause */
void ngx_http_clipper_rpc_error(clipper_proto_error_e cause, ngx_str_t *peer);


#endif /* _NGX_HTTP_CLIPPER_RPC_H_INCLUDED_ */


/*
 * Finds peers that connect and say nothing.
 *
 * A version 3 container that lost its connection speaks again only after
 * seconds.  libzmq numbers the peers of a ROUTER in the order in which they
 * come, unless they bring an identity: a fresh DEALER of our own bounds the
 * numbers given so far.  So each number is told to the user once, some
 * milliseconds after its peer has connected, unless the peer has spoken.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_NUMBER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_NUMBER_H_INCLUDED_


#include "replica/ngx_http_clipper_rpc_type.h"
#include "worker/ngx_http_clipper_zmq.h"


/*
 * Call it before peers can connect.  NGX_DECLINED: this version of libzmq is
 * not known to number its peers so; silent ones are not found then.
 */
ngx_int_t ngx_http_clipper_rpc_number_init(ngx_cycle_t *cycle, void *context,
    ngx_http_clipper_zmq_t *router,
    const ngx_http_clipper_rpc_handlers_t *handlers);
void ngx_http_clipper_rpc_number_done(void);

/* a peer has connected and has its number, whichever it is */
void ngx_http_clipper_rpc_number_given(void);

/* each message passes here; 1: it was ours, and is handled */
ngx_uint_t ngx_http_clipper_rpc_number_heard(ngx_http_clipper_identity_t *id,
    int fd, clipper_proto_frame_t *frames, ngx_uint_t n);


#endif /* _NGX_HTTP_CLIPPER_RPC_NUMBER_H_INCLUDED_ */

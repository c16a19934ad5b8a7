
/*
 * A message to a container.  Its parts are added first and sent together:
 * libzmq takes what follows an unfinished message for the rest of it, so what
 * may fail has to fail before the first of them is sent.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_


#include "replica/ngx_http_clipper_rpc.h"


/*
 * Adds a part of len bytes, to be written before the next one is added.
 * NULL: no memory, which the send will tell.
 */
u_char *ngx_http_clipper_rpc_message_part(size_t len);

/*
 * Sends what was added, and forgets it in any case.  NGX_DECLINED: the peer is
 * gone; NGX_ERROR: no memory; in both cases nothing was sent.
 */
ngx_int_t ngx_http_clipper_rpc_message_send(ngx_http_clipper_identity_t *id);

/* a whole message of a few short frames; returns as the send */
ngx_int_t ngx_http_clipper_rpc_message_control(
    ngx_http_clipper_identity_t *id, clipper_proto_frame_t *frames,
    ngx_uint_t n);

void ngx_http_clipper_rpc_message_done(void);


#endif /* _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_ */

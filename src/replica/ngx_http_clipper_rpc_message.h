
/*
 * A message to a container.
 *
 * All parts are added first and sent together.  libzmq appends any later part
 * to an unfinished message, so everything that can fail must fail before the
 * first part is sent.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_


#include "replica/ngx_http_clipper_rpc.h"


/*
 * Adds a part of len bytes; write it before adding the next one.  NULL: out of
 * memory; the send reports it as well.
 */
u_char *ngx_http_clipper_rpc_message_part(size_t len);

/*
 * Sends the added parts and clears the message in any case.  NGX_DECLINED: the
 * peer is gone; NGX_ERROR: out of memory; nothing was sent then.
 */
ngx_int_t ngx_http_clipper_rpc_message_send(ngx_http_clipper_identity_t *id);

/* sends a whole message of a few short frames; returns like the send */
ngx_int_t ngx_http_clipper_rpc_message_control(
    ngx_http_clipper_identity_t *id, clipper_proto_frame_t *frames,
    ngx_uint_t n);

void ngx_http_clipper_rpc_message_done(void);


#endif /* _NGX_HTTP_CLIPPER_RPC_MESSAGE_H_INCLUDED_ */


/*
 * Answers libzmq's question whether a key may connect (ZAP, ZeroMQ's RFC 27),
 * in the event loop, and logs who was refused.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_ZAP_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_ZAP_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* before the ROUTER is bound; does nothing if no address has keys */
ngx_int_t ngx_http_clipper_rpc_zap_init(ngx_cycle_t *cycle, void *context,
    ngx_array_t *endpoints);
void ngx_http_clipper_rpc_zap_done(void);

/*
 * The monitor's report of a handshake that failed, with libzmq's reason or 0.
 * The address of that peer is not known.
 */
void ngx_http_clipper_rpc_zap_failed(int32_t reason);


#endif /* _NGX_HTTP_CLIPPER_RPC_ZAP_H_INCLUDED_ */

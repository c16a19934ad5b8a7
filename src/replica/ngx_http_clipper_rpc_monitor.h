
/*
 * Reports connections of containers that open and close, from libzmq's monitor
 * of the ROUTER.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_MONITOR_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_MONITOR_H_INCLUDED_


#include "replica/ngx_http_clipper_rpc_type.h"


ngx_int_t ngx_http_clipper_rpc_monitor_init(ngx_cycle_t *cycle, void *context,
    void *router, const ngx_http_clipper_rpc_handlers_t *handlers);
void ngx_http_clipper_rpc_monitor_done(void *router);

/* handles pending reports, before a connection is taken for a new one */
void ngx_http_clipper_rpc_monitor_sync(void);


#endif /* _NGX_HTTP_CLIPPER_RPC_MONITOR_H_INCLUDED_ */

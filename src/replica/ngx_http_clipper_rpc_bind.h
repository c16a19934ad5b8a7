
/*
 * The addresses of the ROUTER: bound on the listening sockets that nginx's
 * master opened.
 */


#ifndef _NGX_HTTP_CLIPPER_RPC_BIND_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RPC_BIND_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


ngx_int_t ngx_http_clipper_rpc_bind_open(ngx_cycle_t *cycle, void *router,
    ngx_array_t *endpoints);

/* drops all peers as well: libzmq cannot keep them; does nothing twice */
void ngx_http_clipper_rpc_bind_close(void);

/*
 * Deaf, the ROUTER keeps its peers and accepts no others: those are accepted
 * by the other workers.  It must not be deaf when no other worker listens:
 * libzmq's thread would look at the waiting ones again and again.
 */
void ngx_http_clipper_rpc_bind_deaf(ngx_uint_t deaf);


#endif /* _NGX_HTTP_CLIPPER_RPC_BIND_H_INCLUDED_ */


/*
 * Client connections that have not sent a request yet.
 *
 * A retiring worker answers on its existing connections with its old
 * configuration.  nginx closes idle keep-alive connections at that point, but
 * a connection that never sent a byte stays until client_header_timeout, and
 * its first request would still meet the configuration from before the reload.
 * So a retiring worker closes such a connection when it is a second old, as
 * nginx does when it runs out of connections, and until then its row has their
 * number.
 */


#ifndef _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* at a graceful exit; `waiting` is the counter in the worker's row */
void ngx_http_clipper_idle_retire(ngx_cycle_t *cycle, uint32_t *waiting);

void ngx_http_clipper_idle_done(void);


#endif /* _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_ */

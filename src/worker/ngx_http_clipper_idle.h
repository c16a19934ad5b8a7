
/*
 * Client connections that have asked nothing yet.
 *
 * A worker that retires goes on answering with its old configuration on the
 * connections that it has.  nginx closes idle keep-alive connections then,
 * but a connection that never sent a byte stays until client_header_timeout,
 * and its first request would be answered as before the reload.  So a
 * retiring worker closes such a connection once it is a second old, as nginx
 * does itself when it runs out of connections, and until then says in its row
 * how many there are.
 */


#ifndef _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a graceful exit begins; `waiting` is where to count, in the worker's row */
void ngx_http_clipper_idle_retire(ngx_cycle_t *cycle, uint32_t *waiting);

void ngx_http_clipper_idle_done(void);


#endif /* _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_ */

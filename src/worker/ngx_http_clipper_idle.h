
/*
 * Client connections without a request, at the end of a worker.
 *
 * A retiring worker answers on its existing connections with its old
 * configuration.  nginx closes the kept ones at once, even when the next
 * request is on its way, which that client takes for an error.  And it keeps a
 * connection that never sent a byte until client_header_timeout, though its
 * first request would meet the configuration from before the reload.  So kept
 * ones stay for half a second, in which a busy client sends its next request
 * and is told to close, and silent ones until they are a second old.  Until
 * then the worker's row has their number.
 */


#ifndef _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* at a graceful exit; `waiting` is the counter in the worker's row */
void ngx_http_clipper_idle_retire(ngx_cycle_t *cycle, uint32_t *waiting);

void ngx_http_clipper_idle_done(void);


#endif /* _NGX_HTTP_CLIPPER_IDLE_H_INCLUDED_ */

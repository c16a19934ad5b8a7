
/*
 * How workers wake each other.  Each has a datagram socket; its name, which
 * the kernel chooses, is in the worker's row of the registry.  A datagram has
 * no content and proves nothing; it makes the worker check its mailbox and its
 * queues.  It is sent only to a sleeping worker, so under load it costs
 * nothing.
 */


#ifndef _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* opens the socket; writes its name to `door`, and its length to len */
ngx_int_t ngx_http_clipper_wake_init(ngx_cycle_t *cycle, u_char *door,
    size_t *len);
void ngx_http_clipper_wake_done(void);

/* wakes the workers in zone->ring; each unlock of the zone calls it */
void ngx_http_clipper_wake_flush(void);

/* has this worker check again in the next turn of its event loop */
void ngx_http_clipper_wake_later(void);


#endif /* _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_ */


/*
 * How workers wake each other: each has a datagram socket with a name of the
 * kernel's choice in its row of the registry.  A datagram carries nothing and
 * proves nothing; it makes the worker look at its mailbox and its queues.  It
 * is sent only to who sleeps, so under load it costs nothing.
 */


#ifndef _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* opens the socket; the name goes to `door`, whose size is len */
ngx_int_t ngx_http_clipper_wake_init(ngx_cycle_t *cycle, u_char *door,
    size_t *len);
void ngx_http_clipper_wake_done(void);

/* wakes those that zone->ring names; each unlock of the zone calls it */
void ngx_http_clipper_wake_flush(void);

/* has this worker look again in the next turn of its event loop */
void ngx_http_clipper_wake_later(void);


#endif /* _NGX_HTTP_CLIPPER_WAKE_H_INCLUDED_ */

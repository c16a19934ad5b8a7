
/*
 * Descriptors in nginx's event loop that are not its connections, and events
 * without a descriptor.
 */


#ifndef _NGX_HTTP_CLIPPER_WATCH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * a connection for a descriptor, whose events the caller adds; NULL: there is
 * none left
 */
ngx_connection_t *ngx_http_clipper_watch_get(ngx_socket_t fd, ngx_log_t *log,
    ngx_event_handler_pt handler);

/* an event that is only posted, or set to a time */
void ngx_http_clipper_watch_alone(ngx_event_t *ev, ngx_log_t *log,
    ngx_event_handler_pt handler);


#endif /* _NGX_HTTP_CLIPPER_WATCH_H_INCLUDED_ */

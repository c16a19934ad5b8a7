
/*
 * Descriptors in nginx's event loop, see the header.
 */


#include "worker/ngx_http_clipper_watch.h"


/* the log of events expects a connection at their data */

static ngx_connection_t  ngx_http_clipper_watch_dummy;


ngx_connection_t *
ngx_http_clipper_watch_get(ngx_socket_t fd, ngx_log_t *log,
    ngx_event_handler_pt handler)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, log);

    if (c == NULL) {
        return NULL;
    }

    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = handler;

    return c;
}


void
ngx_http_clipper_watch_alone(ngx_event_t *ev, ngx_log_t *log,
    ngx_event_handler_pt handler)
{
    ngx_http_clipper_watch_dummy.fd = (ngx_socket_t) -1;

    ev->handler = handler;
    ev->log = log;
    ev->data = &ngx_http_clipper_watch_dummy;
}

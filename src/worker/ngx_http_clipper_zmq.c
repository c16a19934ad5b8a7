
/*
 * Sockets of libzmq, see the header.
 */


#include "worker/ngx_http_clipper_zmq.h"
#include "worker/ngx_http_clipper_watch.h"


ngx_int_t
ngx_http_clipper_zmq_watch(ngx_cycle_t *cycle, ngx_http_clipper_zmq_t *s,
    ngx_event_handler_pt handler, ngx_event_handler_pt again)
{
    int                fd;
    size_t             len;
    ngx_connection_t  *c;

    len = sizeof(fd);

    if (zmq_getsockopt(s->socket, ZMQ_FD, &fd, &len) == -1) {
        return NGX_ERROR;
    }

    c = ngx_http_clipper_watch_get(fd, cycle->log, handler);

    if (c == NULL) {
        return NGX_ERROR;
    }

    s->connection = c;
    ngx_http_clipper_watch_alone(&s->again, cycle->log, again);

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    /* until the first look at a socket its descriptor never fires */

    ngx_http_clipper_zmq_check(s);

    return NGX_OK;
}


void
ngx_http_clipper_zmq_unwatch(ngx_http_clipper_zmq_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        s->connection = NULL;
    }

    if (s->again.posted) {
        ngx_delete_posted_event(&s->again);
    }

    if (s->socket) {
        (void) zmq_close(s->socket);
        s->socket = NULL;
    }
}


void
ngx_http_clipper_zmq_check(ngx_http_clipper_zmq_t *s)
{
    if (!s->again.posted && ngx_http_clipper_zmq_readable(s)) {
        ngx_post_event(&s->again, &ngx_posted_next_events);
    }
}


ngx_uint_t
ngx_http_clipper_zmq_readable(ngx_http_clipper_zmq_t *s)
{
    int     events;
    size_t  len;

    len = sizeof(events);

    if (s->socket == NULL
        || zmq_getsockopt(s->socket, ZMQ_EVENTS, &events, &len) == -1)
    {
        return 0;
    }

    return events & ZMQ_POLLIN;
}


ngx_int_t
ngx_http_clipper_zmq_set(void *socket, int option, int value, ngx_log_t *log)
{
    if (zmq_setsockopt(socket, option, &value, sizeof(int)) == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0, "zmq_setsockopt(%d) failed: %s",
                  option, zmq_strerror(errno));

    return NGX_ERROR;
}


/*
 * Sockets of libzmq, see the header.
 */


#include "worker/ngx_http_clipper_zmq.h"
#include "worker/ngx_http_clipper_watch.h"


static void ngx_http_clipper_zmq_event(ngx_event_t *ev);
static void ngx_http_clipper_zmq_again(ngx_event_t *ev);


ngx_int_t
ngx_http_clipper_zmq_watch(ngx_cycle_t *cycle, ngx_http_clipper_zmq_t *s,
    void (*read)(void))
{
    int                fd;
    size_t             len;
    ngx_connection_t  *c;

    len = sizeof(fd);

    if (zmq_getsockopt(s->socket, ZMQ_FD, &fd, &len) == -1) {
        return NGX_ERROR;
    }

    c = ngx_http_clipper_watch_get(fd, cycle->log, ngx_http_clipper_zmq_event);

    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = s;
    s->connection = c;
    s->read = read;
    ngx_http_clipper_watch_alone(&s->again, cycle->log,
                                 ngx_http_clipper_zmq_again);

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    /* until the first look at a socket its descriptor never fires */

    ngx_http_clipper_zmq_check(s);

    return NGX_OK;
}


static void
ngx_http_clipper_zmq_event(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_clipper_zmq_t  *s;

    c = ev->data;
    s = c->data;

    /* worker_shutdown_timeout has passed; the doorbell handles what follows */

    if (c->close || c->error) {
        c->close = 0;
        c->error = 0;
        return;
    }

    s->read();
}


static void
ngx_http_clipper_zmq_again(ngx_event_t *ev)
{
    ngx_http_clipper_zmq_t  *s;

    s = ngx_queue_data(ev, ngx_http_clipper_zmq_t, again);

    s->read();
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
    int     events, rc;
    size_t  len;

    if (s->socket == NULL) {
        return 0;
    }

    len = sizeof(events);

    do {
        rc = zmq_getsockopt(s->socket, ZMQ_EVENTS, &events, &len);
    } while (rc == -1 && errno == EINTR);

    return rc == 0 && (events & ZMQ_POLLIN);
}


int
ngx_http_clipper_zmq_recv(void *socket, zmq_msg_t *part)
{
    int  n;

    do {
        n = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
    } while (n == -1 && errno == EINTR);

    return n;
}


int
ngx_http_clipper_zmq_send(void *socket, const void *data, size_t len,
    int flags)
{
    int  n;

    do {
        n = zmq_send(socket, data, len, flags|ZMQ_DONTWAIT);
    } while (n == -1 && errno == EINTR);

    return n;
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

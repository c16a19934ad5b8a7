
/*
 * hiredis in nginx's event loop, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "base/clipper_clock.h"
#include "worker/ngx_http_clipper_redis_event.h"
#include "worker/ngx_http_clipper_redis_guard.h"
#include "worker/ngx_http_clipper_watch.h"
#include <poll.h>


static void ngx_http_clipper_redis_event_read(ngx_event_t *ev);
static void ngx_http_clipper_redis_event_write(ngx_event_t *ev);
static void ngx_http_clipper_redis_event_add_read(void *data);
static void ngx_http_clipper_redis_event_del_read(void *data);
static void ngx_http_clipper_redis_event_add_write(void *data);
static void ngx_http_clipper_redis_event_del_write(void *data);
static void ngx_http_clipper_redis_event_cleanup(void *data);


static void  (*ngx_http_clipper_redis_event_end)(void);


ngx_int_t
ngx_http_clipper_redis_event_attach(redisAsyncContext *ac, ngx_log_t *log,
    void (*end)(void))
{
    ngx_connection_t  *c;

    c = ngx_http_clipper_watch_get(ac->c.fd, log,
                                   ngx_http_clipper_redis_event_read);

    if (c == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_redis_event_end = end;
    ngx_http_clipper_redis_guard_attach(ac);

    c->data = ac;
    c->write->handler = ngx_http_clipper_redis_event_write;

    ac->ev.data = c;
    ac->ev.addRead = ngx_http_clipper_redis_event_add_read;
    ac->ev.delRead = ngx_http_clipper_redis_event_del_read;
    ac->ev.addWrite = ngx_http_clipper_redis_event_add_write;
    ac->ev.delWrite = ngx_http_clipper_redis_event_del_write;
    ac->ev.cleanup = ngx_http_clipper_redis_event_cleanup;

    return NGX_OK;
}


/* hiredis frees a context whose connection is lost */

ngx_uint_t
ngx_http_clipper_redis_event_handle(redisAsyncContext *ac, ngx_msec_t ms)
{
    int                n;
    uint64_t           end_us, now_us;
    struct pollfd      pfd;
    ngx_connection_t  *c;

    c = ac->ev.data;

    pfd.fd = c->fd;
    pfd.events = c->write->active ? POLLOUT : POLLIN;

    now_us = clipper_clock_us();
    end_us = now_us + ms * 1000;

    /* a signal, as of timer_resolution, does not end it */

    do {
        pfd.revents = 0;
        n = poll(&pfd, 1, (int) ((end_us - now_us) / 1000));
        now_us = clipper_clock_us();
    } while (n == -1 && ngx_errno == NGX_EINTR && now_us < end_us);

    if (n <= 0) {
        return 0;
    }

    if (c->write->active) {
        redisAsyncHandleWrite(ac);

    } else {
        ngx_http_clipper_redis_guard_read(ac);
        redisAsyncHandleRead(ac);
    }

    return 1;
}


static void
ngx_http_clipper_redis_event_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close || c->error) {
        ngx_http_clipper_redis_event_end();
        return;
    }

    ngx_http_clipper_redis_guard_read(c->data);
    redisAsyncHandleRead(c->data);
}


static void
ngx_http_clipper_redis_event_write(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    redisAsyncHandleWrite(c->data);
}


static void
ngx_http_clipper_redis_event_add_read(void *data)
{
    ngx_connection_t  *c = data;

    if (!c->read->active) {
        (void) ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_clipper_redis_event_del_read(void *data)
{
    ngx_connection_t  *c = data;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }
}


static void
ngx_http_clipper_redis_event_add_write(void *data)
{
    ngx_connection_t  *c = data;

    if (!c->write->active) {
        (void) ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_clipper_redis_event_del_write(void *data)
{
    ngx_connection_t  *c = data;

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }
}


/* the descriptor stays open: hiredis closes it next */

static void
ngx_http_clipper_redis_event_cleanup(void *data)
{
    ngx_connection_t  *c = data;

    ngx_http_clipper_redis_event_del_read(c);
    ngx_http_clipper_redis_event_del_write(c);

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


/*
 * Doorbells, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_wake.h"
#include "worker/ngx_http_clipper_watch.h"
#include <sys/un.h>


#define NGX_HTTP_CLIPPER_WAKE_DRAIN  8


static void ngx_http_clipper_wake_read(ngx_event_t *ev);
static void ngx_http_clipper_wake_local(ngx_event_t *ev);
static void ngx_http_clipper_wake_ring(uint32_t slot);


static ngx_connection_t  *ngx_http_clipper_wake_connection;
static ngx_event_t        ngx_http_clipper_wake_event;


ngx_int_t
ngx_http_clipper_wake_init(ngx_cycle_t *cycle, u_char *door, size_t *len)
{
    int                  fd;
    socklen_t            socklen;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "socket() for the doorbell failed");
        return NGX_ERROR;
    }

    /* without a path the kernel chooses an abstract name */

    ngx_memzero(&sun, sizeof(sun));
    sun.sun_family = AF_UNIX;
    socklen = sizeof(sun);

    if (bind(fd, (struct sockaddr *) &sun, sizeof(sa_family_t)) == -1
        || getsockname(fd, (struct sockaddr *) &sun, &socklen) == -1
        || socklen - offsetof(struct sockaddr_un, sun_path) > *len)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "bind() of the doorbell failed");
        (void) close(fd);
        return NGX_ERROR;
    }

    *len = socklen - offsetof(struct sockaddr_un, sun_path);
    ngx_memcpy(door, sun.sun_path, *len);

    c = ngx_http_clipper_watch_get(fd, cycle->log, ngx_http_clipper_wake_read);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    /* nginx reports a graceful exit to idle connections */

    c->idle = 1;

    ngx_http_clipper_wake_connection = c;
    ngx_http_clipper_watch_alone(&ngx_http_clipper_wake_event, cycle->log,
                                 ngx_http_clipper_wake_local);

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_http_clipper_wake_done();
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_clipper_wake_done(void)
{
    if (ngx_http_clipper_wake_connection) {
        ngx_close_connection(ngx_http_clipper_wake_connection);
        ngx_http_clipper_wake_connection = NULL;
    }

    if (ngx_http_clipper_wake_event.posted) {
        ngx_delete_posted_event(&ngx_http_clipper_wake_event);
    }
}


static void
ngx_http_clipper_wake_read(ngx_event_t *ev)
{
    u_char             buf[NGX_HTTP_CLIPPER_WAKE_DRAIN];
    ngx_uint_t         i;
    struct iovec       iov[NGX_HTTP_CLIPPER_WAKE_DRAIN];
    struct mmsghdr     msgs[NGX_HTTP_CLIPPER_WAKE_DRAIN];
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close || c->error) {
        ngx_http_clipper_process.retire(c->error);
        c->close = 0;
        c->error = 0;
        return;
    }

    ngx_memzero(msgs, sizeof(msgs));

    for (i = 0; i < NGX_HTTP_CLIPPER_WAKE_DRAIN; i++) {
        iov[i].iov_base = &buf[i];
        iov[i].iov_len = 1;
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }

    while (recvmmsg(c->fd, msgs, NGX_HTTP_CLIPPER_WAKE_DRAIN, MSG_DONTWAIT,
                    NULL)
           == NGX_HTTP_CLIPPER_WAKE_DRAIN)
    {
        /* void */
    }

    ngx_http_clipper_process.work();
}


static void
ngx_http_clipper_wake_local(ngx_event_t *ev)
{
    ngx_http_clipper_process.work();
}


void
ngx_http_clipper_wake_flush(void)
{
    uint32_t         slot;
    uint64_t         bits;
    ngx_uint_t       i;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    for (i = 0; i < CLIPPER_WORKERS / 64; i++) {

        while (zone->ring[i]) {
            bits = zone->ring[i];
            zone->ring[i] = bits & (bits - 1);
            slot = (uint32_t) (i * 64 + __builtin_ctzll(bits));

            if (slot != zone->slot) {
                ngx_http_clipper_wake_ring(slot);
                continue;
            }

            if (!ngx_http_clipper_wake_event.posted) {
                ngx_post_event(&ngx_http_clipper_wake_event,
                               &ngx_posted_events);
            }
        }
    }
}


void
ngx_http_clipper_wake_later(void)
{
    if (!ngx_http_clipper_wake_event.posted) {
        ngx_post_event(&ngx_http_clipper_wake_event, &ngx_posted_next_events);
    }
}


static void
ngx_http_clipper_wake_ring(uint32_t slot)
{
    ngx_err_t           err;
    struct sockaddr_un  sun;
    clipper_zone_t     *zone;
    clipper_worker_t   *w;

    zone = ngx_http_clipper_process.zone;
    w = &zone->workers[slot];

    if (ngx_http_clipper_wake_connection == NULL) {
        return;
    }

    ngx_memzero(&sun, sizeof(sun));
    sun.sun_family = AF_UNIX;
    ngx_memcpy(sun.sun_path, w->door, ngx_min(w->door_len, sizeof(w->door)));

    if (sendto(ngx_http_clipper_wake_connection->fd, "", 1, MSG_DONTWAIT,
               (struct sockaddr *) &sun,
               offsetof(struct sockaddr_un, sun_path)
               + ngx_min(w->door_len, sizeof(w->door)))
        != -1)
    {
        return;
    }

    err = ngx_socket_errno;

    /* NGX_EAGAIN: enough rings are pending, it will look */

    if (err == NGX_EAGAIN) {
        return;
    }

    if (err != NGX_ECONNREFUSED) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "waking worker %uD failed", w->pid);
        return;
    }

    ngx_http_clipper_process.bury();
}

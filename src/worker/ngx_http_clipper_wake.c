
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


#define NGX_HTTP_CLIPPER_WAKE_DRAIN  16     /* rings read at a time */
#define NGX_HTTP_CLIPPER_WAKE_FALSE  64     /* false rings until a pause ... */
#define NGX_HTTP_CLIPPER_WAKE_SPAN   10     /* ... ms, in which they count */
#define NGX_HTTP_CLIPPER_WAKE_TICK   1      /* ms, in a pause */
#define NGX_HTTP_CLIPPER_WAKE_TICKS  50     /* between two drains, then */


static void ngx_http_clipper_wake_read(ngx_event_t *ev);
static ngx_uint_t ngx_http_clipper_wake_drain(ngx_connection_t *c);
static ngx_uint_t ngx_http_clipper_wake_is_false(void);
static void ngx_http_clipper_wake_pause(ngx_connection_t *c);
static void ngx_http_clipper_wake_tick(ngx_event_t *ev);
static void ngx_http_clipper_wake_local(ngx_event_t *ev);
static void ngx_http_clipper_wake_ring(uint32_t slot);


static ngx_connection_t  *ngx_http_clipper_wake_connection;
static ngx_event_t        ngx_http_clipper_wake_event;
static ngx_event_t        ngx_http_clipper_wake_paused;
static ngx_uint_t         ngx_http_clipper_wake_falses;
static ngx_uint_t         ngx_http_clipper_wake_ticks;
static ngx_msec_t         ngx_http_clipper_wake_since;  /* they are counted */


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
    ngx_http_clipper_watch_alone(&ngx_http_clipper_wake_paused, cycle->log,
                                 ngx_http_clipper_wake_tick);
    ngx_http_clipper_wake_paused.cancelable = 1;

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

    if (ngx_http_clipper_wake_paused.timer_set) {
        ngx_del_timer(&ngx_http_clipper_wake_paused);
    }
}


static void
ngx_http_clipper_wake_read(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close || c->error) {
        ngx_http_clipper_process.retire(c->error);
        c->close = 0;
        c->error = 0;
        return;
    }

    /* while rings are left, a ring that finds no room tells nothing */

    for (i = 0;
         ngx_http_clipper_wake_drain(c) == NGX_HTTP_CLIPPER_WAKE_DRAIN;
         i++)
    {
        if (i == NGX_HTTP_CLIPPER_WAKE_FALSE / NGX_HTTP_CLIPPER_WAKE_DRAIN) {
            ngx_http_clipper_wake_pause(c);
            break;
        }
    }

    if (!ngx_http_clipper_wake_is_false()) {
        ngx_http_clipper_process.work();
        return;
    }

    if (ngx_current_msec - ngx_http_clipper_wake_since
        > NGX_HTTP_CLIPPER_WAKE_SPAN)
    {
        ngx_http_clipper_wake_since = ngx_current_msec;
        ngx_http_clipper_wake_falses = 0;
    }

    if (++ngx_http_clipper_wake_falses > NGX_HTTP_CLIPPER_WAKE_FALSE) {
        ngx_http_clipper_wake_pause(c);
    }
}


/* reads some rings, and returns their number */

static ngx_uint_t
ngx_http_clipper_wake_drain(ngx_connection_t *c)
{
    int             n;
    u_char          buf[NGX_HTTP_CLIPPER_WAKE_DRAIN];
    ngx_uint_t      i;
    struct iovec    iov[NGX_HTTP_CLIPPER_WAKE_DRAIN];
    struct mmsghdr  msgs[NGX_HTTP_CLIPPER_WAKE_DRAIN];

    ngx_memzero(msgs, sizeof(msgs));

    for (i = 0; i < NGX_HTTP_CLIPPER_WAKE_DRAIN; i++) {
        iov[i].iov_base = &buf[i];
        iov[i].iov_len = 1;
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }

    n = recvmmsg(c->fd, msgs, NGX_HTTP_CLIPPER_WAKE_DRAIN, MSG_DONTWAIT, NULL);

    return n > 0 ? (ngx_uint_t) n : 0;
}


/*
 * Any process of the machine can ring, but only a worker disarms the doorbell
 * before.
 */

static ngx_uint_t
ngx_http_clipper_wake_is_false(void)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    return __atomic_load_n(&zone->workers[zone->slot].armed, __ATOMIC_ACQUIRE);
}


/*
 * Too many false rings: the worker ignores the socket until they end, and
 * checks by itself whether a worker has rung.  Meanwhile the socket is full, so
 * false rings cost it nothing.
 */

static void
ngx_http_clipper_wake_pause(ngx_connection_t *c)
{
    if (ngx_http_clipper_wake_paused.timer_set
        || ngx_del_event(c->read, NGX_READ_EVENT, 0) != NGX_OK)
    {
        return;
    }

    ngx_http_clipper_wake_ticks = 0;
    ngx_add_timer(&ngx_http_clipper_wake_paused, NGX_HTTP_CLIPPER_WAKE_TICK);
}


static void
ngx_http_clipper_wake_tick(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ngx_http_clipper_wake_connection;

    if (++ngx_http_clipper_wake_ticks % NGX_HTTP_CLIPPER_WAKE_TICKS
        || ngx_http_clipper_wake_drain(c) != 0
        || ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK)
    {
        ngx_add_timer(ev, NGX_HTTP_CLIPPER_WAKE_TICK);
    }

    if (!ngx_http_clipper_wake_is_false()) {
        ngx_http_clipper_process.work();
    }
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
                      "waking worker %uD failed", clipper_lock_pid(w->pid));
        return;
    }

    ngx_http_clipper_process.bury();
}

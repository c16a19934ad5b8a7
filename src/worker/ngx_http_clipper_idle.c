
/*
 * Client connections without a request, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "worker/ngx_http_clipper_idle.h"
#include "worker/ngx_http_clipper_watch.h"


#define NGX_HTTP_CLIPPER_IDLE_AGE   1000        /* ms, of silent ones */
#define NGX_HTTP_CLIPPER_IDLE_KEPT  500         /* ms, for kept ones */
#define NGX_HTTP_CLIPPER_IDLE_TICK  100         /* ms */


static void ngx_http_clipper_idle_tick(ngx_event_t *ev);
static ngx_uint_t ngx_http_clipper_idle_is_silent(ngx_connection_t *c);
static ngx_uint_t ngx_http_clipper_idle_is_kept(ngx_connection_t *c);


static ngx_event_t        ngx_http_clipper_idle_event;
static uint32_t          *ngx_http_clipper_idle_waiting;
static ngx_msec_t         ngx_http_clipper_idle_since;


void
ngx_http_clipper_idle_retire(ngx_cycle_t *cycle, uint32_t *waiting)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    ngx_http_clipper_idle_waiting = waiting;
    ngx_http_clipper_idle_since = ngx_current_msec;

    /*
     * nginx walks through its connections and closes idle ones: the doorbell,
     * which is why we are here, comes before those of clients.
     */

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        c = &ngx_cycle->connections[i];

        if (c->idle && ngx_http_clipper_idle_is_kept(c)) {
            c->idle = 0;
        }
    }

    ngx_http_clipper_watch_alone(&ngx_http_clipper_idle_event, cycle->log,
                                 ngx_http_clipper_idle_tick);

    /* those connections have their own timers, which keep the worker alive */
    ngx_http_clipper_idle_event.cancelable = 1;

    ngx_http_clipper_idle_tick(&ngx_http_clipper_idle_event);
}


void
ngx_http_clipper_idle_done(void)
{
    if (ngx_http_clipper_idle_event.timer_set) {
        ngx_del_timer(&ngx_http_clipper_idle_event);
    }
}


static void
ngx_http_clipper_idle_tick(ngx_event_t *ev)
{
    uint32_t           waiting;
    ngx_uint_t         i, stays;
    ngx_connection_t  *c;

    waiting = 0;

    for (i = 0; i < ngx_cycle->connection_n; i++) {
        c = &ngx_cycle->connections[i];

        if (!ngx_http_clipper_idle_is_silent(c)) {
            continue;
        }

        stays = ngx_http_clipper_idle_is_kept(c)
                ? ngx_current_msec - ngx_http_clipper_idle_since
                  < NGX_HTTP_CLIPPER_IDLE_KEPT
                : ngx_current_msec - c->start_time
                  < NGX_HTTP_CLIPPER_IDLE_AGE;

        if (stays) {
            waiting++;
            continue;
        }

        c->close = 1;
        c->read->handler(c->read);
    }

    __atomic_store_n(ngx_http_clipper_idle_waiting, waiting, __ATOMIC_RELAXED);

    if (waiting) {
        ngx_add_timer(ev, NGX_HTTP_CLIPPER_IDLE_TICK);
    }
}


/*
 * Only HTTP connections that wait for their first byte are reusable and not
 * idle, and kept ones that are not idle any more.  If a byte is pending in the
 * socket, a request is about to come.
 */

static ngx_uint_t
ngx_http_clipper_idle_is_silent(ngx_connection_t *c)
{
    u_char  byte;

    if (c->fd == (ngx_socket_t) -1
        || !c->reusable
        || c->idle
        || c->listening == NULL
        || c->listening->handler != ngx_http_init_connection)
    {
        return 0;
    }

    return recv(c->fd, &byte, 1, MSG_PEEK|MSG_DONTWAIT) == -1
           && ngx_socket_errno == NGX_EAGAIN;
}


/* waits for its next request; HTTP/2 has an end of its own */

static ngx_uint_t
ngx_http_clipper_idle_is_kept(ngx_connection_t *c)
{
    return c->fd != (ngx_socket_t) -1
           && c->reusable
           && c->listening
           && c->listening->handler == ngx_http_init_connection
           && c->log->action
           && ngx_strcmp(c->log->action, "keepalive") == 0;
}

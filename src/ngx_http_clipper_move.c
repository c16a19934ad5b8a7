
/*
 * The end of a worker: its containers move to another one, so that a reload
 * costs no answer.  Version 4 is told to connect anew and lets go of the old
 * connection when it is ready on the new one.  Version 3 only notices that it
 * was disconnected: one goes after the other, while the others carry the load.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_clipper_process.h"
#include "ngx_http_clipper_replica.h"


#define NGX_HTTP_CLIPPER_MOVE_STEP     20          /* ms */
#define NGX_HTTP_CLIPPER_MOVE_RETURN   7000000     /* us for version 3 */
#define NGX_HTTP_CLIPPER_MOVE_WAIT     10000000    /* us for version 4 */
#define NGX_HTTP_CLIPPER_MOVE_LONGEST  60000000    /* us for all */
#define NGX_HTTP_CLIPPER_MOVE_QUIT     200000      /* us, no worker stays */


static void ngx_http_clipper_move_step(ngx_event_t *ev);
static ngx_uint_t ngx_http_clipper_move_alone(void);
static ngx_uint_t ngx_http_clipper_move_one(
    ngx_http_clipper_replica_t *replica, uint64_t now_us, ngx_uint_t now);


static ngx_event_t       ngx_http_clipper_move_event;
static ngx_connection_t  ngx_http_clipper_move_dummy;
static uint64_t          ngx_http_clipper_move_begun_us;

/* the version 3 container that was disconnected last */

static uint64_t          ngx_http_clipper_move_last_us;
static uint32_t          ngx_http_clipper_move_model;
static uint32_t          ngx_http_clipper_move_members;


void
ngx_http_clipper_move_done(void)
{
    if (ngx_http_clipper_move_event.timer_set) {
        ngx_del_timer(&ngx_http_clipper_move_event);
    }
}


void
ngx_http_clipper_replica_retire(ngx_uint_t now)
{
    ngx_queue_t                 *q;
    ngx_http_clipper_replica_t  *replica;

    if (now) {
        for (q = ngx_queue_head(&ngx_http_clipper_replicas);
             q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
             q = ngx_queue_next(q))
        {
            replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);
            ngx_http_clipper_rpc_shutdown(replica->fd);
        }

        if (ngx_http_clipper_move_event.timer_set) {
            ngx_del_timer(&ngx_http_clipper_move_event);
        }

        return;
    }

    ngx_http_clipper_move_dummy.fd = (ngx_socket_t) -1;
    ngx_http_clipper_move_event.handler = ngx_http_clipper_move_step;
    ngx_http_clipper_move_event.data = &ngx_http_clipper_move_dummy;
    ngx_http_clipper_move_event.log = ngx_http_clipper_process.log;

    ngx_http_clipper_move_begun_us = ngx_http_clipper_now_us();
    ngx_http_clipper_move_step(&ngx_http_clipper_move_event);
}


/* moves who can be moved now; the timer keeps the worker until all are gone */

static void
ngx_http_clipper_move_step(ngx_event_t *ev)
{
    uint64_t                     now_us, age_us;
    ngx_queue_t                 *q, *next;
    ngx_uint_t                   late, quit, end;
    ngx_http_clipper_replica_t  *replica;

    now_us = ngx_http_clipper_now_us();
    age_us = now_us - ngx_http_clipper_move_begun_us;
    late = age_us > NGX_HTTP_CLIPPER_MOVE_LONGEST;
    quit = age_us > NGX_HTTP_CLIPPER_MOVE_QUIT
           && ngx_http_clipper_move_alone();

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = next)
    {
        next = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);

        end = late;

        /* what still waits is served before the server ends */

        if (quit && !replica->in_flight
            && ngx_http_clipper_process.zone->models[replica->model].queued
               == 0)
        {
            end = 1;
        }

        if (ngx_http_clipper_move_one(replica, now_us, end)) {
            ngx_http_clipper_replica_gone(replica, "moved to another worker");
        }
    }

    if (ngx_queue_empty(&ngx_http_clipper_replicas)) {
        ngx_http_clipper_rpc_unbind();
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_CLIPPER_MOVE_STEP);
}


/* no worker stays to which a replica could move: the server ends */

static ngx_uint_t
ngx_http_clipper_move_alone(void)
{
    ngx_uint_t                  i;
    ngx_http_clipper_zone_t    *zone;
    ngx_http_clipper_worker_t  *w;

    zone = ngx_http_clipper_process.zone;

    for (i = 1; i < NGX_HTTP_CLIPPER_WORKERS; i++) {
        w = &zone->workers[i];

        if (__atomic_load_n(&w->state, __ATOMIC_RELAXED)
            != NGX_HTTP_CLIPPER_FREE
            && !__atomic_load_n(&w->retiring, __ATOMIC_RELAXED))
        {
            return 0;
        }
    }

    return 1;
}


/* 1: its connection has been ended, and with it the replica here */

static ngx_uint_t
ngx_http_clipper_move_one(ngx_http_clipper_replica_t *replica,
    uint64_t now_us, ngx_uint_t now)
{
    uint32_t                        members;
    ngx_uint_t                      n;
    ngx_http_clipper_proto_frame_t  frames[
                                        NGX_HTTP_CLIPPER_PROTO_CONTROL_FRAMES];

    if (replica->codec->version == NGX_HTTP_CLIPPER_PROTO_V4 && !now) {

        if (!replica->moving) {
            replica->moving = 1;
            replica->moved_us = now_us;

            n = ngx_http_clipper_proto_move(frames);
            return ngx_http_clipper_rpc_control(&replica->id, frames, n)
                   != NGX_OK;
        }

        if (now_us - replica->moved_us < NGX_HTTP_CLIPPER_MOVE_WAIT) {
            return 0;
        }
    }

    /*
     * Version 3 notices nothing until it has been silent for 5 s: one after
     * the other, when the last one is back or was too long away.
     */

    if (!now) {
        if (replica->in_flight) {
            return 0;
        }

        members = ngx_http_clipper_process.zone
                      ->models[ngx_http_clipper_move_model].members;

        if (ngx_http_clipper_move_last_us
            && members < ngx_http_clipper_move_members
            && now_us - ngx_http_clipper_move_last_us
               < NGX_HTTP_CLIPPER_MOVE_RETURN)
        {
            return 0;
        }

        ngx_http_clipper_move_last_us = now_us;
        ngx_http_clipper_move_model = replica->model;
        ngx_http_clipper_move_members =
            ngx_http_clipper_process.zone->models[replica->model].members;
    }

    ngx_http_clipper_rpc_shutdown(replica->fd);

    return 1;
}


/*
 * Containers move to another worker, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "replica/ngx_http_clipper_replica_move.h"
#include "replica/ngx_http_clipper_replica.h"
#include "replica/ngx_http_clipper_rpc_bind.h"
#include "replica/ngx_http_clipper_rpc_message.h"
#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_registry_turn.h"


#define NGX_HTTP_CLIPPER_MOVE_SOON     5           /* ms, after its batch */
#define NGX_HTTP_CLIPPER_MOVE_STEP     20          /* ms, while one moves */
#define NGX_HTTP_CLIPPER_MOVE_PAUSE    200         /* ms, while all wait */
#define NGX_HTTP_CLIPPER_MOVE_WAIT     10000000    /* us for version 4 */
#define NGX_HTTP_CLIPPER_MOVE_BATCH    60000000    /* us for the last batch */
#define NGX_HTTP_CLIPPER_MOVE_LONGEST  600000000   /* us for all */
#define NGX_HTTP_CLIPPER_MOVE_QUIT     200000      /* us, no worker stays */


static void ngx_http_clipper_move_step(ngx_event_t *ev);
static ngx_uint_t ngx_http_clipper_move_alone(uint64_t now_us);
static ngx_msec_t ngx_http_clipper_move_one(
    ngx_http_clipper_replica_t *replica, uint64_t now_us);
static ngx_msec_t ngx_http_clipper_move_told(
    ngx_http_clipper_replica_t *replica, uint64_t now_us);
static ngx_msec_t ngx_http_clipper_move_turn(
    ngx_http_clipper_replica_t *replica, uint64_t now_us);
static void ngx_http_clipper_move_close(ngx_http_clipper_replica_t *replica,
    uint64_t now_us);


static ngx_event_t       ngx_http_clipper_move_event;
static ngx_connection_t  ngx_http_clipper_move_dummy;
static uint64_t          ngx_http_clipper_move_begun_us;
static uint64_t          ngx_http_clipper_move_others_us;  /* last seen */


void
ngx_http_clipper_replica_move_done(void)
{
    if (ngx_http_clipper_move_event.timer_set) {
        ngx_del_timer(&ngx_http_clipper_move_event);
    }
}


void
ngx_http_clipper_replica_move_retire(ngx_uint_t now)
{
    ngx_queue_t                 *q;
    ngx_http_clipper_replica_t  *replica;

    ngx_http_clipper_rpc_monitor_sync();

    if (now) {
        while (!ngx_queue_empty(&ngx_http_clipper_replicas)) {
            q = ngx_queue_head(&ngx_http_clipper_replicas);
            replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);
            ngx_http_clipper_rpc_shutdown(replica->fd);
            ngx_http_clipper_replica_gone(replica, "worker_shutdown_timeout");
        }

        ngx_http_clipper_rpc_unbind();

        if (ngx_http_clipper_move_event.timer_set) {
            ngx_del_timer(&ngx_http_clipper_move_event);
        }

        return;
    }

    ngx_http_clipper_move_dummy.fd = (ngx_socket_t) -1;
    ngx_http_clipper_move_event.handler = ngx_http_clipper_move_step;
    ngx_http_clipper_move_event.data = &ngx_http_clipper_move_dummy;
    ngx_http_clipper_move_event.log = ngx_http_clipper_process.log;

    ngx_http_clipper_move_begun_us = clipper_clock_us();
    ngx_http_clipper_move_others_us = ngx_http_clipper_move_begun_us;
    ngx_http_clipper_move_step(&ngx_http_clipper_move_event);
}


/*
 * Moves the replicas that may move now; the timer holds the worker until all
 * are gone.  A worker that keeps some leaves newcomers to the others.
 */

static void
ngx_http_clipper_move_step(ngx_event_t *ev)
{
    uint64_t                     now_us;
    ngx_msec_t                   next, wait;
    ngx_uint_t                   late, alone;
    ngx_queue_t                 *q, *following;
    ngx_http_clipper_replica_t  *replica;

    ngx_http_clipper_rpc_monitor_sync();

    now_us = clipper_clock_us();
    late = now_us - ngx_http_clipper_move_begun_us
           > NGX_HTTP_CLIPPER_MOVE_LONGEST;
    alone = ngx_http_clipper_move_alone(now_us);
    next = NGX_HTTP_CLIPPER_MOVE_PAUSE;

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = following)
    {
        following = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);

        /* the server ends: serves what is still queued */

        if (late
            || (alone && !replica->in_flight
                && ngx_http_clipper_process.zone->models[replica->model].queued
                   == 0))
        {
            ngx_http_clipper_move_close(replica, now_us);
            continue;
        }

        wait = ngx_http_clipper_move_one(replica, now_us);
        next = wait ? ngx_min(next, wait) : next;
    }

    if (ngx_queue_empty(&ngx_http_clipper_replicas)) {
        ngx_http_clipper_rpc_unbind();
        return;
    }

    ngx_http_clipper_rpc_bind_deaf(
                     clipper_registry_staying(ngx_http_clipper_process.zone));

    ngx_add_timer(ev, next);
}


/*
 * Whether the server ends: no worker is left that a replica could move to.  A
 * worker that has died is replaced within this time.  In a reload the new ones
 * may be slow to begin; whether any is awaited is read first: then it has
 * begun, or stays.
 */

static ngx_uint_t
ngx_http_clipper_move_alone(uint64_t now_us)
{
    if (clipper_registry_awaited(ngx_http_clipper_process.zone)
        || clipper_registry_staying(ngx_http_clipper_process.zone))
    {
        ngx_http_clipper_move_others_us = now_us;
        return 0;
    }

    return now_us - ngx_http_clipper_move_others_us
           > NGX_HTTP_CLIPPER_MOVE_QUIT;
}


/* the time in ms after which to look at it again; 0: it is gone */

static ngx_msec_t
ngx_http_clipper_move_one(ngx_http_clipper_replica_t *replica,
    uint64_t now_us)
{
    ngx_msec_t  wait;

    wait = replica->codec->version == CLIPPER_PROTO_V4
           ? ngx_http_clipper_move_told(replica, now_us)
           : ngx_http_clipper_move_turn(replica, now_us);

    if (wait == 0) {
        ngx_http_clipper_move_close(replica, now_us);
    }

    return wait;
}


/* version 4 moves when it is told to; 0: it does not, or its end was missed */

static ngx_msec_t
ngx_http_clipper_move_told(ngx_http_clipper_replica_t *replica,
    uint64_t now_us)
{
    ngx_int_t              rc;
    ngx_uint_t             n;
    clipper_proto_frame_t  frames[CLIPPER_PROTO_CONTROL_FRAMES];

    if (replica->moving) {

        /* it may read MOVE only after its batch */

        if (replica->in_flight && !replica->probing
            && now_us - ngx_http_clipper_move_begun_us
               < NGX_HTTP_CLIPPER_MOVE_BATCH)
        {
            replica->moved_us = now_us;
        }

        return now_us - replica->moved_us < NGX_HTTP_CLIPPER_MOVE_WAIT
               ? NGX_HTTP_CLIPPER_MOVE_STEP : 0;
    }

    replica->moving = 1;
    replica->moved_us = now_us;

    n = clipper_proto_move(frames);
    rc = ngx_http_clipper_rpc_message_control(&replica->id, frames, n);

    return rc == NGX_OK ? NGX_HTTP_CLIPPER_MOVE_STEP : 0;
}


/*
 * Version 3 is disconnected when it is its turn, after its batch; 0: now.
 * Until then it serves.  It must not meet an old worker that has yet to hear
 * of the reload: it could not leave that one for a minute.
 */

static ngx_msec_t
ngx_http_clipper_move_turn(ngx_http_clipper_replica_t *replica,
    uint64_t now_us)
{
    uint64_t         wait_us;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    if (!replica->moving) {

        if (clipper_registry_reloading(zone)
            || !clipper_registry_staying(zone))
        {
            return NGX_HTTP_CLIPPER_MOVE_STEP;
        }

        clipper_zone_lock(zone);

        wait_us = clipper_registry_turn_take_locked(zone, replica->row, now_us);

        if (wait_us == 0) {
            clipper_registry_replica_leaving_locked(zone, replica->row);
        }

        clipper_zone_unlock(zone);

        /* the one that is away may be back at any time */

        if (wait_us) {
            return wait_us > CLIPPER_TURN_AWAY_US
                   ? NGX_HTTP_CLIPPER_MOVE_PAUSE : NGX_HTTP_CLIPPER_MOVE_STEP;
        }

        replica->moving = 1;
        replica->moved_us = now_us;
    }

    return replica->in_flight
           && now_us - replica->moved_us < NGX_HTTP_CLIPPER_MOVE_BATCH
           ? NGX_HTTP_CLIPPER_MOVE_SOON : 0;
}


static void
ngx_http_clipper_move_close(ngx_http_clipper_replica_t *replica,
    uint64_t now_us)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    clipper_zone_lock(zone);
    clipper_registry_turn_away_locked(zone, replica->row, now_us);
    clipper_zone_unlock(zone);

    ngx_http_clipper_rpc_shutdown(replica->fd);
    ngx_http_clipper_replica_gone(replica, "moved to another worker");
}

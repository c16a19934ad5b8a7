
/*
 * Containers move to another worker, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "replica/ngx_http_clipper_replica_move.h"
#include "replica/ngx_http_clipper_replica.h"
#include "replica/ngx_http_clipper_rpc_message.h"
#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_registry_replica.h"


#define NGX_HTTP_CLIPPER_MOVE_STEP     20          /* ms */
#define NGX_HTTP_CLIPPER_MOVE_GATHER   100000      /* us, workers retire */
#define NGX_HTTP_CLIPPER_MOVE_RETURN   7000000     /* us for version 3 */
#define NGX_HTTP_CLIPPER_MOVE_WAIT     10000000    /* us for version 4 */
#define NGX_HTTP_CLIPPER_MOVE_LONGEST  60000000    /* us for all */
#define NGX_HTTP_CLIPPER_MOVE_QUIT     200000      /* us, no worker stays */


static void ngx_http_clipper_move_step(ngx_event_t *ev);
static ngx_uint_t ngx_http_clipper_move_one(
    ngx_http_clipper_replica_t *replica, uint64_t now_us, ngx_uint_t now);
static ngx_uint_t ngx_http_clipper_move_turn(
    ngx_http_clipper_replica_t *replica, uint64_t now_us);


static ngx_event_t       ngx_http_clipper_move_event;
static ngx_connection_t  ngx_http_clipper_move_dummy;
static uint64_t          ngx_http_clipper_move_begun_us;


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

    ngx_http_clipper_move_begun_us = clipper_clock_us();
    ngx_http_clipper_move_step(&ngx_http_clipper_move_event);
}


/*
 * moves the replicas that may move now; the timer holds the worker until all
 * are gone
 */

static void
ngx_http_clipper_move_step(ngx_event_t *ev)
{
    uint64_t                     now_us, age_us;
    ngx_queue_t                 *q, *next;
    ngx_uint_t                   late, quit, end;
    ngx_http_clipper_replica_t  *replica;

    ngx_http_clipper_rpc_monitor_sync();

    now_us = clipper_clock_us();
    age_us = now_us - ngx_http_clipper_move_begun_us;
    late = age_us > NGX_HTTP_CLIPPER_MOVE_LONGEST;

    /*
     * In a reload the new workers may be slow to begin.  Whether any is
     * awaited is read first: then it has begun, or stays.
     */

    quit = age_us > NGX_HTTP_CLIPPER_MOVE_QUIT
           && !clipper_registry_awaited(ngx_http_clipper_process.zone)
           && !clipper_registry_staying(ngx_http_clipper_process.zone);

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = next)
    {
        next = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);

        end = late;

        /* the server ends: serves what is still queued */

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


/* 1: its connection was closed, and its replica here removed */

static ngx_uint_t
ngx_http_clipper_move_one(ngx_http_clipper_replica_t *replica,
    uint64_t now_us, ngx_uint_t now)
{
    ngx_uint_t             n;
    clipper_proto_frame_t  frames[CLIPPER_PROTO_CONTROL_FRAMES];

    if (!now && replica->codec->version == CLIPPER_PROTO_V4) {

        if (!replica->moving) {
            replica->moving = 1;
            replica->moved_us = now_us;

            n = clipper_proto_move(frames);
            return ngx_http_clipper_rpc_message_control(&replica->id, frames, n)
                   != NGX_OK;
        }

        if (now_us - replica->moved_us < NGX_HTTP_CLIPPER_MOVE_WAIT) {
            return 0;
        }

    } else if (!now) {

        if (!replica->moving
            && clipper_registry_staying(ngx_http_clipper_process.zone))
        {
            replica->moving = ngx_http_clipper_move_turn(replica, now_us);
        }

        if (!replica->moving || replica->in_flight) {
            return 0;
        }
    }

    ngx_http_clipper_rpc_shutdown(replica->fd);

    return 1;
}


/*
 * Version 3 notices a lost connection only after 5 s of silence, so the
 * replicas of a model move one after the other, also if several workers
 * retire.  The next one is the first row among them; it goes when the number
 * of replicas is back to what it was, or when one has been away for too long.
 * 1: it goes, and gets no more work.
 */

static ngx_uint_t
ngx_http_clipper_move_turn(ngx_http_clipper_replica_t *replica,
    uint64_t now_us)
{
    uint32_t                i, members;
    ngx_uint_t              turn;
    clipper_zone_t         *zone;
    clipper_replica_row_t  *r;

    zone = ngx_http_clipper_process.zone;
    members = 0;
    turn = now_us - ngx_http_clipper_move_begun_us
           > NGX_HTTP_CLIPPER_MOVE_GATHER;

    clipper_zone_lock(zone);

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == CLIPPER_FREE || r->model != replica->model
            || r->rpc_version != CLIPPER_PROTO_V3)
        {
            continue;
        }

        members++;

        if (i < replica->row && zone->workers[r->worker].retiring) {
            turn = 0;
        }
    }

    if (members >= replica->members) {
        replica->members = members;
        replica->moved_us = now_us;

    } else if (now_us - replica->moved_us < NGX_HTTP_CLIPPER_MOVE_RETURN) {
        turn = 0;
    }

    if (turn) {
        clipper_registry_replica_leaving_locked(zone, replica->row);
    }

    clipper_zone_unlock(zone);

    return turn;
}


/*
 * What a replica leaves to others of its model, see the header.
 */


#include "shm/clipper_queue_peer.h"
#include "batch/clipper_batch_late.h"
#include "batch/clipper_batch_profile.h"
#include "shm/clipper_door.h"
#include "shm/clipper_queue.h"


/* by this factor slower: others have the first right to what waits */
#define CLIPPER_PEER_SLOWER  1.5


static clipper_replica_row_t *clipper_queue_peer_fastest_locked(
    clipper_zone_t *zone, clipper_replica_row_t *r);


void
clipper_queue_peer_observe_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_batch_conf_t *conf, uint64_t now_us, ngx_uint_t n,
    uint64_t latency_us, ngx_uint_t on_time)
{
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r, *f;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];

    /* its copies were for that */

    if (r->copied && clipper_batch_profile_exception(&r->batch, n,
                                                     (double) latency_us)) {
        return;
    }

    clipper_batch_observe(&r->batch, conf, now_us, n, latency_us, on_time);

    f = &zone->replicas[model->fastest];

    if (model->fastest == 0
        || f->state != CLIPPER_READY
        || f->model != r->model
        || clipper_batch_latency(&r->batch, 1)
           <= clipper_batch_latency(&f->batch, 1))
    {
        model->fastest = replica;
    }
}


clipper_replica_row_t *
clipper_queue_peer_faster_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r)
{
    uint64_t                us;
    clipper_replica_row_t  *f;

    clipper_zone_locked(zone);

    f = clipper_queue_peer_fastest_locked(zone, r);

    if (f == NULL || f->copied) {
        return NULL;
    }

    us = clipper_batch_latency(&f->batch, 1);

    return us && (double) clipper_batch_latency(&r->batch, 1)
                 > CLIPPER_PEER_SLOWER * (double) us
           ? f : NULL;
}


/* the fastest replica of the model, unless that is this one; or NULL */

static clipper_replica_row_t *
clipper_queue_peer_fastest_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r)
{
    uint32_t                fastest;
    clipper_replica_row_t  *f;

    clipper_zone_locked(zone);

    fastest = zone->models[r->model].fastest;
    f = &zone->replicas[fastest];

    return fastest
           && f != r
           && f->state == CLIPPER_READY
           && f->model == r->model
           && f->input_type == r->input_type
           ? f : NULL;
}


uint64_t
clipper_queue_peer_late_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r, ngx_uint_t n)
{
    uint64_t                own_us, us;
    clipper_replica_row_t  *f;

    clipper_zone_locked(zone);

    own_us = clipper_batch_late(&r->batch, n);
    f = clipper_queue_peer_fastest_locked(zone, r);
    us = f ? clipper_batch_late(&f->batch, n) : 0;

    if (us == 0 || own_us == 0) {
        return us + own_us;
    }

    return ngx_min(us, own_us);
}


/*
 * The queue is not for this replica when even its last input has too little
 * time.  Else it is left to the others if they will have served all that waits
 * when half of the time is over: a batch or more each, after half a one that
 * is under way.  More than that is an overload, and any help is welcome.
 */

ngx_uint_t
clipper_queue_peer_leaves(const clipper_replica_row_t *r,
    const clipper_replica_row_t *faster, const clipper_take_t *take,
    const clipper_batch_load_t *load)
{
    double      us;
    ngx_uint_t  n, size, others;

    if ((int64_t) clipper_batch_latency(&r->batch, 1) > load->tail_us) {
        return 1;
    }

    others = ngx_max(load->replicas, 2) - 1;
    n = (load->queued + others - 1) / others;
    size = ngx_min(n, clipper_batch_most(&faster->batch, take->conf));
    size = ngx_max(size, 1);

    us = (double) clipper_batch_latency(&faster->batch, size)
         * ((double) n / (double) size + 0.5);

    return us <= (double) load->tail_us / 2;
}


void
clipper_queue_peer_notify_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r)
{
    uint32_t                replica, best;
    uint64_t                us, best_us;
    ngx_uint_t              i;
    clipper_replica_row_t  *other;

    clipper_zone_locked(zone);

    best = 0;
    best_us = clipper_batch_latency(&r->batch, 1);
    replica = zone->models[r->model].idle;

    for (i = 0; replica && i < CLIPPER_QUEUE_IDLE; i++, replica = other->next) {
        other = &zone->replicas[replica];
        us = clipper_batch_latency(&other->batch, 1);

        if (us < best_us) {
            best = replica;
            best_us = us;
        }
    }

    if (best) {
        clipper_door_wake_locked(zone, zone->replicas[best].worker);
    }
}


void
clipper_queue_peer_share_locked(clipper_zone_t *zone, uint32_t flight)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    clipper_row_publish(f->state, CLIPPER_QUEUED);
    clipper_queue_insert_locked(zone, flight);
    zone->models[f->model].known++;

    /* it waits as long as it can be answered, by the waiters that are left */

    f->hedged_us = f->deadline_us;
}

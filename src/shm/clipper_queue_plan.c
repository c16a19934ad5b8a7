
/*
 * What a replica may take now, see the header.
 */


#include "shm/clipper_queue_plan.h"
#include "batch/clipper_batch_profile_risk.h"
#include "shm/clipper_mailbox.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue_peer.h"


#define CLIPPER_QUEUE_DROPS  256                /* flights, under one lock */


/* us: a replica that left all to others looks again after it */
#define CLIPPER_QUEUE_LEFT_US  5000


static void clipper_queue_plan_expire_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r, const clipper_take_t *take, int64_t need_us,
    ngx_uint_t *drops);


ngx_uint_t
clipper_queue_plan_locked(clipper_zone_t *zone, clipper_replica_row_t *r,
    clipper_take_t *take)
{
    uint64_t              ready_us;
    ngx_uint_t            drops;
    clipper_flight_t     *f;
    clipper_model_row_t  *model;
    clipper_batch_load_t    load;
    clipper_batch_plan_t    plan;
    clipper_replica_row_t  *faster;

    clipper_zone_locked(zone);

    model = &zone->models[r->model];
    faster = clipper_queue_peer_faster_locked(zone, r);
    ready_us = take->now_us + take->margin_us;
    plan.need_us = 0;
    drops = CLIPPER_QUEUE_DROPS;

    for ( ;; ) {
        clipper_queue_plan_expire_locked(zone, r, take, plan.need_us, &drops);

        if (model->root == 0) {
            return 0;
        }

        if (drops == 0) {
            take->wait_us = 1;
            return 0;
        }

        f = &zone->flights[model->root];

        load.now_us = take->now_us;
        load.queued = model->queued;
        load.replicas = model->replicas;
        load.rate = model->rate;
        load.head_us = (int64_t) (f->deadline_us - ready_us);
        load.tail_us = (int64_t) (model->tail_us - ready_us);
        load.waited_us = take->now_us > f->queued_us
                         ? take->now_us - f->queued_us : 0;
        load.slower = (faster != NULL);
        load.dear = (faster != NULL && take->once);

        switch (clipper_batch_plan(&r->batch, take->conf, &load, &plan))
        {
        case NGX_OK:
            return ngx_min(plan.take, take->max);

        case NGX_AGAIN:
            take->wait_us = plan.wait_us;
            return 0;

        default: /* NGX_DECLINED */
            plan.need_us = ngx_max(plan.need_us, load.head_us + 1);

            if (faster == NULL
                || !clipper_queue_peer_leaves(r, faster, take, &load))
            {
                break;
            }

            plan.need_us = (int64_t)
                clipper_batch_profile_risk_least(&faster->batch) + 1;

            if (load.head_us >= plan.need_us) {
                clipper_queue_peer_notify_locked(zone, r);
                take->wait_us = CLIPPER_QUEUE_LEFT_US;
                return 0;
            }
        }
    }
}


/*
 * Drops flights from the head that have less than need_us left when an answer
 * can be there; a flight that the replica could still answer alone makes room
 * for others.  Flights queued by workers of an older configuration may have
 * another type than the replica.  At most *drops flights are dropped; then
 * other workers get the lock, and the replica asks again.
 */

static void
clipper_queue_plan_expire_locked(clipper_zone_t *zone, clipper_replica_row_t *r,
    const clipper_take_t *take, int64_t need_us, ngx_uint_t *drops)
{
    uint32_t              flight;
    uint64_t              ready_us, alone_us, bound_us;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    model = &zone->models[r->model];
    ready_us = take->now_us + take->margin_us;
    bound_us = ready_us + need_us;
    alone_us = ready_us + clipper_batch_latency(&r->batch, 1);

    for ( /* void */ ; model->root && *drops; (*drops)--) {
        flight = model->root;

        if (zone->flights[flight].input_type != r->input_type) {
            clipper_queue_plan_drop_locked(zone, flight, (uint64_t) -1,
                                      CLIPPER_RESULT_ERROR);
            continue;
        }

        if (zone->flights[flight].deadline_us >= bound_us
            && !clipper_queue_hedge_stale(&zone->flights[flight],
                                          take->now_us))
        {
            break;
        }

        clipper_queue_plan_drop_locked(zone, flight, bound_us,
                                  zone->flights[flight].deadline_us < alone_us
                                  ? CLIPPER_RESULT_LATE
                                  : CLIPPER_RESULT_SHED);
    }
}


void
clipper_queue_plan_drop_locked(clipper_zone_t *zone, uint32_t flight,
    uint64_t bound_us, uint32_t reason)
{
    uint32_t           waiter, next;
    clipper_flight_t  *f;
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (clipper_queue_hedge_leased(f)) {
        clipper_queue_hedge_undo_locked(zone, flight);
        return;
    }

    for (waiter = f->waiters; waiter; waiter = next) {
        w = &zone->waiters[waiter];
        next = w->next;

        if (w->deadline_us >= bound_us) {
            continue;
        }

        clipper_queue_unlink_locked(zone, waiter);

        w->reason = reason;
        clipper_row_publish(w->state, CLIPPER_DROPPED);
        clipper_mailbox_post_locked(zone, waiter);
    }

    clipper_queue_remove_locked(zone, flight);

    if (f->waiters) {
        clipper_queue_insert_locked(zone, flight);
        return;
    }

    clipper_row_publish(f->state, CLIPPER_LEASED);
    clipper_queue_release_locked(zone, flight);
}

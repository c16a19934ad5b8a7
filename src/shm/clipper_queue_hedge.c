
/*
 * Second replicas for late batches, see the header.
 */


#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue.h"


/* us: how long a late batch is left alone between two looks, at least */
#define CLIPPER_HEDGE_STEP   500

/* us: an idle replica has taken a copy by then, or something else */
#define CLIPPER_HEDGE_HOLD   5000


static ngx_uint_t clipper_queue_hedge_wanted_locked(clipper_zone_t *zone,
    const clipper_lease_t *lease);
static uint64_t clipper_queue_hedge_fastest_locked(clipper_zone_t *zone,
    clipper_replica_row_t *late);


void
clipper_queue_hedge_begin(clipper_zone_t *zone,
    const clipper_lease_t *leases, ngx_uint_t n, clipper_hedge_t *hedge)
{
    uint64_t           late_us;
    clipper_flight_t  *f;

    late_us = hedge->after_us ? hedge->after_us : hedge->late_us;

    if (late_us == 0) {
        f = &zone->flights[leases[0].flight];

        /* nothing is known of the model: half of the time is left then */

        late_us = f->deadline_us > hedge->sent_us
                  ? (f->deadline_us - hedge->sent_us) / 2 : 0;
    }

    f = &zone->flights[leases[n - 1].flight];
    hedge->next_us = hedge->sent_us + ngx_max(late_us, CLIPPER_HEDGE_STEP);

    if (hedge->next_us + hedge->margin_us >= f->deadline_us) {
        hedge->next_us = 0;
    }
}


ngx_uint_t
clipper_queue_hedge_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *leases, ngx_uint_t n, clipper_hedge_t *hedge)
{
    uint64_t                ready_us, fastest_us, last_us;
    ngx_uint_t              i, copies;
    clipper_flight_t       *f;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];

    fastest_us = model->root || clipper_queue_hedge_hung(model, hedge->now_us)
                 ? 0
                 : clipper_queue_hedge_fastest_locked(zone, r);
    ready_us = hedge->now_us + hedge->margin_us;
    last_us = 0;
    copies = 0;

    for (i = 0; i < n; i++) {
        f = &zone->flights[leases[i].flight];

        if (!clipper_queue_hedge_wanted_locked(zone, &leases[i])) {
            continue;
        }

        last_us = ngx_max(last_us, f->deadline_us);

        if (fastest_us
            && model->credit > 0
            && f->state == CLIPPER_LEASED
            && f->deadline_us > ready_us + fastest_us)
        {
            model->credit -= CLIPPER_HEDGE_COST;
            f->hedged_us = hedge->now_us;
            clipper_row_publish(f->state, CLIPPER_QUEUED);
            clipper_queue_insert_locked(zone, leases[i].flight);
            model->known++;
            copies++;
        }
    }

    if (copies) {
        r->copied = 1;
        (void) clipper_queue_notify_locked(zone, r->model);
    }

    /* no replica may be idle, or none may take it: it is looked at again */

    hedge->next_us = hedge->now_us
                     + ngx_max((hedge->now_us - hedge->sent_us) / 8,
                               CLIPPER_HEDGE_STEP);

    if (hedge->next_us + hedge->margin_us >= last_us) {
        hedge->next_us = 0;
    }

    return copies;
}


/* the flight has a waiter, and only one replica has it */

static ngx_uint_t
clipper_queue_hedge_wanted_locked(clipper_zone_t *zone,
    const clipper_lease_t *lease)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[lease->flight];

    return f->gen == lease->gen
           && (f->state == CLIPPER_LEASED || f->state == CLIPPER_QUEUED)
           && f->waiters
           && f->attempts == 0
           && (f->lease[0] == 0 || f->lease[1] == 0);
}


/* what one input takes the fastest of the idle replicas, or 0: there is none */

static uint64_t
clipper_queue_hedge_fastest_locked(clipper_zone_t *zone,
    clipper_replica_row_t *late)
{
    uint32_t                replica;
    uint64_t                fastest_us, us;
    ngx_uint_t              i;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    fastest_us = 0;
    replica = zone->models[late->model].idle;

    for (i = 0; replica && i < CLIPPER_QUEUE_IDLE; i++, replica = r->next) {
        r = &zone->replicas[replica];

        if (r == late || r->input_type != late->input_type) {
            continue;
        }

        us = ngx_max(clipper_batch_latency(&r->batch, 1), 1);

        if (fastest_us == 0 || us < fastest_us) {
            fastest_us = us;
        }
    }

    return fastest_us;
}


ngx_uint_t
clipper_queue_hedge_stale(const clipper_flight_t *f, uint64_t now_us)
{
    return clipper_queue_hedge_leased(f)
           && now_us > f->hedged_us + CLIPPER_HEDGE_HOLD;
}


void
clipper_queue_hedge_undo_locked(clipper_zone_t *zone, uint32_t flight)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    zone->models[f->model].credit += CLIPPER_HEDGE_COST;
    zone->models[f->model].known--;

    clipper_queue_remove_locked(zone, flight);
    clipper_row_publish(f->state, CLIPPER_LEASED);
}


void
clipper_queue_hedge_earn_locked(clipper_zone_t *zone, uint32_t model,
    ngx_uint_t n)
{
    clipper_model_row_t  *m;

    clipper_zone_locked(zone);

    m = &zone->models[model];
    m->credit = (int32_t) ngx_min(m->credit + (int64_t) n,
                                  CLIPPER_HEDGE_CREDIT);
}

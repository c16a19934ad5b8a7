
/*
 * Batches on lease to replicas: which flights to take, and what the reply or
 * the loss of a replica means for them.
 */


#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue_peer.h"
#include "shm/clipper_queue_plan.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_mailbox.h"
#include "shm/clipper_registry_replica.h"


static void clipper_queue_rate_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, uint64_t now_us);
static ngx_uint_t clipper_queue_tries_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r, const clipper_take_t *take,
    const clipper_lease_t *lease);
static ngx_uint_t clipper_queue_alike(clipper_flight_t *f,
    clipper_flight_t *first);
static ngx_uint_t clipper_queue_most(clipper_flight_t *f, ngx_uint_t limit);
static void clipper_queue_skipped_locked(clipper_zone_t *zone, uint32_t flight,
    uint64_t now_us);
static ngx_uint_t clipper_queue_left(const clipper_flight_t *f);
static void clipper_queue_again_locked(clipper_zone_t *zone, uint32_t flight);
static void clipper_queue_done_locked(clipper_zone_t *zone, uint32_t flight,
    uint32_t result, uint64_t now_us);
static ngx_uint_t clipper_queue_unlease_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *lease);


ngx_uint_t
clipper_queue_lease_take_locked(clipper_zone_t *zone, uint32_t replica,
    clipper_take_t *take, clipper_lease_t *leases)
{
    uint32_t                flight;
    uint64_t                lease;
    ngx_uint_t              i, n, limit;
    clipper_flight_t       *f, *first;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];
    take->wait_us = 0;
    take->copies = 0;
    take->late_us = 0;

    if (r->state != CLIPPER_READY || r->busy) {
        return 0;
    }

    clipper_queue_rate_locked(zone, model, take->now_us);

    limit = clipper_queue_plan_locked(zone, r, take);

    lease = ((uint64_t) r->gen << 32) | replica;

    first = &zone->flights[model->root];

    for (n = 0; n < limit && model->root; /* void */) {
        flight = model->root;
        f = &zone->flights[flight];

        if (clipper_queue_hedge_stale(f, take->now_us)) {
            clipper_queue_hedge_undo_locked(zone, flight);
            continue;
        }

        limit = ngx_min(limit, clipper_queue_most(f, limit));

        if (n >= limit || !clipper_queue_alike(f, first)) {
            break;
        }

        clipper_queue_remove_locked(zone, flight);

        if (clipper_queue_hedge_leased(f)) {
            f->lease[f->lease[0] ? 1 : 0] = lease;
            take->copies += (f->hedged_us <= take->now_us);

        } else {
            f->lease[0] = lease;
            f->sent_us = take->now_us;
        }

        clipper_row_publish(f->state, CLIPPER_LEASED);

        leases[n].flight = flight;
        leases[n].gen = f->gen;
        n++;
    }

    model->known = model->queued;

    if (n == 0) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        f = &zone->flights[leases[i].flight];

        /*
         * a suspect keeps the size of the batch that killed its replica, the
         * smaller one if both of its replicas died
         */

        if (f->attempts == 0 && (f->batch_size == 0 || f->batch_size > n)) {
            f->batch_size = (uint32_t) n;
        }
    }

    clipper_queue_hedge_earn_locked(zone, r->model, n - take->copies);

    if (n == 1 && clipper_queue_tries_locked(zone, r, take, leases)) {
        clipper_queue_peer_share_locked(zone, leases[0].flight);
    }

    r->sent_us = take->now_us;
    r->copied = 0;
    r->busy = (uint32_t) n;
    take->late_us = clipper_queue_peer_late_locked(zone, r, n);
    clipper_registry_replica_busy_locked(zone, replica);

    if (model->root) {
        (void) clipper_queue_notify_locked(zone, r->model);
    }

    return n;
}


/*
 * Arrivals since a replica last looked: the growth of the queue, and the tasks
 * that left it without a replica; copies are not arrivals.
 */

static void
clipper_queue_rate_locked(clipper_zone_t *zone, clipper_model_row_t *model,
    uint64_t now_us)
{
    int32_t  n;

    clipper_zone_locked(zone);

    n = (int32_t) (model->queued - model->known);

    model->rate = clipper_batch_demand(model->rate, (ngx_uint_t) ngx_max(n, 0),
                                     ngx_max(now_us, model->rated_us)
                                     - model->rated_us);
    model->rated_us = now_us;
}


/* a single input that a slow replica is tried with, and others are not */

static ngx_uint_t
clipper_queue_tries_locked(clipper_zone_t *zone, clipper_replica_row_t *r,
    const clipper_take_t *take, const clipper_lease_t *lease)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[lease->flight];

    return !take->once
           && !clipper_queue_hedge_hung(&zone->models[r->model], take->now_us)
           && f->attempts == 0
           && (f->lease[0] == 0 || f->lease[1] == 0)
           && clipper_batch_latency(&r->batch, 1) + take->margin_us
              + take->now_us > f->deadline_us
           && clipper_queue_peer_faster_locked(zone, r) != NULL;
}


/*
 * Inputs whose replica was lost are asked again among themselves, in batches
 * of half the size, so that one that kills replicas affects few others.
 */

static ngx_uint_t
clipper_queue_alike(clipper_flight_t *f, clipper_flight_t *first)
{
    return f->input_type == first->input_type
           && (f->attempts == 0) == (first->attempts == 0);
}


static ngx_uint_t
clipper_queue_most(clipper_flight_t *f, ngx_uint_t limit)
{
    return f->attempts ? ngx_max(f->batch_size / 2, 1) : limit;
}


ngx_uint_t
clipper_queue_lease_settle_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *lease, const clipper_output_t *output,
    uint64_t now_us)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[lease->flight];

    if (!clipper_queue_unlease_locked(zone, replica, lease)
        || f->state == CLIPPER_DONE)
    {
        if (output->chunk) {
            clipper_chunk_free_locked(zone, output->chunk);
        }

        if (f->gen == lease->gen) {
            clipper_queue_release_locked(zone, lease->flight);
        }

        return 0;
    }

    if (output->result == CLIPPER_RESULT_LATE
        && f->waiters
        && f->deadline_us <= now_us + CLIPPER_MARGIN)
    {
        clipper_queue_skipped_locked(zone, lease->flight, now_us);
        return 1;
    }

    if (f->attempts && output->result == CLIPPER_RESULT_OUTPUT) {
        clipper_queue_innocent_locked(zone, f->key);
    }

    f->output = output->chunk;
    f->output_len = (uint32_t) output->len;

    if (output->chunk) {
        clipper_chunk_own_locked(zone, output->chunk, lease->flight);

    } else if (output->len) {
        ngx_memcpy(f->data, output->data, output->len);
    }

    clipper_queue_done_locked(zone, lease->flight, output->result, now_us);

    return 1;
}


/*
 * The deadline of the most urgent waiter, which the replica knows, has passed.
 * Waiters with more time wait for another answer, or for that of the second
 * replica.
 */

static void
clipper_queue_skipped_locked(clipper_zone_t *zone, uint32_t flight,
    uint64_t now_us)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->state == CLIPPER_LEASED) {

        if (clipper_queue_hedge_leased(f)) {
            return;
        }

        clipper_row_publish(f->state, CLIPPER_QUEUED);
        clipper_queue_insert_locked(zone, flight);
    }

    clipper_queue_plan_drop_locked(zone, flight,
                                   now_us + CLIPPER_MARGIN + 1,
                                   CLIPPER_RESULT_LATE);
    (void) clipper_queue_notify_locked(zone, f->model);
}


ngx_uint_t
clipper_queue_lease_lost_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *lease, uint64_t now_us)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    if (!clipper_queue_unlease_locked(zone, replica, lease)) {
        return 0;
    }

    f = &zone->flights[lease->flight];

    /* even if another replica has it: both may die of it */

    f->attempts++;

    if (!clipper_queue_left(f)) {
        clipper_queue_release_locked(zone, lease->flight);
        return 0;
    }

    /* one that was alone with both of its replicas is the cause */

    if (f->retried || (f->attempts > 1 && f->batch_size == 1)) {
        f->output_len = 0;
        clipper_queue_suspect_locked(zone, f->key, now_us);
        clipper_queue_done_locked(zone, lease->flight, CLIPPER_RESULT_ERROR,
                                  now_us);
        return 0;
    }

    f->retried = 1;
    clipper_queue_again_locked(zone, lease->flight);

    return 1;
}


ngx_uint_t
clipper_queue_lease_unsent_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *lease)
{
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    if (!clipper_queue_unlease_locked(zone, replica, lease)) {
        return 0;
    }

    f = &zone->flights[lease->flight];

    if (!clipper_queue_left(f)) {
        clipper_queue_release_locked(zone, lease->flight);
        return 0;
    }

    if (f->attempts == 0) {
        f->batch_size = 0;
    }

    clipper_queue_again_locked(zone, lease->flight);

    return 1;
}


/* whether it has waiters, and no replica is left that has it or may take it */

static ngx_uint_t
clipper_queue_left(const clipper_flight_t *f)
{
    return f->state == CLIPPER_LEASED
           && f->waiters
           && !clipper_queue_hedge_leased(f);
}


static void
clipper_queue_again_locked(clipper_zone_t *zone, uint32_t flight)
{
    clipper_zone_locked(zone);

    clipper_row_publish(zone->flights[flight].state, CLIPPER_QUEUED);
    clipper_queue_insert_locked(zone, flight);
    (void) clipper_queue_notify_locked(zone, zone->flights[flight].model);
}


void
clipper_queue_lease_hung_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *leases, ngx_uint_t n, uint64_t now_us)
{
    ngx_uint_t         i;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    zone->models[zone->replicas[replica].model].hung_us = now_us;

    for (i = 0; i < n; i++) {
        f = &zone->flights[leases[i].flight];

        if (f->gen == leases[i].gen
            && f->state == CLIPPER_LEASED
            && f->waiters == 0)
        {
            clipper_queue_suspect_locked(zone, f->key, now_us);
        }
    }
}


static void
clipper_queue_done_locked(clipper_zone_t *zone, uint32_t flight,
    uint32_t result, uint64_t now_us)
{
    uint32_t           waiter;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->state == CLIPPER_QUEUED) {
        clipper_queue_remove_locked(zone, flight);
        zone->models[f->model].known--;
    }

    clipper_queue_unhash_locked(zone, flight);

    f->result = result;
    f->done_us = now_us;
    clipper_row_publish(f->state, CLIPPER_DONE);

    for (waiter = f->waiters; waiter; waiter = zone->waiters[waiter].next) {
        clipper_mailbox_post_locked(zone, waiter);
    }

    clipper_queue_release_locked(zone, flight);
}


/* 1: the replica had this lease, and lost it now */

static ngx_uint_t
clipper_queue_unlease_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *lease)
{
    uint64_t           word;
    ngx_uint_t         i;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[lease->flight];

    if (f->gen != lease->gen || f->state == CLIPPER_FREE) {
        return 0;
    }

    word = ((uint64_t) zone->replicas[replica].gen << 32) | replica;

    for (i = 0; i < CLIPPER_LEASES; i++) {
        if (f->lease[i] == word) {
            f->lease[i] = 0;
            return 1;
        }
    }

    return 0;
}


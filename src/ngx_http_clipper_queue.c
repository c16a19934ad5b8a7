
/*
 * Flights and their waiters: submission, batches, results.
 */


#include "ngx_http_clipper_queue.h"
#include "ngx_http_clipper_chunk.h"
#include "ngx_http_clipper_registry.h"


static ngx_http_clipper_bucket_t *ngx_http_clipper_queue_bucket(
    ngx_http_clipper_zone_t *zone, const uint64_t key[2]);
static uint32_t ngx_http_clipper_queue_find(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_bucket_t *bucket, ngx_http_clipper_task_t *task);
static uint32_t ngx_http_clipper_queue_depart_locked(
    ngx_http_clipper_zone_t *zone, ngx_http_clipper_task_t *task,
    uint64_t now_us);
static void ngx_http_clipper_queue_unhash_locked(
    ngx_http_clipper_zone_t *zone, uint32_t flight);
static void ngx_http_clipper_queue_remove_locked(
    ngx_http_clipper_zone_t *zone, uint32_t flight);
static ngx_uint_t ngx_http_clipper_queue_plan_locked(
    ngx_http_clipper_zone_t *zone, ngx_http_clipper_replica_row_t *r,
    ngx_http_clipper_take_t *take);
static void ngx_http_clipper_queue_expire_locked(
    ngx_http_clipper_zone_t *zone, ngx_http_clipper_replica_row_t *r,
    uint64_t ready_us, int64_t need_us);
static void ngx_http_clipper_queue_drop_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight, uint64_t bound_us, uint32_t reason);
static void ngx_http_clipper_queue_done_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight, uint32_t result, uint64_t now_us);
static ngx_uint_t ngx_http_clipper_queue_unlease_locked(
    ngx_http_clipper_zone_t *zone, uint32_t replica,
    const ngx_http_clipper_lease_t *lease);
static uint64_t ngx_http_clipper_queue_leased(ngx_http_clipper_flight_t *f);


static ngx_inline ngx_uint_t
ngx_http_clipper_queue_keyed(const uint64_t key[2])
{
    return (key[0] | key[1]) != 0;
}


static ngx_http_clipper_bucket_t *
ngx_http_clipper_queue_bucket(ngx_http_clipper_zone_t *zone,
    const uint64_t key[2])
{
    return &zone->buckets[key[0] & (zone->header->buckets.n - 1)];
}


uint32_t
ngx_http_clipper_queue_settled(ngx_http_clipper_zone_t *zone,
    const uint64_t key[2])
{
    return __atomic_load_n(&ngx_http_clipper_queue_bucket(zone, key)->settled,
                           __ATOMIC_ACQUIRE);
}


ngx_int_t
ngx_http_clipper_queue_submit_locked(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_task_t *task, uint64_t now_us)
{
    uint32_t                       flight, waiter;
    ngx_http_clipper_header_t     *header;
    ngx_http_clipper_waiter_t     *w;
    ngx_http_clipper_model_row_t  *model;

    ngx_http_clipper_zone_locked(zone);

    header = zone->header;
    model = &zone->models[task->model];
    flight = 0;

    if (model->replicas == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_clipper_queue_keyed(task->key)) {
        flight = ngx_http_clipper_queue_find(zone,
                       ngx_http_clipper_queue_bucket(zone, task->key), task);

        if (flight == 0
            && ngx_http_clipper_queue_settled(zone, task->key)
               != task->settled)
        {
            return NGX_AGAIN;
        }
    }

    task->joined = (flight != 0);

    if (flight == 0
        && (model->queued >= task->queue_max
            || model->queued_bytes + task->len > task->queue_size_max))
    {
        return NGX_BUSY;
    }

    waiter = header->waiters.free;

    if (waiter == 0) {
        return NGX_ERROR;
    }

    if (flight == 0) {
        flight = ngx_http_clipper_queue_depart_locked(zone, task, now_us);

        if (flight == 0) {
            return NGX_ERROR;
        }

    } else if (task->chunk) {
        ngx_http_clipper_chunk_free_locked(zone, task->chunk);
    }

    ngx_http_clipper_row_take(&header->waiters, zone->waiters, waiter);

    w = &zone->waiters[waiter];
    w->worker = zone->slot;
    w->flight = flight;
    w->deadline_us = task->deadline_us;
    w->joined = task->joined;
    ngx_http_clipper_publish(w->state, NGX_HTTP_CLIPPER_WAITING);

    ngx_http_clipper_queue_link_locked(zone, waiter);

    task->waiter = waiter;
    task->gen = w->gen;

    if (!task->joined) {
        ngx_http_clipper_queue_insert_locked(zone, flight);
        (void) ngx_http_clipper_queue_notify_locked(zone, task->model);

    } else if (zone->flights[flight].state == NGX_HTTP_CLIPPER_QUEUED
               && task->deadline_us < zone->flights[flight].deadline_us)
    {
        ngx_http_clipper_queue_remove_locked(zone, flight);
        ngx_http_clipper_queue_insert_locked(zone, flight);
    }

    return NGX_OK;
}


static uint32_t
ngx_http_clipper_queue_find(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_bucket_t *bucket, ngx_http_clipper_task_t *task)
{
    uint32_t                    flight;
    ngx_http_clipper_flight_t  *f;

    for (flight = bucket->head; flight; flight = f->next) {
        f = &zone->flights[flight];

        if (f->key[0] == task->key[0] && f->key[1] == task->key[1]
            && f->model == task->model)
        {
            return flight;
        }
    }

    return 0;
}


/* a new flight with the task's input, in the hash but in no queue yet */

static uint32_t
ngx_http_clipper_queue_depart_locked(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_task_t *task, uint64_t now_us)
{
    uint32_t                    flight, chunk;
    ngx_http_clipper_flight_t  *f;

    chunk = task->chunk;

    if (zone->header->flights.free == 0) {
        return 0;
    }

    if (chunk == 0 && task->len) {
        chunk = ngx_http_clipper_chunk_borrow_locked(zone, task->len);
        if (chunk == 0) {
            return 0;
        }

        ngx_http_clipper_chunk_write(zone, chunk, task->data, task->len);
    }

    ngx_http_clipper_row_take(&zone->header->flights, zone->flights, flight);

    f = &zone->flights[flight];
    f->model = task->model;
    f->attempts = 0;
    f->key[0] = task->key[0];
    f->key[1] = task->key[1];
    f->seq = ++zone->header->seq;
    f->lease[0] = 0;
    f->lease[1] = 0;
    f->queued_us = now_us;
    f->sent_us = now_us;
    f->input = chunk;
    f->input_len = (uint32_t) task->len;
    f->output = 0;
    f->output_len = 0;
    f->batch_size = 0;
    f->waiters = 0;

    ngx_http_clipper_chunk_own_locked(zone, chunk, flight);
    ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_QUEUED);

    zone->models[f->model].flights++;
    ngx_http_clipper_queue_hash_locked(zone, flight);

    return flight;
}


void
ngx_http_clipper_queue_leave_locked(ngx_http_clipper_zone_t *zone,
    uint32_t waiter, uint32_t gen)
{
    uint32_t                    flight;
    ngx_http_clipper_waiter_t  *w;

    ngx_http_clipper_zone_locked(zone);

    w = &zone->waiters[waiter];

    if (w->state == NGX_HTTP_CLIPPER_FREE || w->gen != gen) {
        return;
    }

    if (w->posted) {
        ngx_http_clipper_mailbox_remove_locked(zone, waiter);
    }

    flight = 0;

    if (w->state == NGX_HTTP_CLIPPER_WAITING) {
        flight = w->flight;
        ngx_http_clipper_queue_unlink_locked(zone, waiter);
    }

    w->gen++;
    ngx_http_clipper_publish(w->state, NGX_HTTP_CLIPPER_FREE);
    ngx_http_clipper_row_give(&zone->header->waiters, zone->waiters, waiter);

    if (flight) {
        ngx_http_clipper_queue_release_locked(zone, flight);
    }
}


ngx_uint_t
ngx_http_clipper_queue_take_locked(ngx_http_clipper_zone_t *zone,
    uint32_t replica, ngx_http_clipper_take_t *take,
    ngx_http_clipper_lease_t *leases)
{
    uint32_t                         flight;
    uint64_t                         lease;
    ngx_uint_t                       i, n, limit;
    ngx_http_clipper_flight_t       *f;
    ngx_http_clipper_model_row_t    *model;
    ngx_http_clipper_replica_row_t  *r;

    ngx_http_clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];
    take->wait_us = 0;

    if (r->state != NGX_HTTP_CLIPPER_READY || r->busy) {
        return 0;
    }

    limit = ngx_http_clipper_queue_plan_locked(zone, r, take);

    lease = ((uint64_t) r->gen << 32) | replica;

    for (n = 0; n < limit; n++) {
        flight = model->root;
        f = &zone->flights[flight];

        ngx_http_clipper_queue_remove_locked(zone, flight);

        f->lease[f->lease[0] ? 1 : 0] = lease;
        f->sent_us = take->now_us;
        ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_LEASED);

        leases[n].flight = flight;
        leases[n].gen = f->gen;
    }

    if (n == 0) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        zone->flights[leases[i].flight].batch_size = (uint32_t) n;
    }

    r->sent_us = take->now_us;
    r->stuck = 0;
    r->busy = (uint32_t) n;
    ngx_http_clipper_registry_busy_locked(zone, replica);

    if (model->root) {
        (void) ngx_http_clipper_queue_notify_locked(zone, r->model);
    }

    return n;
}


/* how many to take now, after what cannot be on time has left the queue */

static ngx_uint_t
ngx_http_clipper_queue_plan_locked(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_replica_row_t *r, ngx_http_clipper_take_t *take)
{
    uint64_t                        ready_us;
    ngx_http_clipper_flight_t      *f;
    ngx_http_clipper_model_row_t   *model;
    ngx_http_clipper_batch_load_t   load;
    ngx_http_clipper_batch_plan_t   plan;

    model = &zone->models[r->model];
    ready_us = take->now_us + take->margin_us;
    plan.need_us = 0;

    for ( ;; ) {
        ngx_http_clipper_queue_expire_locked(zone, r, ready_us, plan.need_us);

        if (model->root == 0) {
            return 0;
        }

        f = &zone->flights[model->root];

        load.now_us = take->now_us;
        load.queued = model->queued;
        load.replicas = model->replicas;
        load.head_us = (int64_t) (f->deadline_us - ready_us);
        load.tail_us = (int64_t) (model->tail_us - ready_us);
        load.waited_us = take->now_us > f->queued_us
                         ? take->now_us - f->queued_us : 0;

        switch (ngx_http_clipper_batch_plan(&r->batch, take->conf, &load,
                                            &plan))
        {
        case NGX_OK:
            return ngx_min(plan.take, take->max);

        case NGX_AGAIN:
            take->wait_us = plan.wait_us;
            return 0;

        default: /* NGX_DECLINED */
            plan.need_us = ngx_max(plan.need_us, load.head_us + 1);
        }
    }
}


/*
 * Drops from the head what has less than need_us after ready_us; what the
 * replica could still answer alone makes room for others.
 */

static void
ngx_http_clipper_queue_expire_locked(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_replica_row_t *r, uint64_t ready_us, int64_t need_us)
{
    uint32_t                       flight;
    uint64_t                       alone_us, bound_us;
    ngx_http_clipper_model_row_t  *model;

    model = &zone->models[r->model];
    bound_us = ready_us + need_us;
    alone_us = ready_us + ngx_http_clipper_batch_latency(&r->batch, 1);

    while (model->root
           && zone->flights[model->root].deadline_us < bound_us)
    {
        flight = model->root;

        ngx_http_clipper_queue_drop_locked(zone, flight, bound_us,
                           zone->flights[flight].deadline_us < alone_us
                           ? NGX_HTTP_CLIPPER_RESULT_LATE
                           : NGX_HTTP_CLIPPER_RESULT_SHED);
    }
}


/* the waiters of a queued flight that would be late leave it */

static void
ngx_http_clipper_queue_drop_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight, uint64_t bound_us, uint32_t reason)
{
    uint32_t                    waiter, next;
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_waiter_t  *w;

    f = &zone->flights[flight];

    for (waiter = f->waiters; waiter; waiter = next) {
        w = &zone->waiters[waiter];
        next = w->next;

        if (w->deadline_us >= bound_us) {
            continue;
        }

        ngx_http_clipper_queue_unlink_locked(zone, waiter);

        w->reason = reason;
        ngx_http_clipper_publish(w->state, NGX_HTTP_CLIPPER_DROPPED);
        ngx_http_clipper_mailbox_post_locked(zone, waiter);
    }

    ngx_http_clipper_queue_remove_locked(zone, flight);

    if (f->waiters) {
        ngx_http_clipper_queue_insert_locked(zone, flight);
        return;
    }

    /* with a lease left it is no longer queued, but a late answer may come */

    ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_LEASED);
    ngx_http_clipper_queue_release_locked(zone, flight);
}


ngx_uint_t
ngx_http_clipper_queue_settle_locked(ngx_http_clipper_zone_t *zone,
    uint32_t replica, const ngx_http_clipper_lease_t *lease,
    const ngx_http_clipper_output_t *output, uint64_t now_us)
{
    ngx_http_clipper_flight_t  *f;

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[lease->flight];

    if (!ngx_http_clipper_queue_unlease_locked(zone, replica, lease)
        || f->state == NGX_HTTP_CLIPPER_DONE)
    {
        if (output->chunk) {
            ngx_http_clipper_chunk_free_locked(zone, output->chunk);
        }

        if (f->gen == lease->gen) {
            ngx_http_clipper_queue_release_locked(zone, lease->flight);
        }

        return 0;
    }

    f->output = output->chunk;
    f->output_len = (uint32_t) output->len;

    if (output->chunk) {
        ngx_http_clipper_chunk_own_locked(zone, output->chunk, lease->flight);

    } else {
        ngx_memcpy(f->data, output->data, output->len);
    }

    ngx_http_clipper_queue_done_locked(zone, lease->flight, output->result,
                                       now_us);

    return 1;
}


void
ngx_http_clipper_queue_lost_locked(ngx_http_clipper_zone_t *zone,
    uint32_t replica, const ngx_http_clipper_lease_t *lease, uint64_t now_us)
{
    ngx_http_clipper_flight_t  *f;

    ngx_http_clipper_zone_locked(zone);

    if (!ngx_http_clipper_queue_unlease_locked(zone, replica, lease)) {
        return;
    }

    f = &zone->flights[lease->flight];

    if (f->state != NGX_HTTP_CLIPPER_LEASED
        || f->waiters == 0
        || ngx_http_clipper_queue_leased(f))
    {
        ngx_http_clipper_queue_release_locked(zone, lease->flight);
        return;
    }

    f->attempts++;

    if (f->attempts > 1) {
        f->output_len = 0;
        ngx_http_clipper_queue_done_locked(zone, lease->flight,
                                           NGX_HTTP_CLIPPER_RESULT_ERROR,
                                           now_us);
        return;
    }

    ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_QUEUED);
    ngx_http_clipper_queue_insert_locked(zone, lease->flight);
    (void) ngx_http_clipper_queue_notify_locked(zone, f->model);
}


static void
ngx_http_clipper_queue_done_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight, uint32_t result, uint64_t now_us)
{
    uint32_t                    waiter;
    ngx_http_clipper_flight_t  *f;

    f = &zone->flights[flight];

    if (f->state == NGX_HTTP_CLIPPER_QUEUED) {
        ngx_http_clipper_queue_remove_locked(zone, flight);
    }

    ngx_http_clipper_queue_unhash_locked(zone, flight);

    f->result = result;
    f->done_us = now_us;
    ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_DONE);

    for (waiter = f->waiters; waiter; waiter = zone->waiters[waiter].next) {
        ngx_http_clipper_mailbox_post_locked(zone, waiter);
    }

    ngx_http_clipper_queue_release_locked(zone, flight);
}


/* 1: the replica had this lease, and has it no more */

static ngx_uint_t
ngx_http_clipper_queue_unlease_locked(ngx_http_clipper_zone_t *zone,
    uint32_t replica, const ngx_http_clipper_lease_t *lease)
{
    uint64_t                    word;
    ngx_uint_t                  i;
    ngx_http_clipper_flight_t  *f;

    f = &zone->flights[lease->flight];

    if (f->gen != lease->gen || f->state == NGX_HTTP_CLIPPER_FREE) {
        return 0;
    }

    word = ((uint64_t) zone->replicas[replica].gen << 32) | replica;

    for (i = 0; i < NGX_HTTP_CLIPPER_LEASES; i++) {
        if (f->lease[i] == word) {
            f->lease[i] = 0;
            return 1;
        }
    }

    return 0;
}


static uint64_t
ngx_http_clipper_queue_leased(ngx_http_clipper_flight_t *f)
{
    return f->lease[0] | f->lease[1];
}


ngx_uint_t
ngx_http_clipper_queue_notify_locked(ngx_http_clipper_zone_t *zone,
    uint32_t model)
{
    uint32_t                         replica, slot;
    ngx_http_clipper_replica_row_t  *r;

    ngx_http_clipper_zone_locked(zone);

    slot = 0;

    for (replica = zone->models[model].idle; replica; replica = r->next) {
        r = &zone->replicas[replica];

        if (slot == 0 || r->worker == zone->slot) {
            slot = r->worker;
        }
    }

    if (slot == 0) {
        return 0;
    }

    ngx_http_clipper_registry_wake_locked(zone, slot);

    return 1;
}


/* --- links between the tables, also derived anew by the rebuild --- */


void
ngx_http_clipper_queue_insert_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    uint32_t                       waiter;
    ngx_http_clipper_flight_t     *f;
    ngx_http_clipper_model_row_t  *model;

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    f->deadline_us = (uint64_t) -1;

    for (waiter = f->waiters; waiter; waiter = zone->waiters[waiter].next) {
        f->deadline_us = ngx_min(f->deadline_us,
                                 zone->waiters[waiter].deadline_us);
    }

    if (model->root == 0 || f->deadline_us > model->tail_us) {
        model->tail_us = f->deadline_us;
    }

    ngx_http_clipper_heap_insert(zone, &model->root, flight);
    model->queued++;
    model->queued_bytes += f->input_len;
}


static void
ngx_http_clipper_queue_remove_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    ngx_http_clipper_flight_t     *f;
    ngx_http_clipper_model_row_t  *model;

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    ngx_http_clipper_heap_remove(zone, &model->root, flight);
    model->queued--;
    model->queued_bytes -= f->input_len;
}


void
ngx_http_clipper_queue_hash_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_bucket_t  *bucket;

    f = &zone->flights[flight];

    if (ngx_http_clipper_queue_keyed(f->key)) {
        bucket = ngx_http_clipper_queue_bucket(zone, f->key);
        f->next = bucket->head;
        bucket->head = flight;
    }
}


static void
ngx_http_clipper_queue_unhash_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    uint32_t                   *next;
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_bucket_t  *bucket;

    f = &zone->flights[flight];

    if (!ngx_http_clipper_queue_keyed(f->key)) {
        return;
    }

    bucket = ngx_http_clipper_queue_bucket(zone, f->key);

    for (next = &bucket->head; *next; next = &zone->flights[*next].next) {
        if (*next == flight) {
            *next = f->next;
            break;
        }
    }

    __atomic_store_n(&bucket->settled, bucket->settled + 1, __ATOMIC_RELEASE);
}


void
ngx_http_clipper_queue_link_locked(ngx_http_clipper_zone_t *zone,
    uint32_t waiter)
{
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_waiter_t  *w;

    w = &zone->waiters[waiter];
    f = &zone->flights[w->flight];

    w->posted = 0;
    w->prev = 0;
    w->next = f->waiters;

    if (f->waiters) {
        zone->waiters[f->waiters].prev = waiter;
    }

    f->waiters = waiter;
}


void
ngx_http_clipper_queue_unlink_locked(ngx_http_clipper_zone_t *zone,
    uint32_t waiter)
{
    ngx_http_clipper_waiter_t  *w;

    w = &zone->waiters[waiter];

    if (w->prev) {
        zone->waiters[w->prev].next = w->next;

    } else {
        zone->flights[w->flight].waiters = w->next;
    }

    if (w->next) {
        zone->waiters[w->next].prev = w->prev;
    }
}


/* a flight without waiters and leases goes */

void
ngx_http_clipper_queue_release_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    uint32_t                    input, output;
    ngx_http_clipper_flight_t  *f;

    f = &zone->flights[flight];

    if (f->waiters || ngx_http_clipper_queue_leased(f)) {
        return;
    }

    if (f->state == NGX_HTTP_CLIPPER_QUEUED) {
        ngx_http_clipper_queue_remove_locked(zone, flight);
    }

    if (f->state != NGX_HTTP_CLIPPER_DONE) {
        ngx_http_clipper_queue_unhash_locked(zone, flight);
    }

    input = f->input;
    output = f->output;

    f->gen++;
    ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_FREE);

    ngx_http_clipper_chunk_free_locked(zone, input);
    ngx_http_clipper_chunk_free_locked(zone, output);

    zone->models[f->model].flights--;
    ngx_http_clipper_row_give(&zone->header->flights, zone->flights, flight);
}

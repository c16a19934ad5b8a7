
/*
 * Flights and their waiters: submission, leaving, and the links between the
 * tables that the rebuild derives anew.
 */


#include "shm/clipper_queue.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_registry.h"


static ngx_http_clipper_bucket_t *ngx_http_clipper_queue_bucket(
    ngx_http_clipper_zone_t *zone, const uint64_t key[2]);
static uint32_t ngx_http_clipper_queue_find(ngx_http_clipper_zone_t *zone,
    ngx_http_clipper_bucket_t *bucket, ngx_http_clipper_task_t *task);
static uint32_t ngx_http_clipper_queue_depart_locked(
    ngx_http_clipper_zone_t *zone, ngx_http_clipper_task_t *task,
    uint64_t now_us);
static uint32_t ngx_http_clipper_queue_suspected(
    ngx_http_clipper_zone_t *zone, const uint64_t key[2], uint64_t now_us);


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


/*
 * Is a replica about to be ready?  Its first answer takes milliseconds as a
 * rule; one that is silent for longer loads its model, and nobody knows for
 * how long.
 */

static ngx_uint_t
ngx_http_clipper_queue_expects_locked(ngx_http_clipper_zone_t *zone,
    uint32_t model, uint64_t now_us)
{
    uint32_t                         i, left;
    ngx_http_clipper_replica_row_t  *r;

    ngx_http_clipper_zone_locked(zone);

    left = zone->models[model].members;

    for (i = 1; left && i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == NGX_HTTP_CLIPPER_FREE || r->model != model) {
            continue;
        }

        if (r->state == NGX_HTTP_CLIPPER_PROBING
            && now_us < r->connected_us + NGX_HTTP_CLIPPER_PROBE_US)
        {
            return 1;
        }

        left--;
    }

    return 0;
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

    if (model->replicas == 0
        && !ngx_http_clipper_queue_expects_locked(zone, task->model, now_us))
    {
        return NGX_DECLINED;
    }

    if (task->shared) {
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

    ngx_http_clipper_zone_locked(zone);

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
    f->input_type = task->input_type;
    f->attempts = ngx_http_clipper_queue_suspected(zone, task->key, now_us);
    f->retried = f->attempts;
    f->key[0] = task->key[0];
    f->key[1] = task->key[1];
    f->shared = task->shared;
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


/* an input that replicas died of lately is asked alone, and only once */

static uint32_t
ngx_http_clipper_queue_suspected(ngx_http_clipper_zone_t *zone,
    const uint64_t key[2], uint64_t now_us)
{
    ngx_uint_t                   i;
    ngx_http_clipper_suspect_t  *suspect;

    if (now_us >= zone->header->suspect_us) {
        return 0;
    }

    for (i = 0; i < NGX_HTTP_CLIPPER_SUSPECTS; i++) {
        suspect = &zone->header->suspects[i];

        if (suspect->key[0] == key[0] && suspect->key[1] == key[1]
            && now_us < suspect->until_us)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_clipper_queue_suspect_locked(ngx_http_clipper_zone_t *zone,
    const uint64_t key[2], uint64_t now_us)
{
    ngx_uint_t                   i;
    ngx_http_clipper_suspect_t  *suspect, *oldest;

    ngx_http_clipper_zone_locked(zone);

    oldest = &zone->header->suspects[0];

    for (i = 0; i < NGX_HTTP_CLIPPER_SUSPECTS; i++) {
        suspect = &zone->header->suspects[i];

        if (suspect->key[0] == key[0] && suspect->key[1] == key[1]) {
            oldest = suspect;
            break;
        }

        if (suspect->until_us < oldest->until_us) {
            oldest = suspect;
        }
    }

    oldest->key[0] = key[0];
    oldest->key[1] = key[1];
    oldest->until_us = now_us + NGX_HTTP_CLIPPER_SUSPICION;
    zone->header->suspect_us = oldest->until_us;
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

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    f->deadline_us = (uint64_t) -1;

    for (waiter = f->waiters; waiter; waiter = zone->waiters[waiter].next) {
        f->deadline_us = ngx_min(f->deadline_us,
                                 zone->waiters[waiter].deadline_us);
    }

    ngx_http_clipper_heap_insert(zone, model, flight);
    model->queued++;
    model->queued_bytes += f->input_len;
}


void
ngx_http_clipper_queue_remove_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    ngx_http_clipper_flight_t     *f;
    ngx_http_clipper_model_row_t  *model;

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    ngx_http_clipper_heap_remove(zone, model, flight);
    model->queued--;
    model->queued_bytes -= f->input_len;
}


void
ngx_http_clipper_queue_hash_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_bucket_t  *bucket;

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->shared) {
        bucket = ngx_http_clipper_queue_bucket(zone, f->key);
        f->next = bucket->head;
        bucket->head = flight;
    }
}


void
ngx_http_clipper_queue_unhash_locked(ngx_http_clipper_zone_t *zone,
    uint32_t flight)
{
    uint32_t                   *next;
    ngx_http_clipper_flight_t  *f;
    ngx_http_clipper_bucket_t  *bucket;

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (!f->shared) {
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

    ngx_http_clipper_zone_locked(zone);

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

    ngx_http_clipper_zone_locked(zone);

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

    ngx_http_clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->waiters) {
        return;
    }

    /* nobody waits: it is not asked for, not for a second time either */

    if (f->state == NGX_HTTP_CLIPPER_QUEUED) {
        ngx_http_clipper_queue_remove_locked(zone, flight);
        ngx_http_clipper_publish(f->state, NGX_HTTP_CLIPPER_LEASED);
    }

    if (f->lease[0] | f->lease[1]) {
        return;
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

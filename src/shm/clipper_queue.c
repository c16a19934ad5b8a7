
/*
 * Flights and their waiters: submission, leaving, and the links between the
 * tables, which the rebuild derives anew.
 */


#include "shm/clipper_queue.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_mailbox.h"
#include "shm/clipper_free.h"
#include "shm/clipper_heap.h"
#include "shm/clipper_door.h"


static clipper_bucket_t *clipper_queue_bucket(clipper_zone_t *zone,
    const uint64_t key[2]);
static uint32_t clipper_queue_find_locked(clipper_zone_t *zone,
    clipper_bucket_t *bucket, clipper_task_t *task);
static uint32_t clipper_queue_depart_locked(clipper_zone_t *zone,
    clipper_task_t *task, uint32_t strikes, uint64_t now_us);
static uint32_t clipper_queue_suspected_locked(clipper_zone_t *zone,
    const uint64_t key[2], uint64_t now_us);


static clipper_bucket_t *
clipper_queue_bucket(clipper_zone_t *zone, const uint64_t key[2])
{
    return &zone->buckets[key[0] & (zone->header->buckets.n - 1)];
}


uint32_t
clipper_queue_settled(clipper_zone_t *zone, const uint64_t key[2])
{
    return __atomic_load_n(&clipper_queue_bucket(zone, key)->settled,
                           __ATOMIC_ACQUIRE);
}


/*
 * Whether a replica is about to be ready.  It usually answers its probe within
 * milliseconds; one that is silent for longer is loading its model, for an
 * unknown time.  One that moves finishes its batch and connects anew.
 */

static ngx_uint_t
clipper_queue_expects_locked(clipper_zone_t *zone, uint32_t model,
    uint64_t now_us)
{
    clipper_model_row_t  *m;

    clipper_zone_locked(zone);

    m = &zone->models[model];

    return (m->probed_us && now_us < m->probed_us + CLIPPER_PROBE_US)
           || m->turn
           || (m->turn_us && now_us < m->turn_us + CLIPPER_RETURN_US);
}


ngx_int_t
clipper_queue_submit_locked(clipper_zone_t *zone, clipper_task_t *task,
    uint64_t now_us)
{
    uint32_t              flight, waiter, strikes;
    clipper_header_t     *header;
    clipper_waiter_t     *w;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    header = zone->header;
    model = &zone->models[task->model];
    flight = 0;

    if (model->replicas == 0
        && !clipper_queue_expects_locked(zone, task->model, now_us))
    {
        return NGX_DECLINED;
    }

    if (task->shared) {
        flight = clipper_queue_find_locked(zone,
                       clipper_queue_bucket(zone, task->key), task);

        if (flight == 0
            && clipper_queue_settled(zone, task->key)
               != task->settled)
        {
            return NGX_BUSY;
        }
    }

    task->joined = (flight != 0);

    if (flight == 0
        && (model->queued >= task->queue_max
            || model->queued_bytes + task->len > task->queue_size_max))
    {
        return NGX_ABORT;
    }

    strikes = flight ? 0 : clipper_queue_suspected_locked(zone, task->key,
                                                          now_us);

    if (strikes > 1) {
        return NGX_DONE;
    }

    waiter = header->waiters.free;

    if (waiter == 0) {
        return NGX_ERROR;
    }

    if (flight == 0) {
        flight = clipper_queue_depart_locked(zone, task, strikes, now_us);

        if (flight == 0) {
            return NGX_ERROR;
        }

    } else if (task->chunk) {
        clipper_chunk_free_locked(zone, task->chunk);
    }

    clipper_free_take_locked(zone, waiters, waiter);

    w = &zone->waiters[waiter];
    w->worker = zone->slot;
    w->flight = flight;
    w->deadline_us = task->deadline_us;
    w->joined = task->joined;
    clipper_row_publish(w->state, CLIPPER_WAITING);

    clipper_queue_link_locked(zone, waiter);

    task->waiter = waiter;
    task->gen = w->gen;

    if (!task->joined) {
        clipper_queue_insert_locked(zone, flight);
        (void) clipper_queue_notify_locked(zone, task->model);

    } else if (zone->flights[flight].state == CLIPPER_QUEUED
               && task->deadline_us < zone->flights[flight].deadline_us)
    {
        clipper_queue_remove_locked(zone, flight);
        clipper_queue_insert_locked(zone, flight);
    }

    return NGX_OK;
}


/*
 * Finds the flight of a key that has room for one more waiter; the number is
 * limited because a settlement visits all of them.  A full flight is not
 * joined, and the next flight of its key precedes it in the chain.  Keys are
 * digests with a secret, and there are as many buckets as flights, so chains
 * are short.
 */

static uint32_t
clipper_queue_find_locked(clipper_zone_t *zone, clipper_bucket_t *bucket,
    clipper_task_t *task)
{
    uint32_t           flight;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    for (flight = bucket->head; flight; flight = f->next) {
        f = &zone->flights[flight];

        if (f->key[0] == task->key[0] && f->key[1] == task->key[1]
            && f->model == task->model
            && f->nwaiters < CLIPPER_JOINS)
        {
            return flight;
        }
    }

    return 0;
}


/* a new flight with the task's input, in the hash but not in a queue yet */

static uint32_t
clipper_queue_depart_locked(clipper_zone_t *zone, clipper_task_t *task,
    uint32_t strikes, uint64_t now_us)
{
    uint32_t           flight, chunk;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    chunk = task->chunk;

    if (zone->header->flights.free == 0) {
        return 0;
    }

    if (chunk == 0 && task->len) {
        chunk = clipper_chunk_borrow_locked(zone, task->len);
        if (chunk == 0) {
            return 0;
        }

        clipper_chunk_write(zone, chunk, task->data, task->len);
    }

    clipper_free_take_locked(zone, flights, flight);

    f = &zone->flights[flight];
    f->model = task->model;
    f->input_type = task->input_type;
    f->attempts = strikes;
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
    f->nwaiters = 0;

    clipper_chunk_own_locked(zone, chunk, flight);
    clipper_row_publish(f->state, CLIPPER_QUEUED);

    zone->models[f->model].flights++;
    clipper_queue_hash_locked(zone, flight);

    return flight;
}


/*
 * The strikes of an input that recently killed replicas, or hung them.  With
 * one it is asked alone, and only once; with more it is not asked.  While there
 * are such inputs, all rows of the table are searched.
 */

static uint32_t
clipper_queue_suspected_locked(clipper_zone_t *zone, const uint64_t key[2],
    uint64_t now_us)
{
    ngx_uint_t          i;
    clipper_suspect_t  *suspect;

    clipper_zone_locked(zone);

    if (now_us >= zone->header->suspect_us) {
        return 0;
    }

    for (i = 0; i < CLIPPER_SUSPECTS; i++) {
        suspect = &zone->header->suspects[i];

        if (suspect->key[0] == key[0] && suspect->key[1] == key[1]
            && now_us < suspect->until_us)
        {
            return suspect->strikes;
        }
    }

    return 0;
}


/* a suspect was answered */

void
clipper_queue_innocent_locked(clipper_zone_t *zone, const uint64_t key[2])
{
    ngx_uint_t          i;
    clipper_suspect_t  *suspect;

    clipper_zone_locked(zone);

    for (i = 0; i < CLIPPER_SUSPECTS; i++) {
        suspect = &zone->header->suspects[i];

        if (suspect->key[0] == key[0] && suspect->key[1] == key[1]) {
            ngx_memzero(suspect, sizeof(clipper_suspect_t));
        }
    }
}


void
clipper_queue_suspect_locked(clipper_zone_t *zone, const uint64_t key[2],
    uint64_t now_us)
{
    ngx_uint_t          i;
    clipper_suspect_t  *suspect, *oldest;

    clipper_zone_locked(zone);

    oldest = &zone->header->suspects[0];

    for (i = 0; i < CLIPPER_SUSPECTS; i++) {
        suspect = &zone->header->suspects[i];

        if (suspect->key[0] == key[0] && suspect->key[1] == key[1]) {
            oldest = suspect;
            break;
        }

        if (suspect->until_us < oldest->until_us) {
            oldest = suspect;
        }
    }

    if (oldest->key[0] != key[0] || oldest->key[1] != key[1]) {
        oldest->strikes = 0;
    }

    oldest->key[0] = key[0];
    oldest->key[1] = key[1];
    oldest->until_us = now_us + ((uint64_t) CLIPPER_SUSPICION
                                 << ngx_min(oldest->strikes, 6));
    oldest->strikes++;
    zone->header->suspect_us = ngx_max(zone->header->suspect_us,
                                       oldest->until_us);
}


void
clipper_queue_leave_locked(clipper_zone_t *zone, uint32_t waiter, uint32_t gen)
{
    uint32_t           flight;
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];

    if (w->state == CLIPPER_FREE || w->gen != gen) {
        return;
    }

    if (w->posted) {
        clipper_mailbox_remove_locked(zone, waiter);
    }

    flight = 0;

    if (w->state == CLIPPER_WAITING) {
        flight = w->flight;
        clipper_queue_unlink_locked(zone, waiter);
    }

    w->gen++;
    clipper_row_publish(w->state, CLIPPER_FREE);
    clipper_free_give_locked(zone, waiters, waiter);

    if (flight) {
        clipper_queue_release_locked(zone, flight);
    }
}


ngx_uint_t
clipper_queue_notify_locked(clipper_zone_t *zone, uint32_t model)
{
    uint32_t              slot;
    clipper_model_row_t  *m;

    clipper_zone_locked(zone);

    m = &zone->models[model];

    if (m->idle == 0) {
        return 0;
    }

    slot = m->idles[zone->slot] ? zone->slot : zone->replicas[m->idle].worker;

    clipper_door_wake_locked(zone, slot);

    return 1;
}


/* --- links between the tables, which the rebuild derives anew --- */


void
clipper_queue_insert_locked(clipper_zone_t *zone, uint32_t flight)
{
    uint32_t              waiter;
    clipper_flight_t     *f;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    f->deadline_us = (uint64_t) -1;

    for (waiter = f->waiters; waiter; waiter = zone->waiters[waiter].next) {
        f->deadline_us = ngx_min(f->deadline_us,
                                 zone->waiters[waiter].deadline_us);
    }

    clipper_heap_insert_locked(zone, model, flight);
    model->queued++;
    model->queued_bytes += f->input_len;
}


void
clipper_queue_remove_locked(clipper_zone_t *zone, uint32_t flight)
{
    clipper_flight_t     *f;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];
    model = &zone->models[f->model];

    clipper_heap_remove_locked(zone, model, flight);
    model->queued--;
    model->queued_bytes -= f->input_len;
}


void
clipper_queue_hash_locked(clipper_zone_t *zone, uint32_t flight)
{
    clipper_flight_t  *f;
    clipper_bucket_t  *bucket;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->shared) {
        bucket = clipper_queue_bucket(zone, f->key);
        f->next = bucket->head;
        bucket->head = flight;
    }
}


void
clipper_queue_unhash_locked(clipper_zone_t *zone, uint32_t flight)
{
    uint32_t          *next;
    clipper_flight_t  *f;
    clipper_bucket_t  *bucket;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (!f->shared) {
        return;
    }

    bucket = clipper_queue_bucket(zone, f->key);

    for (next = &bucket->head; *next; next = &zone->flights[*next].next) {
        if (*next == flight) {
            *next = f->next;
            break;
        }
    }

    __atomic_store_n(&bucket->settled, bucket->settled + 1, __ATOMIC_RELEASE);
}


void
clipper_queue_link_locked(clipper_zone_t *zone, uint32_t waiter)
{
    clipper_flight_t  *f;
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];
    f = &zone->flights[w->flight];

    w->posted = 0;
    w->prev = 0;
    w->next = f->waiters;
    f->nwaiters++;

    if (f->waiters) {
        zone->waiters[f->waiters].prev = waiter;
    }

    f->waiters = waiter;
}


void
clipper_queue_unlink_locked(clipper_zone_t *zone, uint32_t waiter)
{
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];
    zone->flights[w->flight].nwaiters--;

    if (w->prev) {
        zone->waiters[w->prev].next = w->next;

    } else {
        zone->flights[w->flight].waiters = w->next;
    }

    if (w->next) {
        zone->waiters[w->next].prev = w->prev;
    }
}


/* removes a flight without waiters and leases */

void
clipper_queue_release_locked(clipper_zone_t *zone, uint32_t flight)
{
    uint32_t           input, output;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];

    if (f->waiters) {
        return;
    }

    /* without waiters it is not asked, nor asked again */

    if (f->state == CLIPPER_QUEUED) {
        clipper_queue_remove_locked(zone, flight);
        zone->models[f->model].known--;
        clipper_row_publish(f->state, CLIPPER_LEASED);
    }

    if (f->lease[0] | f->lease[1]) {
        return;
    }

    if (f->state != CLIPPER_DONE) {
        clipper_queue_unhash_locked(zone, flight);
    }

    input = f->input;
    output = f->output;

    f->gen++;
    clipper_row_publish(f->state, CLIPPER_FREE);

    clipper_chunk_free_locked(zone, input);
    clipper_chunk_free_locked(zone, output);

    zone->models[f->model].flights--;
    clipper_free_give_locked(zone, flights, flight);
}

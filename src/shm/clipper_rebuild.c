
/*
 * Repair after a death: derives what follows from the tables.
 */


#include "shm/clipper_rebuild.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_door.h"
#include "shm/clipper_free.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_mailbox.h"
#include "shm/clipper_registry_replica.h"


/* owner of a chunk behind the first one of its chain, for the moment */
#define CLIPPER_REBUILD_CHAIN  0x40000000u


static void clipper_rebuild_heads_locked(clipper_zone_t *zone);
static void clipper_rebuild_replicas_locked(clipper_zone_t *zone);
static void clipper_rebuild_digests_locked(clipper_zone_t *zone);
static void clipper_rebuild_flights_locked(clipper_zone_t *zone);
static void clipper_rebuild_waiters_locked(clipper_zone_t *zone);
static void clipper_rebuild_leases_locked(clipper_zone_t *zone);
static void clipper_rebuild_chunks_locked(clipper_zone_t *zone);
static void clipper_rebuild_chain_locked(clipper_zone_t *zone, uint32_t first);
static ngx_uint_t  clipper_rebuild_leased_locked(clipper_zone_t *zone,
    uint64_t lease);


void
clipper_rebuild_locked(clipper_zone_t *zone)
{
    uint32_t  i;

    clipper_zone_locked(zone);

    clipper_rebuild_heads_locked(zone);
    clipper_rebuild_replicas_locked(zone);
    clipper_rebuild_digests_locked(zone);
    clipper_rebuild_flights_locked(zone);
    clipper_rebuild_waiters_locked(zone);
    clipper_rebuild_leases_locked(zone);
    clipper_rebuild_chunks_locked(zone);

    zone->header->registry++;

    /* the dead worker may have posted a letter without ringing */

    for (i = 1; i < zone->header->workers.n; i++) {
        if (zone->workers[i].state == CLIPPER_USED) {
            zone->workers[i].armed = 0;
            clipper_door_mark_locked(zone, i);
        }
    }
}


static void
clipper_rebuild_heads_locked(clipper_zone_t *zone)
{
    uint32_t              i;
    clipper_header_t     *header;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    header = zone->header;

    for (i = 0; i < header->buckets.n; i++) {
        zone->buckets[i].head = 0;
        zone->buckets[i].settled++;
    }

    for (i = 1; i < header->workers.n; i++) {
        zone->workers[i].mail_head = 0;
        zone->workers[i].mail_tail = 0;
    }

    for (i = 1; i < header->models.n; i++) {
        model = &zone->models[i];
        model->root = 0;
        model->last = 0;
        model->queued = 0;
        model->queued_bytes = 0;
        model->flights = 0;
        model->idle = 0;
        model->replicas = 0;
        model->members = 0;
        model->probed_us = 0;
        ngx_memzero(model->idles, sizeof(model->idles));
        model->fastest = 0;
        model->credit = CLIPPER_HEDGE_CREDIT;
        model->known = 0;
        model->rate = 0;
        model->rated_us = 0;
    }

    clipper_registry_index_locked(zone);
}


static void
clipper_rebuild_replicas_locked(clipper_zone_t *zone)
{
    uint32_t                i;
    clipper_table_t        *table;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    table = &zone->header->replicas;
    table->free = 0;
    table->used = table->n - 1;

    for (i = table->n - 1; i; i--) {
        r = &zone->replicas[i];
        r->idle = 0;

        if (r->state == CLIPPER_FREE) {
            clipper_free_give_locked(zone, replicas, i);
            continue;
        }

        model = &zone->models[r->model];
        model->members++;

        if (r->state == CLIPPER_PROBING) {
            model->probed_us = ngx_max(model->probed_us, r->connected_us);
        }

        if (r->state == CLIPPER_READY) {
            model->replicas++;

            if (!r->busy) {
                clipper_registry_replica_idle_locked(zone, i);
            }
        }
    }
}


/* models whose replicas with the current digest have all died */

static void
clipper_rebuild_digests_locked(clipper_zone_t *zone)
{
    uint32_t                i;
    uint64_t                current[CLIPPER_ROWS_MAX / 64];
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    ngx_memzero(current, sizeof(current));

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state != CLIPPER_FREE
            && r->epoch == zone->models[r->model].epoch)
        {
            current[r->model / 64] |= (uint64_t) 1 << (r->model % 64);
        }
    }

    for (i = 1; i < zone->header->models.n; i++) {

        if (zone->models[i].members
            && !((current[i / 64] >> (i % 64)) & 1))
        {
            clipper_registry_replica_current_locked(zone, i);
        }
    }
}


static void
clipper_rebuild_flights_locked(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_table_t   *table;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    table = &zone->header->flights;
    table->free = 0;
    table->used = table->n - 1;

    for (i = table->n - 1; i; i--) {
        f = &zone->flights[i];
        f->waiters = 0;
        f->nwaiters = 0;

        if (f->state == CLIPPER_FREE) {
            f->input = 0;
            f->output = 0;
            f->lease[0] = 0;
            f->lease[1] = 0;
            clipper_free_give_locked(zone, flights, i);
            continue;
        }

        zone->models[f->model].flights++;
    }
}


static void
clipper_rebuild_waiters_locked(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_table_t   *table;
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    table = &zone->header->waiters;
    table->free = 0;
    table->used = table->n - 1;

    for (i = table->n - 1; i; i--) {
        w = &zone->waiters[i];
        w->posted = 0;

        if (w->state == CLIPPER_FREE) {
            clipper_free_give_locked(zone, waiters, i);
            continue;
        }

        if (w->state == CLIPPER_DROPPED) {
            clipper_mailbox_post_locked(zone, i);
            continue;
        }

        clipper_queue_link_locked(zone, i);

        if (zone->flights[w->flight].state == CLIPPER_DONE) {
            clipper_mailbox_post_locked(zone, i);
        }
    }
}


/* after the waiters are linked: which flights go, wait again, can be joined */

static void
clipper_rebuild_leases_locked(clipper_zone_t *zone)
{
    uint32_t           i;
    ngx_uint_t         k;
    clipper_table_t   *table;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    table = &zone->header->flights;

    for (i = 1; i < table->n; i++) {
        f = &zone->flights[i];

        if (f->state == CLIPPER_FREE) {
            continue;
        }

        for (k = 0; k < CLIPPER_LEASES; k++) {
            if (!clipper_rebuild_leased_locked(zone, f->lease[k])) {
                f->lease[k] = 0;
            }
        }

        if ((f->lease[0] | f->lease[1]) == 0) {

            if (f->waiters == 0) {
                f->gen++;
                clipper_row_publish(f->state, CLIPPER_FREE);
                f->input = 0;
                f->output = 0;
                zone->models[f->model].flights--;
                clipper_free_give_locked(zone, flights, i);
                continue;
            }

            if (f->state == CLIPPER_LEASED) {
                clipper_row_publish(f->state, CLIPPER_QUEUED);
            }
        }

        if (f->state == CLIPPER_QUEUED && f->waiters == 0) {
            clipper_row_publish(f->state, CLIPPER_LEASED);
        }

        if (f->state == CLIPPER_QUEUED) {
            clipper_queue_insert_locked(zone, i);
        }

        if (f->state != CLIPPER_DONE) {
            clipper_queue_hash_locked(zone, i);
        }
    }
}


static ngx_uint_t
clipper_rebuild_leased_locked(clipper_zone_t *zone, uint64_t lease)
{
    uint32_t  row;

    clipper_zone_locked(zone);

    row = (uint32_t) lease;

    return row != 0
           && row < zone->header->replicas.n
           && zone->replicas[row].state != CLIPPER_FREE
           && zone->replicas[row].gen == (uint32_t) (lease >> 32)
           && zone->replicas[row].busy;
}


/*
 * Frees chunks that are in no chain of a flight, and in none on loan.  A flight
 * owns what its row names.
 */

static void
clipper_rebuild_chunks_locked(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_table_t   *table;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    table = &zone->header->chunks;

    for (i = 1; i < table->n; i++) {
        if (!(zone->chunks[i].owner & CLIPPER_CHUNK_LOAN)) {
            zone->chunks[i].owner = CLIPPER_FREE;
        }
    }

    for (i = 1; i < zone->header->flights.n; i++) {
        f = &zone->flights[i];

        if (f->state != CLIPPER_FREE) {
            clipper_chunk_own_locked(zone, f->input, i);
        }

        if (f->state == CLIPPER_DONE) {
            clipper_chunk_own_locked(zone, f->output, i);

        } else {
            f->output = 0;
        }
    }

    for (i = 1; i < table->n; i++) {
        clipper_rebuild_chain_locked(zone, i);
    }

    table->free = 0;
    table->used = table->n - 1;

    for (i = table->n - 1; i; i--) {

        if (zone->chunks[i].owner == CLIPPER_FREE) {
            clipper_free_give_locked(zone, chunks, i);

        } else if (zone->chunks[i].owner & CLIPPER_REBUILD_CHAIN) {
            zone->chunks[i].owner = CLIPPER_FREE;
        }
    }
}


/* marks the chunks behind the first one of a chain, for the moment */

static void
clipper_rebuild_chain_locked(clipper_zone_t *zone, uint32_t first)
{
    uint32_t  i, n;

    clipper_zone_locked(zone);

    if (zone->chunks[first].owner == CLIPPER_FREE
        || zone->chunks[first].owner & CLIPPER_REBUILD_CHAIN)
    {
        return;
    }

    i = zone->chunks[first].next;

    for (n = zone->chunks[first].n; n > 1 && i; n--) {
        zone->chunks[i].owner = CLIPPER_REBUILD_CHAIN;
        i = zone->chunks[i].next;
    }
}

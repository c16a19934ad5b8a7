
/*
 * The zone: layout of its tables, attaching to it, its lock.
 */


#include "shm/clipper_zone.h"
#include "shm/clipper_rebuild.h"
#include "shm/clipper_metrics.h"
#include "shm/clipper_door.h"
#include "shm/clipper_record.h"
#include "shm/clipper_state_table.h"


#define CLIPPER_ALIGN     64

/* changes with the layout, so an old zone is never misread */
#define CLIPPER_MAGIC                                                         \
    (0x436c697070657204ull                                                    \
     ^ ((uint64_t) sizeof(clipper_header_t) << 40)                            \
     ^ ((uint64_t) sizeof(clipper_flight_t) << 32)                            \
     ^ ((uint64_t) sizeof(clipper_worker_t) << 24)                            \
     ^ ((uint64_t) sizeof(clipper_replica_row_t) << 16)                       \
     ^ ((uint64_t) sizeof(clipper_model_row_t)))


static size_t clipper_zone_place(clipper_table_t *table, size_t offset,
    size_t n, size_t size);
static size_t clipper_zone_states(size_t size);
static size_t clipper_zone_clamp(size_t n, size_t min, size_t max);


ngx_int_t
clipper_zone_create(void *addr, size_t size, const u_char seed[32],
    int64_t now)
{
    size_t                      offset, rows, flights, buckets, chunks,
                                states, records;
    clipper_zone_t     zone;
    clipper_header_t  *header;

    header = addr;
    rows = clipper_zone_rows(size);
    flights = clipper_zone_clamp(size / 2048, 512, 1024 * 1024);

    states = clipper_zone_states(size);
    records = clipper_zone_clamp(size / 16, 0, (size_t) 1 << 31);

    for (buckets = 1; buckets < flights; buckets *= 2) { /* void */ }

    offset = sizeof(clipper_header_t);

    offset = clipper_zone_place(&header->workers, offset,
                                clipper_zone_workers(size),
                                sizeof(clipper_worker_t));
    offset = clipper_zone_place(&header->apps, offset, rows,
                                sizeof(clipper_app_row_t));
    offset = clipper_zone_place(&header->models, offset, rows,
                                sizeof(clipper_model_row_t));
    offset = clipper_zone_place(&header->replicas, offset,
                                clipper_zone_clamp(size / 65536, 32, 1024),
                                sizeof(clipper_replica_row_t));
    offset = clipper_zone_place(&header->metrics, offset,
                                CLIPPER_STRIPES * rows * 2,
                                CLIPPER_BLOCK * sizeof(uint64_t));
    offset = clipper_zone_place(&header->flights, offset, flights,
                                sizeof(clipper_flight_t));
    offset = clipper_zone_place(&header->waiters, offset, flights * 2,
                                sizeof(clipper_waiter_t));
    offset = clipper_zone_place(&header->buckets, offset, buckets,
                                sizeof(clipper_bucket_t));
    offset = clipper_zone_place(&header->states, offset, states, 1);
    offset = clipper_zone_place(&header->records, offset, records, 1);

    /* the rest holds payload: a chunk and its row, and two alignments */

    if (offset + 4 * CLIPPER_ALIGN + size / 4 > size) {
        return NGX_ERROR;
    }

    chunks = (size - offset - 2 * CLIPPER_ALIGN)
             / (CLIPPER_CHUNK + sizeof(clipper_chunk_t));
    chunks = ngx_min(chunks, CLIPPER_CHUNK_LOAN - 1);

    offset = clipper_zone_place(&header->chunks, offset, chunks,
                                sizeof(clipper_chunk_t));
    (void) clipper_zone_place(&header->payload, offset, chunks, CLIPPER_CHUNK);

    header->size = size;
    header->started = now;
    clipper_hash_init(&header->key, seed);
    ngx_memcpy(&header->query_id, seed, sizeof(uint64_t));
    header->magic = CLIPPER_MAGIC;

    if (clipper_zone_attach(&zone, addr, size, 0) != NGX_OK
        || clipper_state_table_create(zone.states, states, seed)
           != NGX_OK
        || clipper_record_create(zone.records, records, seed) != NGX_OK)
    {
        return NGX_ERROR;
    }

    header->lock.dirty = 1;     /* the first lock derives the rest */

    return NGX_OK;
}


static size_t
clipper_zone_states(size_t size)
{
    return clipper_zone_clamp(size / 8, 0, (size_t) 1 << 31);
}


size_t
clipper_zone_names(size_t size)
{
    return clipper_state_table_texts(clipper_zone_states(size));
}


size_t
clipper_zone_rows(size_t size)
{
    return clipper_zone_clamp(size / (128 * 1024), 32, CLIPPER_ROWS_MAX);
}


size_t
clipper_zone_workers(size_t size)
{
    return clipper_zone_clamp(size / 65536, 32, CLIPPER_WORKERS);
}


static size_t
clipper_zone_place(clipper_table_t *table, size_t offset, size_t n,
    size_t size)
{
    offset = ngx_align(offset, CLIPPER_ALIGN);

    table->offset = (uint32_t) (offset / CLIPPER_ALIGN);
    table->n = (uint32_t) n;

    return offset + n * size;
}


static size_t
clipper_zone_clamp(size_t n, size_t min, size_t max)
{
    return n < min ? min : n > max ? max : n;
}


ngx_int_t
clipper_zone_attach(clipper_zone_t *zone, void *addr, size_t size,
    clipper_owner_t pid)
{
    clipper_header_t  *header;

    header = addr;

    if (header->magic != CLIPPER_MAGIC || header->size != size) {
        return NGX_ERROR;
    }

    ngx_memzero(zone, sizeof(clipper_zone_t));

    zone->header = header;
    zone->pid = pid;

#define clipper_table_at(table)                                               \
    (void *) ((u_char *) addr                                                 \
              + (size_t) header->table.offset * CLIPPER_ALIGN)

    zone->workers = clipper_table_at(workers);
    zone->apps = clipper_table_at(apps);
    zone->models = clipper_table_at(models);
    zone->replicas = clipper_table_at(replicas);
    zone->flights = clipper_table_at(flights);
    zone->waiters = clipper_table_at(waiters);
    zone->chunks = clipper_table_at(chunks);
    zone->buckets = clipper_table_at(buckets);
    zone->metrics = clipper_table_at(metrics);
    zone->payload = clipper_table_at(payload);
    zone->states = clipper_table_at(states);
    zone->records = clipper_table_at(records);

    return NGX_OK;
}


/* each area begins with its journal */

uint64_t
clipper_zone_overflows(clipper_zone_t *zone)
{
    clipper_journal_t  *states, *records;

    states = zone->states;
    records = zone->records;

    return (uint64_t) __atomic_load_n(&states->overflows, __ATOMIC_RELAXED)
           + __atomic_load_n(&records->overflows, __ATOMIC_RELAXED);
}


void
clipper_zone_lock(clipper_zone_t *zone)
{
    if (clipper_lock(&zone->header->lock, zone->pid)) {
        zone->header->rebuilds++;
        clipper_rebuild_locked(zone);
    }
}


void
clipper_zone_unlock(clipper_zone_t *zone)
{
    clipper_lock_release(&zone->header->lock);
    clipper_door_ring(zone);
}

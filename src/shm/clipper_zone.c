
/*
 * The zone: layout of its tables, attaching to it, its lock.
 */


#include "shm/clipper_zone.h"
#include "shm/clipper_metrics.h"
#include "shm/clipper_record.h"
#include "shm/clipper_state_table.h"


#define NGX_HTTP_CLIPPER_ALIGN     64

/* changes with the layout: an old zone is never read with new eyes */
#define NGX_HTTP_CLIPPER_MAGIC                                                \
    (0x436c697070657201ull                                                    \
     ^ ((uint64_t) sizeof(ngx_http_clipper_header_t) << 40)                   \
     ^ ((uint64_t) sizeof(ngx_http_clipper_flight_t) << 32)                   \
     ^ ((uint64_t) sizeof(ngx_http_clipper_replica_row_t) << 16)              \
     ^ ((uint64_t) sizeof(ngx_http_clipper_model_row_t)))


static size_t ngx_http_clipper_zone_place(ngx_http_clipper_table_t *table,
    size_t offset, size_t n, size_t size);
static size_t ngx_http_clipper_zone_clamp(size_t n, size_t min, size_t max);


ngx_int_t
ngx_http_clipper_zone_create(void *addr, size_t size, const u_char seed[32],
    int64_t now)
{
    size_t                      offset, rows, flights, buckets, chunks,
                                states, records;
    ngx_http_clipper_zone_t     zone;
    ngx_http_clipper_header_t  *header;

    header = addr;
    rows = ngx_http_clipper_zone_rows(size);
    flights = ngx_http_clipper_zone_clamp(size / 2048, 512, 1024 * 1024);

    states = ngx_http_clipper_zone_clamp(size / 8, 0, (size_t) 1 << 31);
    records = ngx_http_clipper_zone_clamp(size / 16, 0, (size_t) 1 << 31);

    for (buckets = 1; buckets < flights; buckets *= 2) { /* void */ }

    offset = sizeof(ngx_http_clipper_header_t);

    offset = ngx_http_clipper_zone_place(&header->workers, offset,
                                         NGX_HTTP_CLIPPER_WORKERS,
                                         sizeof(ngx_http_clipper_worker_t));
    offset = ngx_http_clipper_zone_place(&header->apps, offset, rows,
                                         sizeof(ngx_http_clipper_app_row_t));
    offset = ngx_http_clipper_zone_place(&header->models, offset, rows,
                                         sizeof(ngx_http_clipper_model_row_t));
    offset = ngx_http_clipper_zone_place(&header->replicas, offset,
                             ngx_http_clipper_zone_clamp(size / 65536, 32,
                                                         1024),
                             sizeof(ngx_http_clipper_replica_row_t));
    offset = ngx_http_clipper_zone_place(&header->metrics, offset,
                             NGX_HTTP_CLIPPER_STRIPES * rows * 2,
                             NGX_HTTP_CLIPPER_BLOCK * sizeof(uint64_t));
    offset = ngx_http_clipper_zone_place(&header->flights, offset, flights,
                                         sizeof(ngx_http_clipper_flight_t));
    offset = ngx_http_clipper_zone_place(&header->waiters, offset, flights * 2,
                                         sizeof(ngx_http_clipper_waiter_t));
    offset = ngx_http_clipper_zone_place(&header->buckets, offset, buckets,
                                         sizeof(ngx_http_clipper_bucket_t));
    offset = ngx_http_clipper_zone_place(&header->states, offset, states, 1);
    offset = ngx_http_clipper_zone_place(&header->records, offset, records, 1);

    /* what is left holds payload: a chunk and its row, and two alignments */

    if (offset + 4 * NGX_HTTP_CLIPPER_ALIGN + size / 4 > size) {
        return NGX_ERROR;
    }

    chunks = (size - offset - 2 * NGX_HTTP_CLIPPER_ALIGN)
             / (NGX_HTTP_CLIPPER_CHUNK + sizeof(ngx_http_clipper_chunk_t));
    chunks = ngx_min(chunks, NGX_HTTP_CLIPPER_CHUNK_ORPHAN - 1);

    offset = ngx_http_clipper_zone_place(&header->chunks, offset, chunks,
                                         sizeof(ngx_http_clipper_chunk_t));
    (void) ngx_http_clipper_zone_place(&header->payload, offset, chunks,
                                       NGX_HTTP_CLIPPER_CHUNK);

    header->size = size;
    header->started = now;
    ngx_http_clipper_hash_init(&header->key, seed);
    ngx_memcpy(&header->query_id, seed, sizeof(uint64_t));
    header->magic = NGX_HTTP_CLIPPER_MAGIC;

    if (ngx_http_clipper_zone_attach(&zone, addr, size, 0) != NGX_OK
        || ngx_http_clipper_state_table_create(zone.states, states, seed)
           != NGX_OK
        || ngx_http_clipper_record_create(zone.records, records) != NGX_OK)
    {
        return NGX_ERROR;
    }

    header->lock.dirty = 1;     /* who locks first derives the rest */

    return NGX_OK;
}


size_t
ngx_http_clipper_zone_rows(size_t size)
{
    return ngx_http_clipper_zone_clamp(size / (128 * 1024), 32,
                                       NGX_HTTP_CLIPPER_ROWS_MAX);
}


static size_t
ngx_http_clipper_zone_place(ngx_http_clipper_table_t *table, size_t offset,
    size_t n, size_t size)
{
    offset = ngx_align(offset, NGX_HTTP_CLIPPER_ALIGN);

    table->offset = (uint32_t) (offset / NGX_HTTP_CLIPPER_ALIGN);
    table->n = (uint32_t) n;

    return offset + n * size;
}


static size_t
ngx_http_clipper_zone_clamp(size_t n, size_t min, size_t max)
{
    return n < min ? min : n > max ? max : n;
}


ngx_int_t
ngx_http_clipper_zone_attach(ngx_http_clipper_zone_t *zone, void *addr,
    size_t size, uint32_t pid)
{
    ngx_http_clipper_header_t  *header;

    header = addr;

    if (header->magic != NGX_HTTP_CLIPPER_MAGIC || header->size != size) {
        return NGX_ERROR;
    }

    ngx_memzero(zone, sizeof(ngx_http_clipper_zone_t));

    zone->header = header;
    zone->pid = pid;

#define ngx_http_clipper_table_at(table)                                      \
    (void *) ((u_char *) addr                                                 \
              + (size_t) header->table.offset * NGX_HTTP_CLIPPER_ALIGN)

    zone->workers = ngx_http_clipper_table_at(workers);
    zone->apps = ngx_http_clipper_table_at(apps);
    zone->models = ngx_http_clipper_table_at(models);
    zone->replicas = ngx_http_clipper_table_at(replicas);
    zone->flights = ngx_http_clipper_table_at(flights);
    zone->waiters = ngx_http_clipper_table_at(waiters);
    zone->chunks = ngx_http_clipper_table_at(chunks);
    zone->buckets = ngx_http_clipper_table_at(buckets);
    zone->metrics = ngx_http_clipper_table_at(metrics);
    zone->payload = ngx_http_clipper_table_at(payload);
    zone->states = ngx_http_clipper_table_at(states);
    zone->records = ngx_http_clipper_table_at(records);

    return NGX_OK;
}


void
ngx_http_clipper_zone_lock(ngx_http_clipper_zone_t *zone)
{
    if (ngx_http_clipper_lock(&zone->header->lock, zone->pid) == NGX_BUSY) {
        zone->header->rebuilds++;
        ngx_http_clipper_rebuild_locked(zone);
    }
}


void
ngx_http_clipper_zone_unlock(ngx_http_clipper_zone_t *zone)
{
    ngx_http_clipper_unlock(&zone->header->lock);
}


/*
 * Chains of payload chunks, see the header.
 */


#include "shm/clipper_chunk.h"


#define CLIPPER_CHUNK_LINE  64


static u_char *clipper_chunk_data(clipper_zone_t *zone, uint32_t chunk);
static void clipper_chunk_copy(u_char *dst, const u_char *src, size_t n);


uint32_t
clipper_chunk_borrow_locked(clipper_zone_t *zone, size_t len)
{
    clipper_zone_locked(zone);

    return clipper_chunk_extend_locked(zone, 0, len);
}


/* the head of the free list is a chain already: it is only cut off */

uint32_t
clipper_chunk_extend_locked(clipper_zone_t *zone, uint32_t first, size_t len)
{
    size_t            i, n;
    uint32_t          begin, last;
    clipper_table_t  *table;
    clipper_chunk_t  *head;

    clipper_zone_locked(zone);

    table = &zone->header->chunks;
    n = (len + CLIPPER_CHUNK - 1) / CLIPPER_CHUNK;

    if (n == 0 || n > table->n - 1 - table->used) {
        return 0;
    }

    begin = table->free;
    last = begin;

    for (i = 1; i < n; i++) {
        last = zone->chunks[last].next;
    }

    table->free = zone->chunks[last].next;
    table->used += (uint32_t) n;
    zone->chunks[last].next = 0;

    if (first) {
        head = &zone->chunks[first];
        zone->chunks[head->last].next = begin;
        head->last = last;
        head->n += (uint32_t) n;

        return first;
    }

    head = &zone->chunks[begin];
    head->last = last;
    head->n = (uint32_t) n;
    clipper_row_publish(head->owner, CLIPPER_CHUNK_LOAN | zone->slot);

    return begin;
}


void
clipper_chunk_own_locked(clipper_zone_t *zone, uint32_t chunk, uint32_t flight)
{
    clipper_zone_locked(zone);

    if (chunk) {
        zone->chunks[chunk].owner = flight;
    }
}


void
clipper_chunk_free_locked(clipper_zone_t *zone, uint32_t chunk)
{
    clipper_table_t  *table;
    clipper_chunk_t  *head;

    clipper_zone_locked(zone);

    if (chunk == 0) {
        return;
    }

    table = &zone->header->chunks;
    head = &zone->chunks[chunk];

    clipper_row_publish(head->owner, CLIPPER_FREE);

    zone->chunks[head->last].next = table->free;
    table->free = chunk;
    table->used -= head->n;
}


void
clipper_chunk_write(clipper_zone_t *zone, uint32_t chunk, const u_char *data,
    size_t len)
{
    size_t  n;

    for ( /* void */ ; chunk && len; chunk = zone->chunks[chunk].next) {
        n = ngx_min(len, CLIPPER_CHUNK);
        clipper_chunk_copy(clipper_chunk_data(zone, chunk), data, n);
        data += n;
        len -= n;
    }
}


void
clipper_chunk_read(clipper_zone_t *zone, uint32_t chunk, u_char *data,
    size_t len)
{
    size_t  n;

    for ( /* void */ ; chunk && len; chunk = zone->chunks[chunk].next) {
        n = ngx_min(len, CLIPPER_CHUNK);
        clipper_chunk_copy(data, clipper_chunk_data(zone, chunk), n);
        data += n;
        len -= n;
    }
}


static u_char *
clipper_chunk_data(clipper_zone_t *zone, uint32_t chunk)
{
    return zone->payload + (size_t) chunk * CLIPPER_CHUNK;
}


/*
 * copies by lines up to a chunk: compilers turn a single copy into "rep movs"
 */

static void
clipper_chunk_copy(u_char *dst, const u_char *src, size_t n)
{
    for ( /* void */ ; n >= CLIPPER_CHUNK_LINE;
          n -= CLIPPER_CHUNK_LINE)
    {
        ngx_memcpy(dst, src, CLIPPER_CHUNK_LINE);
        dst += CLIPPER_CHUNK_LINE;
        src += CLIPPER_CHUNK_LINE;
    }

    ngx_memcpy(dst, src, n);
}

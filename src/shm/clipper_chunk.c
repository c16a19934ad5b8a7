
/*
 * Chains of payload chunks, see the header.
 */


#include "shm/clipper_chunk.h"


#define CLIPPER_CHUNK_LINE  64


static u_char *clipper_chunk_data(clipper_zone_t *zone, uint32_t chunk);
static void clipper_chunk_copy(u_char *dst, const u_char *src, size_t n);


uint32_t
clipper_chunk_borrow_locked(clipper_zone_t *zone,
    size_t len)
{
    size_t            i, n;
    uint32_t          chunk, first;
    clipper_table_t  *table;

    clipper_zone_locked(zone);

    table = &zone->header->chunks;
    n = (len + CLIPPER_CHUNK - 1) / CLIPPER_CHUNK;

    if (n > table->n - 1 - table->used) {
        return 0;
    }

    /* the owner words come first: they lead to a chain that was cut short */

    first = 0;

    for (i = 0; i < n; i++) {
        clipper_row_take(table, zone->chunks, chunk);

        if (chunk == 0) {
            break;
        }

        clipper_publish(zone->chunks[chunk].owner,
                        CLIPPER_CHUNK_LOAN | zone->slot);
        zone->chunks[chunk].next = first;
        first = chunk;
    }

    return first;
}


void
clipper_chunk_own_locked(clipper_zone_t *zone, uint32_t chunk, uint32_t flight)
{
    clipper_zone_locked(zone);

    for ( /* void */ ; chunk; chunk = zone->chunks[chunk].next) {
        zone->chunks[chunk].owner = flight;
    }
}


void
clipper_chunk_free_locked(clipper_zone_t *zone, uint32_t chunk)
{
    uint32_t          next;
    clipper_table_t  *table;

    clipper_zone_locked(zone);

    table = &zone->header->chunks;

    for ( /* void */ ; chunk; chunk = next) {
        next = zone->chunks[chunk].next;
        zone->chunks[chunk].owner = CLIPPER_FREE;
        clipper_row_give(table, zone->chunks, chunk);
    }
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

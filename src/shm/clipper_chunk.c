
/*
 * Chains of payload chunks, see the header.
 */


#include "shm/clipper_chunk.h"


#define NGX_HTTP_CLIPPER_CHUNK_LINE  64


static u_char *ngx_http_clipper_chunk_data(ngx_http_clipper_zone_t *zone,
    uint32_t chunk);
static void ngx_http_clipper_chunk_copy(u_char *dst, const u_char *src,
    size_t n);


uint32_t
ngx_http_clipper_chunk_borrow_locked(ngx_http_clipper_zone_t *zone,
    size_t len)
{
    size_t                     i, n;
    uint32_t                   chunk, first;
    ngx_http_clipper_table_t  *table;

    ngx_http_clipper_zone_locked(zone);

    table = &zone->header->chunks;
    n = (len + NGX_HTTP_CLIPPER_CHUNK - 1) / NGX_HTTP_CLIPPER_CHUNK;

    if (n > table->n - 1 - table->used) {
        return 0;
    }

    /* the owner words come first: a chain cut short is then found by them */

    first = 0;

    for (i = 0; i < n; i++) {
        ngx_http_clipper_row_take(table, zone->chunks, chunk);

        if (chunk == 0) {
            break;
        }

        ngx_http_clipper_publish(zone->chunks[chunk].owner,
                                 NGX_HTTP_CLIPPER_CHUNK_LOAN | zone->slot);
        zone->chunks[chunk].next = first;
        first = chunk;
    }

    return first;
}


void
ngx_http_clipper_chunk_own_locked(ngx_http_clipper_zone_t *zone,
    uint32_t chunk, uint32_t flight)
{
    ngx_http_clipper_zone_locked(zone);

    for ( /* void */ ; chunk; chunk = zone->chunks[chunk].next) {
        zone->chunks[chunk].owner = flight;
    }
}


void
ngx_http_clipper_chunk_free_locked(ngx_http_clipper_zone_t *zone,
    uint32_t chunk)
{
    uint32_t                   next;
    ngx_http_clipper_table_t  *table;

    ngx_http_clipper_zone_locked(zone);

    table = &zone->header->chunks;

    for ( /* void */ ; chunk; chunk = next) {
        next = zone->chunks[chunk].next;
        zone->chunks[chunk].owner = NGX_HTTP_CLIPPER_FREE;
        ngx_http_clipper_row_give(table, zone->chunks, chunk);
    }
}


void
ngx_http_clipper_chunk_write(ngx_http_clipper_zone_t *zone, uint32_t chunk,
    const u_char *data, size_t len)
{
    size_t  n;

    for ( /* void */ ; chunk && len; chunk = zone->chunks[chunk].next) {
        n = ngx_min(len, NGX_HTTP_CLIPPER_CHUNK);
        ngx_http_clipper_chunk_copy(ngx_http_clipper_chunk_data(zone, chunk),
                                    data, n);
        data += n;
        len -= n;
    }
}


void
ngx_http_clipper_chunk_read(ngx_http_clipper_zone_t *zone, uint32_t chunk,
    u_char *data, size_t len)
{
    size_t  n;

    for ( /* void */ ; chunk && len; chunk = zone->chunks[chunk].next) {
        n = ngx_min(len, NGX_HTTP_CLIPPER_CHUNK);
        ngx_http_clipper_chunk_copy(data,
                                    ngx_http_clipper_chunk_data(zone, chunk),
                                    n);
        data += n;
        len -= n;
    }
}


static u_char *
ngx_http_clipper_chunk_data(ngx_http_clipper_zone_t *zone, uint32_t chunk)
{
    return zone->payload + (size_t) chunk * NGX_HTTP_CLIPPER_CHUNK;
}


/* up to a chunk, in lines: what compilers make of the whole is "rep movs" */

static void
ngx_http_clipper_chunk_copy(u_char *dst, const u_char *src, size_t n)
{
    for ( /* void */ ; n >= NGX_HTTP_CLIPPER_CHUNK_LINE;
          n -= NGX_HTTP_CLIPPER_CHUNK_LINE)
    {
        ngx_memcpy(dst, src, NGX_HTTP_CLIPPER_CHUNK_LINE);
        dst += NGX_HTTP_CLIPPER_CHUNK_LINE;
        src += NGX_HTTP_CLIPPER_CHUNK_LINE;
    }

    ngx_memcpy(dst, src, n);
}

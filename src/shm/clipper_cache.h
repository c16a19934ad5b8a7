
/*
 * The prediction cache: outputs by the digest of their input, in a zone of
 * shared memory that all workers use.
 *
 * Promise: it never uses more memory than the zone; a value that is found was
 * put under exactly this key; work under the lock is bounded, long values are
 * copied without it; a worker that dies while it copies costs its entry, one
 * that dies with the lock at most the content.  Reads take no lock.
 *
 * Values form a ring in the order of their arrival.  Room is made at its old
 * end: an entry that was found since it was written is rewritten at the new
 * end (its second chance, CLOCK), any other entry is dropped.  The cache has
 * no pending entries: a missing key may be in flight.
 */


#ifndef _CLIPPER_CACHE_H_INCLUDED_
#define _CLIPPER_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_lock.h"


typedef struct {
    size_t      size;               /* of the zone */
    size_t      capacity;           /* bytes that entries can take */
    size_t      used;               /* bytes in use */
    uint64_t    entries;
    uint64_t    resets;             /* emptied after a writer's death */
} clipper_cache_usage_t;


/* lays out fresh, zeroed memory; NGX_ERROR: too small, nothing is written */
ngx_int_t clipper_cache_create(void *addr, size_t size);

/* whether used memory is a cache of this size; read only */
ngx_int_t clipper_cache_validate(void *addr, size_t size);

/* the view of this process; NULL: no cache, all gets miss */
void clipper_cache_attach(void *addr, clipper_owner_t pid);

ngx_uint_t clipper_cache_enabled(void);

/*
 * NGX_OK: buf has *len bytes; NGX_ABORT: *len is larger than size, call again
 * with a larger buffer; NGX_DECLINED: it has none that is at most valid_us old
 * (0: of any age).  buf may be written in any case.
 */
ngx_int_t clipper_cache_get(const uint64_t key[2], uint64_t now_us,
    uint64_t valid_us, u_char *buf, size_t size, size_t *len);

/*
 * Stores the value if there is room, or if a few steps can make room; returns
 * the number of entries evicted.  The first value of a key stays until a get
 * finds it too old.  A value larger than a quarter of the zone or 16 MiB is
 * not stored.
 */
ngx_uint_t clipper_cache_put(const uint64_t key[2], uint64_t now_us,
    const u_char *data, size_t len);

void clipper_cache_usage(clipper_cache_usage_t *usage);


#endif /* _CLIPPER_CACHE_H_INCLUDED_ */


/*
 * The prediction cache: outputs by the digest of their input, in a zone of
 * shared memory that all workers use.
 *
 * Promise: never more memory than the zone; what is found was put under
 * exactly this key; work under the lock is bounded; the death of a worker
 * anywhere costs at most the content.  Reading takes no lock.
 *
 * Values stand in a ring in the order of their coming.  Room is made at its
 * old end: an entry that was found since it was written is written again at
 * the new end (its second chance, CLOCK), any other goes.  Nothing can be in
 * flight here: an absent key says nothing.
 */


#ifndef _CLIPPER_CACHE_H_INCLUDED_
#define _CLIPPER_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    size_t      size;               /* of the zone */
    size_t      capacity;           /* bytes that entries can take */
    size_t      used;               /* bytes that they take */
    uint64_t    entries;
    uint64_t    resets;             /* emptied after the death of a writer */
} clipper_cache_usage_t;


/* lays out fresh, zeroed memory; NGX_ERROR: too small, nothing is written */
ngx_int_t clipper_cache_create(void *addr, size_t size);

/* whether memory that was used before is a cache of this size; only reads */
ngx_int_t clipper_cache_validate(void *addr, size_t size);

/* this process' view; NULL: it has no cache, all gets miss */
void clipper_cache_attach(void *addr, uint32_t pid);

ngx_uint_t clipper_cache_enabled(void);

/*
 * NGX_OK: *len bytes are in buf; NGX_AGAIN: *len is larger than size, call
 * again with a larger buffer; NGX_DECLINED: there is none, or it is older
 * than valid_us (0: any age will do).  buf may be written in any case.
 */
ngx_int_t clipper_cache_get(const uint64_t key[2], uint64_t now_us,
    uint64_t valid_us, u_char *buf, size_t size, size_t *len);

/*
 * Keeps the value if there is room or room can be made in a few steps; gives
 * the number of entries that had to go.  The first value of a key stays,
 * until a get has found it too old.  A value over a quarter of the zone or
 * of 16 MiB is not kept.
 */
ngx_uint_t clipper_cache_put(const uint64_t key[2], uint64_t now_us,
    const u_char *data, size_t len);

void clipper_cache_usage(clipper_cache_usage_t *usage);


#endif /* _CLIPPER_CACHE_H_INCLUDED_ */

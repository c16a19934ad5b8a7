
/*
 * The steps on the ring of the cache that reading and writing share.  For the
 * cache's own files and its tests.
 *
 * A reader takes the position from the slot, copies, and looks at the tail:
 * if the tail has not passed the position, nothing was written over the entry
 * meanwhile.  This is sound because a writer moves the tail first and writes
 * then, with a release fence between (append, move), and the reader has an
 * acquire fence between its copy and its look at the tail (intact).
 */


#ifndef _CLIPPER_CACHE_RING_H_INCLUDED_
#define _CLIPPER_CACHE_RING_H_INCLUDED_


#include "shm/clipper_cache_layout.h"


extern clipper_cache_t  clipper_cache_ring;


#define clipper_cache_locked()                                                \
    clipper_locked(&clipper_cache_ring.header->lock, clipper_cache_ring.pid)


/* what stands at a position, perhaps no longer an entry: ask intact() then */
void clipper_cache_ring_entry(uint64_t position, clipper_cache_entry_t *entry);
void clipper_cache_ring_copy(uint64_t position, u_char *buf, size_t n);

ngx_uint_t clipper_cache_ring_marks_locked(uint64_t position);
void clipper_cache_ring_mark(uint64_t position, uint32_t set, uint32_t clear);

/* the slot that names an entry of this key, or NULL */
uint64_t  *clipper_cache_ring_find_locked(const uint64_t key[2]);

/*
 * The slot for a new entry of the key: that of its old one, or a free one in
 * the emptier of its buckets, or that of the oldest entry there.
 */
uint64_t *clipper_cache_ring_slot_locked(const uint64_t key[2],
    ngx_uint_t *evicted);

/* an entry at the head, where there is room: its position; no value yet */
uint64_t clipper_cache_ring_append_locked(const uint64_t key[2],
    uint64_t now_us, size_t len);

/* the value of a new entry, before a slot names it; needs no lock */
void clipper_cache_ring_fill(uint64_t position, const u_char *data, size_t len);

/* rewrites an entry at the head, marked as unused; gives its position */
uint64_t clipper_cache_ring_move_locked(uint64_t from, uint64_t words);


static ngx_inline uint64_t
clipper_cache_ring_tail(void)
{
    return __atomic_load_n(&clipper_cache_ring.header->tail, __ATOMIC_ACQUIRE);
}


/* i: 0 and 1 for the first and second bucket of a key */

static ngx_inline uint64_t *
clipper_cache_ring_bucket(const uint64_t key[2], ngx_uint_t i)
{
    uint64_t  bucket;

    bucket = ((key[i] & 0xffffffff) * clipper_cache_ring.header->buckets)
             >> 32;

    return clipper_cache_ring.slots
           + bucket * CLIPPER_CACHE_SLOTS;
}


#endif /* _CLIPPER_CACHE_RING_H_INCLUDED_ */


/*
 * How the prediction cache lies in memory, and the steps on it that reading
 * and writing share.  For the cache's own files and its tests.
 *
 * A position counts the words of the ring that were ever written, and never
 * comes again; entries stand in [tail, head).  An entry is written once, then
 * its slot in the index names its position.  It is gone when the tail has
 * passed it: its slot needs no clearing, and emptying the cache is one store
 * (tail = head), which is why the death of a writer is so easily repaired.
 *
 * A reader takes the position from the slot, copies, and looks at the tail:
 * if the tail has not passed the position, nothing was written over the entry
 * meanwhile.  This is sound because a writer moves the tail first and writes
 * then, with a release fence between (append, move), and the reader has an
 * acquire fence between its copy and its look at the tail (intact).
 *
 * An entry: two words of key, one of age and length, then the value.  A slot:
 * the upper 12 bits of the key's first word above 52 of the position.  A key
 * may be in either of two buckets of 8 slots; when both are full, the oldest
 * entry in them goes.
 */


#ifndef _CLIPPER_CACHE_RING_H_INCLUDED_
#define _CLIPPER_CACHE_RING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_lock.h"


#define CLIPPER_CACHE_SLOTS     8                   /* of a bucket: a line */
#define CLIPPER_CACHE_HEAD      3                   /* words before a value */
#define CLIPPER_CACHE_GRANULE   4                   /* words, the least entry */
#define CLIPPER_CACHE_STEPS     32                  /* under one lock */

#define CLIPPER_CACHE_LEN_MAX   0xffffff
#define CLIPPER_CACHE_POSITION  0xfffffffffffffull


/* marks of an entry; a stray one from a late reader does no harm */

#define CLIPPER_CACHE_USED      1                   /* gets a second chance */
#define CLIPPER_CACHE_OLD       2                   /* was too old for a get */


typedef struct {
    uint64_t                         magic;
    uint64_t                         size;
    uint64_t                         words;         /* of the ring */
    uint32_t                         buckets;
    uint32_t                         reserve;       /* words, see room */

    /* for writers */
    clipper_lock_t                   lock  __attribute__((aligned(64)));
    uint64_t                         head;
    uint64_t                         entries;
    uint64_t                         resets;

    /* for all */
    uint64_t                         tail  __attribute__((aligned(64)));
} clipper_cache_header_t;


typedef struct {
    clipper_cache_header_t          *header;
    uint64_t                        *slots;
    uint32_t                        *marks;         /* 2 bits of a granule */
    uint64_t                        *ring;
    uint32_t                         pid;
} clipper_cache_t;


typedef struct {
    uint64_t                         key[2];
    uint64_t                         stamp;         /* units of 256 us */
    size_t                           len;
} clipper_cache_entry_t;


extern clipper_cache_t  clipper_cache_ring;


#define clipper_cache_locked()                                                \
    clipper_locked(&clipper_cache_ring.header->lock, clipper_cache_ring.pid)


/* what stands at a position, perhaps no longer an entry: ask intact() then */
void clipper_cache_ring_entry(uint64_t position, clipper_cache_entry_t *entry);
void clipper_cache_ring_copy(uint64_t position, u_char *buf, size_t n);

ngx_uint_t clipper_cache_ring_marks(uint64_t position);
void clipper_cache_ring_mark(uint64_t position, uint32_t set, uint32_t clear);

/* the slot that names an entry of this key, or NULL */
uint64_t  *clipper_cache_ring_find_locked(const uint64_t key[2]);

/*
 * The slot for a new entry of the key: that of its old one, or a free one in
 * the emptier of its buckets, or that of the oldest entry there.
 */
uint64_t *clipper_cache_ring_slot_locked(const uint64_t key[2],
    ngx_uint_t *evicted);

/*
 * Makes room for so many words; 0: not with one round of steps.  A reserve
 * stays free, so that an entry can be moved before the tail passes it: who
 * looks for it meanwhile finds it.
 */
ngx_uint_t  clipper_cache_ring_room_locked(uint64_t words, ngx_uint_t *evicted);

/* writes an entry at the head, where there is room, and gives its position */
uint64_t clipper_cache_ring_append_locked(const uint64_t key[2],
    uint64_t now_us, const u_char *data, size_t len);


static ngx_inline uint64_t
clipper_cache_tail(void)
{
    return __atomic_load_n(&clipper_cache_ring.header->tail, __ATOMIC_ACQUIRE);
}


static ngx_inline uint64_t
clipper_cache_position(uint64_t slot)
{
    return slot & CLIPPER_CACHE_POSITION;
}


static ngx_inline uint64_t
clipper_cache_tag(const uint64_t key[2])
{
    return key[0] & ~CLIPPER_CACHE_POSITION;
}


static ngx_inline uint64_t
clipper_cache_words(size_t len)
{
    return ngx_max(CLIPPER_CACHE_HEAD + (len + 7) / 8, CLIPPER_CACHE_GRANULE);
}


/* i: 0 and 1 for the first and second bucket of a key */

static ngx_inline uint64_t *
clipper_cache_bucket(const uint64_t key[2], ngx_uint_t i)
{
    uint64_t  bucket;

    bucket = ((key[i] & 0xffffffff) * clipper_cache_ring.header->buckets)
             >> 32;

    return clipper_cache_ring.slots
           + bucket * CLIPPER_CACHE_SLOTS;
}


static ngx_inline ngx_uint_t
clipper_cache_same(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}


#endif /* _CLIPPER_CACHE_RING_H_INCLUDED_ */

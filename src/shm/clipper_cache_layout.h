
/*
 * How the prediction cache lies in memory.  For its own files and its tests.
 *
 * A position counts the words of the ring that were ever written, and never
 * comes again; entries stand in [tail, head).  An entry is written once, then
 * its slot in the index names its position.  It is gone when the tail has
 * passed it: its slot needs no clearing, and emptying the cache is one store
 * (tail = head), which is why the death of a writer is so easily repaired.
 *
 * An entry: two words of key, one of age and length, then the value.  A slot:
 * the upper 12 bits of the key's first word above 52 of the position.  A key
 * may be in either of two buckets of 8 slots; when both are full, the oldest
 * entry in them goes.
 */


#ifndef _CLIPPER_CACHE_LAYOUT_H_INCLUDED_
#define _CLIPPER_CACHE_LAYOUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_lock.h"


#define CLIPPER_CACHE_SLOTS     8                   /* of a bucket: a line */
#define CLIPPER_CACHE_HEAD      3                   /* words before a value */
#define CLIPPER_CACHE_GRANULE   4                   /* words, the least entry */
#define CLIPPER_CACHE_STEPS     32                  /* under one lock */
#define CLIPPER_CACHE_DRAFTS    8                   /* at a time */

#define CLIPPER_CACHE_LEN_MAX   0xffffff
#define CLIPPER_CACHE_POSITION  0xfffffffffffffull


/* marks of an entry; a stray one from a late reader does no harm */

#define CLIPPER_CACHE_USED      1                   /* gets a second chance */
#define CLIPPER_CACHE_OLD       2                   /* was too old for a get */


typedef struct {
    clipper_owner_t                  owner;         /* 0: none */
    uint64_t                         position;
} clipper_cache_draft_t;


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
    clipper_cache_draft_t            draft[CLIPPER_CACHE_DRAFTS];

    /* for all */
    uint64_t                         tail  __attribute__((aligned(64)));
} clipper_cache_header_t;


typedef struct {
    clipper_cache_header_t          *header;
    uint64_t                        *slots;
    uint32_t                        *marks;         /* 2 bits of a granule */
    uint64_t                        *ring;
    clipper_owner_t                  pid;
} clipper_cache_t;


typedef struct {
    uint64_t                         key[2];
    uint64_t                         stamp;         /* units of 256 us */
    size_t                           len;
} clipper_cache_entry_t;


static ngx_inline uint64_t
clipper_cache_layout_position(uint64_t slot)
{
    return slot & CLIPPER_CACHE_POSITION;
}


static ngx_inline uint64_t
clipper_cache_layout_tag(const uint64_t key[2])
{
    return key[0] & ~CLIPPER_CACHE_POSITION;
}


static ngx_inline uint64_t
clipper_cache_layout_words(size_t len)
{
    return ngx_max(CLIPPER_CACHE_HEAD + (len + 7) / 8, CLIPPER_CACHE_GRANULE);
}


static ngx_inline ngx_uint_t
clipper_cache_layout_same(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}


#endif /* _CLIPPER_CACHE_LAYOUT_H_INCLUDED_ */


/*
 * Drafts: long entries of the cache whose value is being copied, without the
 * lock.  Nothing leads to such an entry, and its room is not written to.
 *
 * A draft has the mark of its worker.  When the worker is dead, the draft is
 * dropped as soon as it is in the way: clipper_cache_put() asks then.  What a
 * living worker copies stays: if it stands still, the cache takes no new
 * entries once the ring is full.
 */


#ifndef _CLIPPER_CACHE_DRAFT_H_INCLUDED_
#define _CLIPPER_CACHE_DRAFT_H_INCLUDED_


#include "shm/clipper_cache_layout.h"


/* of the entry that is written next; NULL: there are too many at a time */
clipper_cache_draft_t *clipper_cache_draft_begin_locked(void);

void clipper_cache_draft_end_locked(clipper_cache_draft_t *draft);

/* the lowest position; the highest possible one if there are none */
uint64_t clipper_cache_draft_low_locked(void);

/* asks, without the lock, who is dead: owners or 0; how many are */
ngx_uint_t clipper_cache_draft_dead(
    clipper_owner_t dead[CLIPPER_CACHE_DRAFTS]);

/* drops what they left */
void clipper_cache_draft_bury_locked(
    const clipper_owner_t dead[CLIPPER_CACHE_DRAFTS]);


#endif /* _CLIPPER_CACHE_DRAFT_H_INCLUDED_ */

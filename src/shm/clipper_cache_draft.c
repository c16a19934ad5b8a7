
/*
 * Entries whose value is being copied, see the header.
 */


#include "shm/clipper_cache_draft.h"
#include "shm/clipper_cache_ring.h"


static clipper_cache_draft_t *clipper_cache_draft_free_locked(void);


clipper_cache_draft_t *
clipper_cache_draft_begin_locked(void)
{
    clipper_cache_draft_t  *draft;

    clipper_cache_locked();

    draft = clipper_cache_draft_free_locked();

    if (draft) {
        draft->position = clipper_cache_ring.header->head;
        draft->owner = clipper_cache_ring.pid;
    }

    return draft;
}


static clipper_cache_draft_t *
clipper_cache_draft_free_locked(void)
{
    ngx_uint_t              i;
    clipper_cache_draft_t  *draft;

    clipper_cache_locked();

    draft = clipper_cache_ring.header->draft;

    for (i = 0; i < CLIPPER_CACHE_DRAFTS; i++) {
        if (draft[i].owner == 0) {
            return &draft[i];
        }
    }

    return NULL;
}


void
clipper_cache_draft_end_locked(clipper_cache_draft_t *draft)
{
    clipper_cache_locked();

    draft->owner = 0;
}


uint64_t
clipper_cache_draft_low_locked(void)
{
    uint64_t                low;
    ngx_uint_t              i;
    clipper_cache_draft_t  *draft;

    clipper_cache_locked();

    low = CLIPPER_CACHE_POSITION;
    draft = clipper_cache_ring.header->draft;

    for (i = 0; i < CLIPPER_CACHE_DRAFTS; i++) {
        if (draft[i].owner) {
            low = ngx_min(low, draft[i].position);
        }
    }

    return low;
}


ngx_uint_t
clipper_cache_draft_dead(clipper_owner_t dead[CLIPPER_CACHE_DRAFTS])
{
    ngx_uint_t              i, n;
    clipper_owner_t         owner;
    clipper_cache_draft_t  *draft;

    n = 0;
    draft = clipper_cache_ring.header->draft;

    for (i = 0; i < CLIPPER_CACHE_DRAFTS; i++) {
        owner = __atomic_load_n(&draft[i].owner, __ATOMIC_RELAXED);
        dead[i] = 0;

        if (owner && !clipper_lock_alive(owner)) {
            dead[i] = owner;
            n++;
        }
    }

    return n;
}


/* one of them may be another worker's by now */

void
clipper_cache_draft_bury_locked(
    const clipper_owner_t dead[CLIPPER_CACHE_DRAFTS])
{
    ngx_uint_t              i;
    clipper_cache_draft_t  *draft;

    clipper_cache_locked();

    draft = clipper_cache_ring.header->draft;

    for (i = 0; i < CLIPPER_CACHE_DRAFTS; i++) {
        if (dead[i] && draft[i].owner == dead[i]) {
            draft[i].owner = 0;
        }
    }
}

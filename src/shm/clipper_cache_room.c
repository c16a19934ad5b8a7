
/*
 * Room in the cache, see the header.
 */


#include "shm/clipper_cache_room.h"
#include "shm/clipper_cache_draft.h"
#include "shm/clipper_cache_ring.h"


static ngx_uint_t clipper_cache_pass_locked(int64_t *budget);


ngx_int_t
clipper_cache_room_locked(uint64_t words, ngx_uint_t *evicted)
{
    int64_t                  budget;
    uint64_t                 limit, low, start;
    ngx_uint_t               i;
    clipper_cache_header_t  *header;

    clipper_cache_locked();

    header = clipper_cache_ring.header;

    if (header->head + words > CLIPPER_CACHE_POSITION) {
        return NGX_DECLINED;    /* after 36 petabytes */
    }

    limit = header->words - header->reserve;
    budget = header->reserve;
    low = clipper_cache_draft_low_locked();

    for (i = 0; /* void */ ; i++) {
        start = ngx_min(header->tail, low);

        if (header->head - start + words <= limit) {
            return NGX_OK;
        }

        if (i == CLIPPER_CACHE_STEPS || budget <= 0) {
            return NGX_AGAIN;
        }

        if (low > header->tail) {
            *evicted += clipper_cache_pass_locked(&budget);

        } else {
            return NGX_BUSY;
        }
    }
}


/*
 * Moves the tail past one entry, which is dropped (1) or moved to the head
 * (0).  An entry larger than the reserve gets no second chance.
 */

static ngx_uint_t
clipper_cache_pass_locked(int64_t *budget)
{
    uint64_t                 words, *slot, tail, moved;
    ngx_uint_t               marks, gone;
    clipper_cache_entry_t    entry;
    clipper_cache_header_t  *header;

    clipper_cache_locked();

    header = clipper_cache_ring.header;
    tail = header->tail;
    gone = 0;

    clipper_cache_ring_entry(tail, &entry);

    words = clipper_cache_layout_words(entry.len);
    slot = clipper_cache_ring_find_locked(entry.key);
    marks = clipper_cache_ring_marks_locked(tail);

    if (slot == NULL || clipper_cache_layout_position(*slot) != tail) {
        /* its slot was reassigned: it is no longer an entry */

    } else if ((marks & CLIPPER_CACHE_USED)
               && words <= header->reserve)
    {
        *budget -= words;

        if (*budget < 0) {
            return 0;
        }

        moved = clipper_cache_ring_move_locked(tail, words);

        __atomic_store_n(slot, clipper_cache_layout_tag(entry.key) | moved,
                         __ATOMIC_RELEASE);

    } else {
        header->entries--;
        gone = 1;
    }

    __atomic_store_n(&header->tail, tail + words, __ATOMIC_RELEASE);

    return gone;
}

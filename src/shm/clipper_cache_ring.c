
/*
 * Entries in the ring of the prediction cache: reading, marking and writing
 * them, finding their slots.
 */


#include "shm/clipper_cache_ring.h"


clipper_cache_t  clipper_cache_ring;


/* words that readers and writers access concurrently */

static ngx_inline uint64_t
clipper_cache_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}


static ngx_inline void
clipper_cache_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}


void
clipper_cache_ring_entry(uint64_t position, clipper_cache_entry_t *entry)
{
    uint64_t    word[CLIPPER_CACHE_HEAD], words, offset;
    ngx_uint_t  i;

    words = clipper_cache_ring.header->words;
    offset = position % words;

    for (i = 0; i < CLIPPER_CACHE_HEAD; i++) {
        word[i] = clipper_cache_load(clipper_cache_ring.ring
                                     + offset);
        offset = (offset + 1 == words) ? 0 : offset + 1;
    }

    entry->key[0] = word[0];
    entry->key[1] = word[1];
    entry->stamp = word[2] >> 24;
    entry->len = word[2] & CLIPPER_CACHE_LEN_MAX;
}


/* copies n bytes of a value, whole words but the last */

void
clipper_cache_ring_copy(uint64_t position, u_char *buf, size_t n)
{
    uint64_t   word, offset;
    uint64_t  *ring, *p, *end;

    ring = clipper_cache_ring.ring;
    end = ring + clipper_cache_ring.header->words;
    offset = (position + CLIPPER_CACHE_HEAD)
             % clipper_cache_ring.header->words;

    for (p = ring + offset; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
        word = clipper_cache_load(p);
        ngx_memcpy(buf, &word, sizeof(uint64_t));
        buf += sizeof(uint64_t);

        if (++p == end) {
            p = ring;
        }
    }

    if (n) {
        word = clipper_cache_load(p);
        ngx_memcpy(buf, &word, n);
    }
}


static ngx_inline uint32_t *
clipper_cache_mark_at(uint64_t position, ngx_uint_t *shift)
{
    uint64_t  granule;

    granule = position % clipper_cache_ring.header->words
              / CLIPPER_CACHE_GRANULE;
    *shift = granule % 16 * 2;

    return clipper_cache_ring.marks + granule / 16;
}


ngx_uint_t
clipper_cache_ring_marks_locked(uint64_t position)
{
    uint32_t    *word;
    ngx_uint_t   shift;

    clipper_cache_locked();

    word = clipper_cache_mark_at(position, &shift);

    return (__atomic_load_n(word, __ATOMIC_RELAXED) >> shift) & 3;
}


/* sets and clears these marks; a word that is right already is not written */

void
clipper_cache_ring_mark(uint64_t position, uint32_t set, uint32_t clear)
{
    uint32_t    *word, old;
    ngx_uint_t   shift;

    word = clipper_cache_mark_at(position, &shift);
    old = __atomic_load_n(word, __ATOMIC_RELAXED) >> shift;

    if ((old & set) != set) {
        (void) __atomic_fetch_or(word, set << shift, __ATOMIC_RELAXED);
    }

    if (old & clear) {
        (void) __atomic_fetch_and(word, ~(clear << shift), __ATOMIC_RELAXED);
    }
}


uint64_t *
clipper_cache_ring_find_locked(const uint64_t key[2])
{
    uint64_t              *bucket, slot, position;
    ngx_uint_t             i, k;
    clipper_cache_entry_t  entry;

    clipper_cache_locked();

    for (i = 0; i < 2; i++) {
        bucket = clipper_cache_ring_bucket(key, i);

        for (k = 0; k < CLIPPER_CACHE_SLOTS; k++) {
            slot = bucket[k];
            position = clipper_cache_layout_position(slot);

            if ((slot ^ position) == clipper_cache_layout_tag(key)
                && position >= clipper_cache_ring.header->tail)
            {
                clipper_cache_ring_entry(position, &entry);

                if (clipper_cache_layout_same(entry.key, key)) {
                    return &bucket[k];
                }
            }
        }
    }

    return NULL;
}


uint64_t *
clipper_cache_ring_slot_locked(const uint64_t key[2], ngx_uint_t *evicted)
{
    uint64_t                *bucket, *slot, *oldest[2];
    ngx_uint_t               i, k, used[2];
    clipper_cache_header_t  *header;

    clipper_cache_locked();

    header = clipper_cache_ring.header;
    slot = clipper_cache_ring_find_locked(key);

    if (slot != NULL) {
        return slot;
    }

    for (i = 0; i < 2; i++) {
        bucket = clipper_cache_ring_bucket(key, i);
        oldest[i] = bucket;
        used[i] = 0;

        for (k = 0; k < CLIPPER_CACHE_SLOTS; k++) {
            if (clipper_cache_layout_position(bucket[k]) >= header->tail) {
                used[i]++;
            }

            if (clipper_cache_layout_position(bucket[k])
                < clipper_cache_layout_position(*oldest[i]))
            {
                oldest[i] = &bucket[k];
            }
        }
    }

    if (used[0] != used[1]) {
        slot = oldest[used[1] < used[0]];

    } else {
        slot = oldest[clipper_cache_layout_position(*oldest[1])
                      < clipper_cache_layout_position(*oldest[0])];
    }

    if (clipper_cache_layout_position(*slot) >= header->tail) {
        (*evicted)++;
        header->entries--;
    }

    header->entries++;

    return slot;
}


/*
 * The fence: a reader that gets one of these words, or of the value, in place
 * of an older entry's sees that the tail has passed that entry.
 */

uint64_t
clipper_cache_ring_append_locked(const uint64_t key[2], uint64_t now_us,
    size_t len)
{
    uint64_t                 position, word[CLIPPER_CACHE_HEAD], *p, *end;
    ngx_uint_t               i;
    clipper_cache_header_t  *header;

    clipper_cache_locked();

    header = clipper_cache_ring.header;
    position = header->head;

    p = clipper_cache_ring.ring + position % header->words;
    end = clipper_cache_ring.ring + header->words;

    word[0] = key[0];
    word[1] = key[1];
    word[2] = ((now_us >> 8) << 24) | len;

    __atomic_thread_fence(__ATOMIC_RELEASE);

    for (i = 0; i < CLIPPER_CACHE_HEAD; i++) {
        clipper_cache_store(p, word[i]);
        p = (p + 1 == end) ? clipper_cache_ring.ring : p + 1;
    }

    /* it has a whole turn of the ring to be found again */

    clipper_cache_ring_mark(position, 0, CLIPPER_CACHE_USED
                                         | CLIPPER_CACHE_OLD);

    clipper_cache_store(&header->head,
                        position + clipper_cache_layout_words(len));

    return position;
}


void
clipper_cache_ring_fill(uint64_t position, const u_char *data, size_t len)
{
    uint64_t                 word, *p, *end;
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;

    p = clipper_cache_ring.ring
        + (position + CLIPPER_CACHE_HEAD) % header->words;
    end = clipper_cache_ring.ring + header->words;

    for ( /* void */ ; len >= sizeof(uint64_t); len -= sizeof(uint64_t)) {
        ngx_memcpy(&word, data, sizeof(uint64_t));
        data += sizeof(uint64_t);

        clipper_cache_store(p, word);
        p = (p + 1 == end) ? clipper_cache_ring.ring : p + 1;
    }

    if (len) {
        word = 0;
        ngx_memcpy(&word, data, len);
        clipper_cache_store(p, word);
    }
}


uint64_t
clipper_cache_ring_move_locked(uint64_t from, uint64_t words)
{
    uint32_t                 marks;
    uint64_t                 position, *ring, *p, *q, *end, n;
    clipper_cache_header_t  *header;

    clipper_cache_locked();

    header = clipper_cache_ring.header;
    position = header->head;

    ring = clipper_cache_ring.ring;
    end = ring + header->words;
    p = ring + position % header->words;
    q = ring + from % header->words;

    __atomic_thread_fence(__ATOMIC_RELEASE);

    for (n = 0; n < words; n++) {
        clipper_cache_store(p, clipper_cache_load(q));
        p = (p + 1 == end) ? ring : p + 1;
        q = (q + 1 == end) ? ring : q + 1;
    }

    marks = clipper_cache_ring_marks_locked(from) & CLIPPER_CACHE_OLD;

    clipper_cache_ring_mark(position, marks, ~marks & 3);

    clipper_cache_store(&header->head, position + words);

    return position;
}

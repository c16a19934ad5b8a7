
/*
 * The prediction cache: setup, reads and writes.  Its memory is described in
 * clipper_cache_ring.h.
 */


#include "shm/clipper_cache.h"
#include "shm/clipper_cache_draft.h"
#include "shm/clipper_cache_ring.h"
#include "shm/clipper_cache_room.h"


#define CLIPPER_CACHE_MAGIC     0x436c697043616303ull

#define CLIPPER_CACHE_GROUP     448                 /* words: 16 buckets, 7
                                                       words of marks */
#define CLIPPER_CACHE_GROUPS    4                   /* at least */

#define CLIPPER_CACHE_RESERVE   8192                /* words, at most */
#define CLIPPER_CACHE_ROUNDS    64                  /* of one put */
#define CLIPPER_CACHE_SHORT     2048                /* bytes that are copied
                                                       under the lock */
#define CLIPPER_CACHE_TRIES     4                   /* of one get */


static ngx_int_t clipper_cache_view(clipper_cache_t *cache, void *addr,
    size_t size, uint64_t *words);
static ngx_int_t clipper_cache_read(const uint64_t key[2], uint64_t now_us,
    uint64_t valid_us, u_char *buf, size_t size,
    size_t *len);
static ngx_uint_t clipper_cache_expired(uint64_t stamp, uint64_t now_us,
    uint64_t valid_us);
static ngx_int_t clipper_cache_write(const uint64_t key[2], uint64_t now_us,
    const u_char *data, size_t len, ngx_uint_t asked,
    ngx_uint_t *evicted);
static ngx_uint_t clipper_cache_has_locked(const uint64_t key[2]);
static void clipper_cache_lock(void);
static void clipper_cache_unlock(void);


static ngx_int_t
clipper_cache_view(clipper_cache_t *cache, void *addr, size_t size,
    uint64_t *words)
{
    u_char  *p;
    size_t   head, group;

    p = ngx_align_ptr((u_char *) addr, 64);
    head = (size_t) (p - (u_char *) addr)
           + sizeof(clipper_cache_header_t);
    group = CLIPPER_CACHE_GROUP * sizeof(uint64_t)
            + CLIPPER_CACHE_GROUP / 28 * 64
            + CLIPPER_CACHE_GROUP / 64 * sizeof(uint32_t);

    if (size < head + group * CLIPPER_CACHE_GROUPS) {
        return NGX_ERROR;
    }

    *words = (size - head) / group * CLIPPER_CACHE_GROUP;

    cache->header = (clipper_cache_header_t *) p;
    cache->slots = (uint64_t *) (cache->header + 1);
    cache->ring = cache->slots + *words / 28 * CLIPPER_CACHE_SLOTS;
    cache->marks = (uint32_t *) (cache->ring + *words);

    return NGX_OK;
}


ngx_int_t
clipper_cache_create(void *addr, size_t size)
{
    uint64_t                 words;
    clipper_cache_t          cache;
    clipper_cache_header_t  *header;

    if (clipper_cache_view(&cache, addr, size, &words) != NGX_OK) {
        return NGX_ERROR;
    }

    header = cache.header;
    header->size = size;
    header->words = words;
    header->buckets = (uint32_t) (words / 28);
    header->reserve = (uint32_t) ngx_min(words / 16, CLIPPER_CACHE_RESERVE);
    header->entries = 0;
    header->resets = 0;
    header->head = words;       /* the 0 of an empty slot is behind the tail */
    header->tail = words;
    header->magic = CLIPPER_CACHE_MAGIC;

    return NGX_OK;
}


ngx_int_t
clipper_cache_validate(void *addr, size_t size)
{
    uint64_t                 words;
    clipper_cache_t          cache;
    clipper_cache_header_t  *header;

    if (clipper_cache_view(&cache, addr, size, &words) != NGX_OK) {
        return NGX_ERROR;
    }

    header = cache.header;

    return header->magic == CLIPPER_CACHE_MAGIC
           && header->size == size && header->words == words
           && header->buckets == words / 28
           ? NGX_OK : NGX_ERROR;
}


void
clipper_cache_attach(void *addr, clipper_owner_t pid)
{
    uint64_t                 words;
    clipper_cache_t         *cache;
    clipper_cache_header_t  *header;

    cache = &clipper_cache_ring;
    ngx_memzero(cache, sizeof(clipper_cache_t));

    if (addr == NULL) {
        return;
    }

    header = (clipper_cache_header_t *)
             ngx_align_ptr((u_char *) addr, 64);

    (void) clipper_cache_view(cache, addr, header->size, &words);
    cache->pid = pid;
}


ngx_uint_t
clipper_cache_enabled(void)
{
    return clipper_cache_ring.header != NULL;
}


void
clipper_cache_usage(clipper_cache_usage_t *usage)
{
    uint64_t                 tail, head;
    clipper_cache_header_t  *header;

    ngx_memzero(usage, sizeof(clipper_cache_usage_t));

    header = clipper_cache_ring.header;

    if (header == NULL) {
        return;
    }

    tail = clipper_cache_ring_tail();
    head = __atomic_load_n(&header->head, __ATOMIC_RELAXED);

    usage->size = header->size;
    usage->capacity = (header->words - header->reserve) * sizeof(uint64_t);
    usage->used = ngx_min((head - tail) * sizeof(uint64_t), usage->capacity);
    usage->entries = __atomic_load_n(&header->entries, __ATOMIC_RELAXED);
    usage->resets = __atomic_load_n(&header->resets, __ATOMIC_RELAXED);
}


ngx_int_t
clipper_cache_get(const uint64_t key[2], uint64_t now_us, uint64_t valid_us,
    u_char *buf, size_t size, size_t *len)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    if (clipper_cache_ring.header == NULL) {
        return NGX_DECLINED;
    }

    /* an entry that gets its second chance is found in its new place */

    for (i = 0; i < CLIPPER_CACHE_TRIES; i++) {
        rc = clipper_cache_read(key, now_us, valid_us, buf, size, len);
        if (rc != NGX_BUSY) {
            return rc;
        }

        ngx_cpu_pause();
    }

    return NGX_DECLINED;
}


/* 1: the words read before are those written at that position */

static ngx_inline ngx_uint_t
clipper_cache_intact(uint64_t position)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return clipper_cache_ring_tail() <= position;
}


static ngx_uint_t
clipper_cache_expired(uint64_t stamp, uint64_t now_us, uint64_t valid_us)
{
    uint64_t  age;

    if (valid_us == 0) {
        return 0;
    }

    /* 40 bits; the stamp of another worker may be ahead of our clock */

    age = ((now_us >> 8) - stamp) & 0xffffffffffull;

    return age < 0x8000000000ull && age << 8 > valid_us;
}


/*
 * NGX_BUSY: the entry went meanwhile, perhaps to another place; NGX_DECLINED
 * and NGX_ABORT as for clipper_cache_get().
 */

static ngx_int_t
clipper_cache_read(const uint64_t key[2], uint64_t now_us, uint64_t valid_us,
    u_char *buf, size_t size, size_t *len)
{
    uint64_t              *bucket, slot, position, tail;
    ngx_uint_t             i;
    clipper_cache_entry_t  entry;

    tail = clipper_cache_ring_tail();

    for (i = 0; i < 2 * CLIPPER_CACHE_SLOTS; i++) {
        bucket = clipper_cache_ring_bucket(key,
                                      i / CLIPPER_CACHE_SLOTS);
        slot = __atomic_load_n(&bucket[i % CLIPPER_CACHE_SLOTS],
                               __ATOMIC_ACQUIRE);
        position = clipper_cache_layout_position(slot);

        if ((slot ^ position) != clipper_cache_layout_tag(key)
            || position < tail)
        {
            continue;
        }

        clipper_cache_ring_entry(position, &entry);

        if (clipper_cache_layout_same(entry.key, key) && entry.len <= size) {
            clipper_cache_ring_copy(position, buf, entry.len);
        }

        if (!clipper_cache_intact(position)) {
            return NGX_BUSY;
        }

        if (!clipper_cache_layout_same(entry.key, key)) {
            continue;
        }

        if (clipper_cache_expired(entry.stamp, now_us, valid_us)) {
            clipper_cache_ring_mark(position, CLIPPER_CACHE_OLD, 0);
            return NGX_DECLINED;
        }

        clipper_cache_ring_mark(position, CLIPPER_CACHE_USED, 0);

        *len = entry.len;

        return entry.len <= size ? NGX_OK : NGX_ABORT;
    }

    return NGX_DECLINED;
}


ngx_uint_t
clipper_cache_put(const uint64_t key[2], uint64_t now_us, const u_char *data,
    size_t len)
{
    ngx_int_t                rc;
    ngx_uint_t               evicted, rounds, asked;
    clipper_owner_t          dead[CLIPPER_CACHE_DRAFTS];
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;

    if (header == NULL
        || len > ngx_min(header->size / 4, CLIPPER_CACHE_LEN_MAX))
    {
        return 0;
    }

    rounds = ngx_min(1 + clipper_cache_layout_words(len) / 64,
                     CLIPPER_CACHE_ROUNDS);
    evicted = 0;

    /* other processes may take the lock between rounds */

    asked = 0;

    while (rounds) {
        rc = clipper_cache_write(key, now_us, data, len, asked, &evicted);

        if (rc == NGX_BUSY) {
            asked = 1;

            if (clipper_cache_draft_dead(dead)) {
                clipper_cache_lock();
                clipper_cache_draft_bury_locked(dead);
                clipper_cache_unlock();
            }

            continue;
        }

        if (rc != NGX_AGAIN) {
            break;
        }

        rounds--;
    }

    return evicted;
}


/*
 * NGX_AGAIN: there is no room yet; NGX_DECLINED: there is none; NGX_DONE: the
 * cache has that key.  NGX_BUSY: drafts are in the way, and were not asked for
 * dead owners yet.
 */

static ngx_int_t
clipper_cache_write(const uint64_t key[2], uint64_t now_us, const u_char *data,
    size_t len, ngx_uint_t asked, ngx_uint_t *evicted)
{
    uint64_t                position, *slot;
    ngx_int_t               rc;
    clipper_cache_draft_t  *draft;

    clipper_cache_lock();

    rc = clipper_cache_has_locked(key)
         ? NGX_DONE
         : clipper_cache_room_locked(clipper_cache_layout_words(len), evicted);

    if (rc != NGX_OK) {
        clipper_cache_unlock();
        return rc == NGX_BUSY && asked ? NGX_DECLINED : rc;
    }

    draft = (len > CLIPPER_CACHE_SHORT) ? clipper_cache_draft_begin_locked()
                                        : NULL;

    if (len > CLIPPER_CACHE_SHORT && draft == NULL && !asked) {
        clipper_cache_unlock();
        return NGX_BUSY;
    }

    position = clipper_cache_ring_append_locked(key, now_us, len);

    if (draft) {
        clipper_cache_unlock();
        clipper_cache_ring_fill(position, data, len);
        clipper_cache_lock();

        clipper_cache_draft_end_locked(draft);

        /* another worker was faster, or emptied the cache */

        if (clipper_cache_has_locked(key)) {
            clipper_cache_unlock();
            return NGX_DONE;
        }

        if (position < clipper_cache_ring_tail()) {
            clipper_cache_unlock();
            return NGX_DECLINED;
        }

    } else {
        clipper_cache_ring_fill(position, data, len);
    }

    slot = clipper_cache_ring_slot_locked(key, evicted);

    __atomic_store_n(slot, clipper_cache_layout_tag(key) | position,
                     __ATOMIC_RELEASE);

    clipper_cache_unlock();

    return NGX_OK;
}


/* 1: there is an entry of that key, which no reader has found too old */

static ngx_uint_t
clipper_cache_has_locked(const uint64_t key[2])
{
    uint64_t  *slot, position;

    clipper_cache_locked();

    slot = clipper_cache_ring_find_locked(key);

    if (slot == NULL) {
        return 0;
    }

    position = clipper_cache_layout_position(*slot);

    return !(clipper_cache_ring_marks_locked(position) & CLIPPER_CACHE_OLD);
}


/* drops what a dead holder may have left incomplete */

static void
clipper_cache_lock(void)
{
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;

    if (clipper_lock(&header->lock, clipper_cache_ring.pid)) {
        header->entries = 0;
        header->resets++;
        __atomic_store_n(&header->tail, header->head, __ATOMIC_RELEASE);
    }
}


static void
clipper_cache_unlock(void)
{
    clipper_lock_release(&clipper_cache_ring.header->lock);
}

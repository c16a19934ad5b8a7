
/*
 * See the header.
 */


#include "cache_fixture.h"


u_char   *map;
size_t    map_size;
u_char    got[BIGGEST], value[BIGGEST];
uint64_t  seed;


uint64_t
chance(uint64_t n)
{
    return splitmix(seed++) % n;
}


void
key_of(uint64_t name, uint64_t key[2])
{
    key[0] = splitmix(name);
    key[1] = splitmix(~name);
}


/* every byte of a value encodes its key and its length */

u_char *
value_of(uint64_t name, size_t len)
{
    size_t    i;
    uint64_t  word;

    for (i = 0; i < len; i += 8) {
        word = splitmix(name * 31 + len + (i << 32));
        memcpy(value + i, &word, len - i < 8 ? len - i : 8);
    }

    return value;
}


void *
zone(size_t size)
{
    map_size = (size + 2 * PAGE + PAGE - 1) / PAGE * PAGE;
    map = mmap(NULL, map_size, PROT_READ|PROT_WRITE,
               MAP_ANONYMOUS|MAP_SHARED, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);

    assert_int_equal(mprotect(map, PAGE, PROT_NONE), 0);
    assert_int_equal(mprotect(map + map_size - PAGE, PAGE, PROT_NONE), 0);

    return map + map_size - PAGE - size;
}


void
make(size_t size)
{
    void  *addr;

    addr = zone(size);
    assert_int_equal(clipper_cache_create(addr, size), NGX_OK);
    clipper_cache_attach(addr, getpid());
}


void
drop(void)
{
    clipper_cache_attach(NULL, 0);
    assert_int_equal(munmap(map, map_size), 0);
}


ngx_uint_t
put(uint64_t name, size_t len)
{
    uint64_t  key[2];

    key_of(name, key);

    return clipper_cache_put(key, 0, value_of(name, len), len);
}


/* 1 on a hit; the value is then checked */

ngx_uint_t
get(uint64_t name)
{
    size_t     len;
    uint64_t   key[2];
    ngx_int_t  rc;

    key_of(name, key);
    len = 0;
    rc = clipper_cache_get(key, 0, 0, got, sizeof(got), &len);

    if (rc == NGX_DECLINED) {
        return 0;
    }

    assert_int_equal(rc, NGX_OK);
    assert_memory_equal(got, value_of(name, len), len);

    return 1;
}


/* 1 on a hit; the lookup leaves no trace */

ngx_uint_t
kept(uint64_t name)
{
    uint64_t                 key[2];
    ngx_uint_t               yes;
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;
    key_of(name, key);

    assert_false(clipper_lock(&header->lock, getpid()));
    yes = (clipper_cache_ring_find_locked(key) != NULL);
    clipper_lock_release(&header->lock);

    return yes;
}


clipper_cache_usage_t
usage(void)
{
    clipper_cache_usage_t  u;

    clipper_cache_usage(&u);
    assert_true(u.used <= u.capacity && u.capacity <= u.size);

    return u;
}


/* the ring from tail to head: entries end where the next begins */

void
check(void)
{
    uint64_t                 position, *slot;
    ngx_uint_t               live;
    clipper_cache_entry_t    entry;
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;
    live = 0;

    assert_int_equal(header->lock.holder, 0);
    assert_int_equal(header->lock.dirty, 0);
    assert_true(header->head - header->tail
                <= header->words - header->reserve);

    (void) clipper_lock(&header->lock, getpid());

    for (position = header->tail; position < header->head;
         position += clipper_cache_layout_words(entry.len))
    {
        clipper_cache_ring_entry(position, &entry);
        slot = clipper_cache_ring_find_locked(entry.key);

        if (slot && clipper_cache_layout_position(*slot) == position) {
            live++;
        }
    }

    clipper_lock_release(&header->lock);

    assert_int_equal(position, header->head);
    assert_int_equal(live, header->entries);
}

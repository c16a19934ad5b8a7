
/*
 * A cache between two pages that trap, and names for its keys and values: a
 * value tells its key and its length in every byte.
 */


#ifndef _CACHE_FIXTURE_H_INCLUDED_
#define _CACHE_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "shm/clipper_cache_ring.h"


#define cache_unused  __attribute__((unused))

#define PAGE    4096
#define BIGGEST (1 << 20)


static u_char   *map;               /* with a page that traps on both sides */
static size_t    map_size;
static u_char    got[BIGGEST], value[BIGGEST];
static uint64_t  seed;


static uint64_t cache_unused
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;

    return x ^ (x >> 31);
}


static uint64_t cache_unused
chance(uint64_t n)
{
    return mix(seed++) % n;
}


static void cache_unused
key_of(uint64_t name, uint64_t key[2])
{
    key[0] = mix(name);
    key[1] = mix(~name);
}


/* a value tells its key and its length in every byte */

static u_char * cache_unused
value_of(uint64_t name, size_t len)
{
    size_t    i;
    uint64_t  word;

    for (i = 0; i < len; i += 8) {
        word = mix(name * 31 + len + (i << 32));
        memcpy(value + i, &word, len - i < 8 ? len - i : 8);
    }

    return value;
}


static void * cache_unused
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


static void cache_unused
make(size_t size)
{
    void  *addr;

    addr = zone(size);
    assert_int_equal(clipper_cache_create(addr, size), NGX_OK);
    clipper_cache_attach(addr, getpid());
}


static void cache_unused
drop(void)
{
    clipper_cache_attach(NULL, 0);
    assert_int_equal(munmap(map, map_size), 0);
}


static ngx_uint_t cache_unused
put(uint64_t name, size_t len)
{
    uint64_t  key[2];

    key_of(name, key);

    return clipper_cache_put(key, 0, value_of(name, len), len);
}


/* 1 if it is there; it is then what was put */

static ngx_uint_t cache_unused
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


/* 1 if it is there; without a trace of the question */

static ngx_uint_t cache_unused
kept(uint64_t name)
{
    uint64_t                 key[2];
    ngx_uint_t               yes;
    clipper_cache_header_t  *header;

    header = clipper_cache.header;
    key_of(name, key);

    assert_int_equal(clipper_lock(&header->lock, getpid()), NGX_OK);
    yes = (clipper_cache_ring_find_locked(key) != NULL);
    clipper_lock_release(&header->lock);

    return yes;
}


static clipper_cache_usage_t cache_unused
usage(void)
{
    clipper_cache_usage_t  u;

    clipper_cache_usage(&u);
    assert_true(u.used <= u.capacity && u.capacity <= u.size);

    return u;
}


/* the ring from tail to head: entries end where the next begins */

static void cache_unused
check(void)
{
    uint64_t                 position, *slot;
    ngx_uint_t               live;
    clipper_cache_entry_t    entry;
    clipper_cache_header_t  *header;

    header = clipper_cache.header;
    live = 0;

    assert_int_equal(header->lock.holder, 0);
    assert_int_equal(header->lock.dirty, 0);
    assert_true(header->head - header->tail
                <= header->words - header->reserve);

    (void) clipper_lock(&header->lock, getpid());

    for (position = header->tail; position < header->head;
         position += clipper_cache_words(entry.len))
    {
        clipper_cache_ring_entry(position, &entry);
        slot = clipper_cache_ring_find_locked(entry.key);

        if (slot && clipper_cache_position(*slot) == position) {
            live++;
        }
    }

    clipper_lock_release(&header->lock);

    assert_int_equal(position, header->head);
    assert_int_equal(live, header->entries);
}


#endif /* _CACHE_FIXTURE_H_INCLUDED_ */

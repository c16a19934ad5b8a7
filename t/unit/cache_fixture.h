
/*
 * A cache between two pages that trap, and names for its keys and values:
 * every byte of a value encodes its key and its length.
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

#include "splitmix.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_cache_ring.h"




#define PAGE    4096
#define BIGGEST (1 << 20)


extern u_char   *map;               /* with a page that traps on both sides */
extern size_t    map_size;
extern u_char    got[BIGGEST], value[BIGGEST];
extern uint64_t  seed;


uint64_t chance(uint64_t n);
void key_of(uint64_t name, uint64_t key[2]);

/* every byte of a value encodes its key and its length */
u_char *value_of(uint64_t name, size_t len);
void *zone(size_t size);
void make(size_t size);
void drop(void);
ngx_uint_t put(uint64_t name, size_t len);

/* 1 on a hit; the value is then checked */
ngx_uint_t get(uint64_t name);

/* 1 on a hit; the lookup leaves no trace */
ngx_uint_t kept(uint64_t name);
clipper_cache_usage_t usage(void);

/* the ring from tail to head: entries end where the next begins */
void check(void);


#endif /* _CACHE_FIXTURE_H_INCLUDED_ */

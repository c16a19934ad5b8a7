
/*
 * Prints the time under a lock for an input or output of one size: borrowing
 * its chunks from a free list in the order of long use, handing them to a
 * flight, giving them back, and of a put in the cache the whole, what of it is
 * under the lock, and the longest time that it keeps the lock (the linker puts
 * this file between the cache and its lock).  Least and median of many, in
 * processor time.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#include "shm/clipper_cache.h"
#include "shm/clipper_cache_ring.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_loan.h"
#include "shm/clipper_zone.h"
#include "../unit/splitmix.h"


#define ZONE   (64 << 20)
#define TIMES  41


static const size_t  sizes[] = { 4096, 65536, 1 << 20, 8 << 20 };

static u_char  value[8 << 20];


static void *
map(size_t size)
{
    void  *addr;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);

    if (addr == MAP_FAILED) {
        exit(1);
    }

    return addr;
}


static double
us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec * 1e-3;
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
print(const char *name, double *t)
{
    qsort(t, TIMES, sizeof(double), compare);

    (void) printf("  %-12s %8.1f us, median %8.1f us\n", name, t[0],
                  t[TIMES / 2]);
}


/* gives the chunks back in random order */

static void
shuffle(clipper_zone_t *zone)
{
    static uint32_t  rows[1 << 20];
    uint32_t         n, i, k, row;

    clipper_zone_lock(zone);

    n = 0;

    while (n < 1 << 20
           && (row = clipper_chunk_borrow_locked(zone, 1)) != 0)
    {
        rows[n++] = row;
    }

    for (i = n; i > 1; i--) {
        k = (uint32_t) (splitmix(i) % i);
        row = rows[k];
        rows[k] = rows[i - 1];
        rows[i - 1] = row;
    }

    for (i = 0; i < n; i++) {
        clipper_chunk_free_locked(zone, rows[i]);
    }

    clipper_zone_unlock(zone);
}


static void
chunks(clipper_zone_t *zone, size_t len)
{
    double    at[4], t[3][TIMES];
    uint32_t  chunk, i;

    for (i = 0; i < TIMES; i++) {
        /* long ones in bites: the whole of them, and the lock each time */

        at[0] = us();
        chunk = clipper_loan(zone, len);
        at[1] = us();

        if (chunk == 0) {
            exit(1);
        }

        clipper_chunk_write(zone, chunk, value, len);

        clipper_zone_lock(zone);

        at[2] = us();
        clipper_chunk_own_locked(zone, chunk, 1);
        t[1][i] = us() - at[2];

        at[3] = us();
        clipper_chunk_free_locked(zone, chunk);
        t[2][i] = us() - at[3];

        clipper_zone_unlock(zone);

        t[0][i] = at[1] - at[0];
    }

    print("borrow", t[0]);
    print("own", t[1]);
    print("free", t[2]);
}


static double  held_since, held, held_longest;


ngx_uint_t __real_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);
void __real_clipper_lock_release(clipper_lock_t *lock);


ngx_uint_t
__wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner)
{
    ngx_uint_t  rc;

    rc = __real_clipper_lock(lock, owner);
    held_since = us();

    return rc;
}


void
__wrap_clipper_lock_release(clipper_lock_t *lock)
{
    double  t;

    t = us() - held_since;
    held += t;
    held_longest = ngx_max(held_longest, t);

    __real_clipper_lock_release(lock);
}


static void
cache(size_t len)
{
    double    at, t[3][TIMES];
    uint64_t  key[2], i;

    static uint64_t  name = 1;

    for (i = 0; i < 4 * TIMES; i++) {
        key[0] = splitmix(name++);
        key[1] = splitmix(~key[0]);

        held = held_longest = 0;
        at = us();
        (void) clipper_cache_put(key, 0, value, len);
        t[0][i % TIMES] = us() - at;
        t[1][i % TIMES] = held;
        t[2][i % TIMES] = held_longest;
    }

    print("put", t[0]);
    print("  locked", t[1]);
    print("  longest", t[2]);
}


int
main(void)
{
    u_char          seed[32];
    void           *addr;
    size_t          i;
    clipper_zone_t  zone;

    memset(seed, 1, sizeof(seed));
    addr = map(ZONE);

    if (clipper_zone_create(addr, ZONE, seed, 1) != NGX_OK
        || clipper_zone_attach(&zone, addr, ZONE, getpid()) != NGX_OK)
    {
        return 1;
    }

    memset(value, 1, sizeof(value));
    shuffle(&zone);

    addr = map(ZONE);

    if (clipper_cache_create(addr, ZONE) != NGX_OK) {
        return 1;
    }

    clipper_cache_attach(addr, getpid());

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        (void) printf("%zu bytes\n", sizes[i]);
        chunks(&zone, sizes[i]);
        cache(sizes[i]);
    }

    return 0;
}

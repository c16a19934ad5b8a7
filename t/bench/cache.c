
/*
 * Prints the processor time of a get and of a put of the prediction cache,
 * for one process and for two at once; a get also with the lock taken.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "shm/clipper_cache.h"
#include "shm/clipper_cache_ring.h"
#include "../unit/splitmix.h"


#define ZONE   (32 << 20)
#define STEPS  2000000


typedef struct {
    const char  *name;
    size_t       len;               /* of a value */
    unsigned     names;             /* keys in use */
    unsigned     puts;              /* of 100 steps */
    unsigned     locked;
    unsigned     steps;
} run_t;


static const run_t  runs[] = {
    { "get, 1000 keys",               8,     1000,   0, 0, STEPS },
    { "get, 1000 keys, locked",       8,     1000,   0, 1, STEPS },
    { "get, 500000 keys",             8,   500000,   0, 0, STEPS },
    { "get, 500000 keys, locked",     8,   500000,   0, 1, STEPS },
    { "get, 10000 bytes",         10000,     1000,   0, 0, STEPS / 10 },
    { "get, 10000 bytes, locked", 10000,     1000,   0, 1, STEPS / 10 },
    { "get, 1 in 10 puts",            8,   400000,  10, 0, STEPS },
    { "get, 1 in 10 puts, locked",    8,   400000,  10, 1, STEPS },
    { "put, full",                    8, 10000000, 100, 0, STEPS / 2 },
    { "put, full, 200 bytes",       200, 10000000, 100, 0, STEPS / 2 },
    { "put, full, 10000 bytes",   10000, 10000000, 100, 0, STEPS / 20 },
    { "put, full, 1000000 bytes", 1000000, 10000000, 100, 0, STEPS / 2000 },
};


static u_char  value[1 << 20], got[1 << 20];


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}


static ngx_int_t
locked_get(const uint64_t key[2], size_t *len)
{
    ngx_int_t        rc;
    clipper_lock_t  *lock;

    lock = &clipper_cache_ring.header->lock;

    (void) clipper_lock(lock, clipper_cache_ring.pid);
    rc = clipper_cache_get(key, 0, 0, got, sizeof(got), len);
    clipper_lock_release(lock);

    return rc;
}


/* ns of a step; *hits: of 100 gets */

static double
work(const run_t *r, uint64_t seed, double *hits)
{
    size_t    len;
    double    t;
    uint64_t  name, key[2];
    unsigned  i, gets, found;

    gets = 1;
    found = 0;
    t = seconds();

    for (i = 0; i < r->steps; i++) {
        seed = splitmix(seed);
        name = seed % r->names;
        key[0] = splitmix(name);
        key[1] = splitmix(~name);

        if ((seed >> 32) % 100 < r->puts) {
            (void) clipper_cache_put(key, 0, value, r->len);
            continue;
        }

        gets++;

        if (r->locked) {
            found += locked_get(key, &len) == NGX_OK;

        } else {
            found += clipper_cache_get(key, 0, 0, got, sizeof(got),
                                       &len) == NGX_OK;
        }
    }

    *hits = 100.0 * found / gets;

    return (seconds() - t) * 1e9 / r->steps;
}


static void
fill(const run_t *r)
{
    void      *addr;
    uint64_t   name, key[2];

    addr = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);

    if (addr == MAP_FAILED
        || clipper_cache_create(addr, ZONE) != NGX_OK)
    {
        exit(1);
    }

    clipper_cache_attach(addr, getpid());

    for (name = 0; name < r->names && name * (r->len + 32) < 2 * ZONE;
         name++)
    {
        key[0] = splitmix(name);
        key[1] = splitmix(~name);
        (void) clipper_cache_put(key, 0, value, r->len);
    }
}


static void
bench(const run_t *r)
{
    int     status;
    void   *addr;
    pid_t   pid;
    double  one, two, hits;

    fill(r);

    one = work(r, 1, &hits);

    pid = fork();

    if (pid == 0) {
        clipper_cache_ring.pid = getpid();
        (void) work(r, 2, &hits);
        _exit(0);
    }

    two = work(r, 3, &hits);

    (void) waitpid(pid, &status, 0);

    (void) printf("%-28s %8.0f ns, two processes %8.0f ns each, %3.0f%% hits"
                  "\n", r->name, one, two, hits);

    addr = clipper_cache_ring.header;
    clipper_cache_attach(NULL, 0);
    (void) munmap(addr, ZONE);
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        bench(&runs[i]);
    }

    return 0;
}


/*
 * Prints how long one call keeps the mutex of the zone in the largest one,
 * with all of its tables full and their rows out of the processor's cache: the
 * calls that search a table of names, workers or replicas.  Least and median of
 * many, in processor time.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#include "shm/clipper_registry.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_zone.h"


#define ZONE   (128 << 20)
#define TIMES  41


typedef void (*op_pt)(clipper_zone_t *zone, uint32_t i);


static uint32_t  rows[CLIPPER_ROWS_MAX], replicas[1024], nreplicas;

static u_char    other[32 << 20];


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
measure(clipper_zone_t *zone, const char *name, op_pt op)
{
    double    at, t[TIMES];
    uint32_t  i, k;

    for (i = 0; i < TIMES; i++) {
        for (k = 0; k < sizeof(other); k += 64) {
            other[k]++;
        }

        clipper_zone_lock(zone);

        at = us();
        op(zone, i);
        t[i] = us() - at;

        clipper_zone_unlock(zone);
    }

    qsort(t, TIMES, sizeof(double), compare);

    (void) printf("  %-28s %8.1f us, median %8.1f us\n", name, t[0],
                  t[TIMES / 2]);
}


static ngx_str_t
text(const char *format, uint32_t i)
{
    static u_char  buf[4][32];
    static int     turn;
    ngx_str_t      s;

    s.data = buf[turn++ % 4];
    s.len = (size_t) snprintf((char *) s.data, 32, format, i);

    return s;
}


static uint32_t
join(clipper_zone_t *zone, uint32_t i)
{
    ngx_str_t               token;
    clipper_announcement_t  a;

    token = text("token%011u", i);
    memset(&a, 0, sizeof(a));
    a.model = rows[1];
    a.rpc_version = 4;
    a.token.data = token.data;
    a.token.len = 16;

    return clipper_registry_replica_join_locked(zone, &a, 1000 + i);
}


/* all tables: workers, applications, models, replicas of one model */

static void
fill(clipper_zone_t *zone)
{
    uint32_t   i, row;
    ngx_str_t  name, version;

    name = text("generation%u", 0);

    clipper_zone_lock(zone);

    while ((row = clipper_registry_enter_locked(zone, (u_char *) "door", 4,
                                                &name, 1)) != 0)
    {
        zone->slot = row;
    }

    zone->slot = 1;
    version = text("%u", 1);

    for (i = 1; i < zone->header->models.n; i++) {
        name = text("name%u", i);
        row = clipper_registry_app_locked(zone, &name);
        clipper_registry_pin_locked(zone, zone->workers[1].apps, row);
        rows[i] = clipper_registry_model_locked(zone, &name, &version);
        clipper_registry_pin_locked(zone, zone->workers[1].models, rows[i]);
        zone->models[rows[i]].announced = 1;
    }

    while ((row = join(zone, nreplicas)) != 0) {
        replicas[nreplicas++] = row;
    }

    for (i = 0; i < nreplicas; i++) {
        clipper_registry_replica_ready_locked(zone, replicas[i]);
        clipper_registry_replica_idle_locked(zone, replicas[i]);
    }

    clipper_zone_unlock(zone);
}


static void
op_app(clipper_zone_t *zone, uint32_t i)
{
    ngx_str_t  name;

    name = text("strange%u", i);
    (void) clipper_registry_app_locked(zone, &name);
}


static void
op_model(clipper_zone_t *zone, uint32_t i)
{
    ngx_str_t  name, version;

    name = text("strange%u", i);
    version = text("%u", 1);
    (void) clipper_registry_model_locked(zone, &name, &version);
}


static void
op_stranger(clipper_zone_t *zone, uint32_t i)
{
    (void) clipper_registry_stranger_locked(zone);
}


static void
op_current(clipper_zone_t *zone, uint32_t i)
{
    uint64_t   until_us;
    ngx_str_t  name;

    name = text("name%u", 1 + i);
    (void) clipper_registry_current_locked(zone, &name, 1, 1, &until_us);
}


static void
op_gone(clipper_zone_t *zone, uint32_t i)
{
    clipper_registry_replica_gone_locked(zone, replicas[i], 1);
}


static void
op_join(clipper_zone_t *zone, uint32_t i)
{
    replicas[i] = join(zone, nreplicas + i);
}


static void
op_ready(clipper_zone_t *zone, uint32_t i)
{
    clipper_registry_replica_ready_locked(zone, replicas[i]);
}


int
main(void)
{
    u_char          seed[32];
    void           *addr;
    clipper_zone_t  zone;

    memset(seed, 1, sizeof(seed));
    addr = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);

    if (addr == MAP_FAILED
        || clipper_zone_create(addr, ZONE, seed, 1) != NGX_OK
        || clipper_zone_attach(&zone, addr, ZONE, getpid()) != NGX_OK)
    {
        return 1;
    }

    fill(&zone);

    (void) printf("%u workers, %u applications, %u models, %u replicas\n",
                  zone.header->workers.n - 1, zone.header->apps.n - 1,
                  zone.header->models.n - 1, nreplicas);

    measure(&zone, "an application, no room", op_app);
    measure(&zone, "a model, no room", op_model);
    measure(&zone, "room for strangers", op_stranger);
    measure(&zone, "the current version", op_current);
    measure(&zone, "a replica gone", op_gone);
    measure(&zone, "a replica joins", op_join);
    measure(&zone, "a replica ready", op_ready);

    return 0;
}

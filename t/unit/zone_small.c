
/*
 * See the header.
 */


#include "zone_small.h"


void      *addr;
view_t     workers[WORKERS];
uint32_t   models[2];
uint64_t   now;
unsigned   step;


void
check(const char *what, unsigned yes)
{
    if (!yes) {
        print_error("step %u: %s\n", step, what);
        abort();
    }
}


void
zone_start(void)
{
    unsigned           i;
    clipper_header_t  *h;

    (void) alarm(600);

    addr = zone_make();
    h = addr;
    h->workers.n = 8;
    h->apps.n = 4;
    h->models.n = 4;
    h->replicas.n = 12;
    h->flights.n = 40;
    h->waiters.n = 60;
    h->chunks.n = 120;
    h->buckets.n = 16;

    for (i = 0; i < WORKERS; i++) {
        workers[i] = worker_make(addr);
    }

    models[0] = model_make(&workers[0], "m", "1");
    models[1] = model_make(&workers[0], "m", "2");
}


void
zone_stop(void)
{
    unsigned           i;
    clipper_header_t  *h;

    h = addr;
    assert_int_equal(h->flights.used, 0);
    assert_int_equal(h->waiters.used, 0);
    assert_int_equal(h->replicas.used, 0);
    assert_int_equal(h->chunks.used, 0);

    for (i = 0; i < WORKERS; i++) {
        zone_kill(workers[i].pid);
    }

    zone_drop(addr);
}

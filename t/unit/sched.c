
/*
 * The simulation's chance, events, doorbells and inputs.
 */


#include "sched.h"


/* in [0, 1) */

double
sched_chance(uint64_t *stream)
{
    return (double) (splitmix((*stream)++) >> 11) / 9007199254740992.0;
}


double
sched_random(sched_t *sim)
{
    return sched_chance(&sim->random);
}


/* the waiting time in us of an event with this rate per second */

double
sched_exponential(uint64_t *stream, double rate)
{
    return -log(1 - sched_chance(stream)) / rate * 1e6;
}


double
sched_normal(sched_t *sim)
{
    return sqrt(-2 * log(1 - sched_random(sim)))
           * cos(2 * M_PI * sched_random(sim));
}


uint32_t
sched_tick(sched_t *sim)
{
    uint64_t  tick = sim->now_us / SCHED_TICK_US;

    return (uint32_t) ngx_min(tick, SCHED_TICKS - 1);
}


/* --- events: a binary heap --- */


static int
sched_before(const sched_event_t *a, const sched_event_t *b)
{
    return a->time_us < b->time_us
           || (a->time_us == b->time_us && a->seq < b->seq);
}


void
sched_at(sched_t *sim, double time_us, uint32_t kind, uint32_t a, uint32_t b)
{
    uint32_t       i, up;
    sched_event_t  event;

    if (sim->nevents == sim->events_size) {
        sim->events_size = sim->events_size ? sim->events_size * 2 : 1024;
        sim->events = realloc(sim->events,
                              sim->events_size * sizeof(sched_event_t));
        SCHED_REQUIRE(sim, sim->events != NULL);
    }

    event.time_us = (uint64_t) ngx_max(time_us, (double) sim->now_us);
    event.seq = sim->seq++;
    event.kind = kind;
    event.a = a;
    event.b = b;

    for (i = sim->nevents++; i; i = up) {
        up = (i - 1) / 2;
        if (sched_before(&sim->events[up], &event)) {
            break;
        }
        sim->events[i] = sim->events[up];
    }

    sim->events[i] = event;
}


sched_event_t
sched_next(sched_t *sim)
{
    uint32_t       i, k;
    sched_event_t  first, last;

    first = sim->events[0];
    last = sim->events[--sim->nevents];

    for (i = 0; (k = 2 * i + 1) < sim->nevents; i = k) {
        if (k + 1 < sim->nevents
            && sched_before(&sim->events[k + 1], &sim->events[k]))
        {
            k++;
        }
        if (sched_before(&last, &sim->events[k])) {
            break;
        }
        sim->events[i] = sim->events[k];
    }

    sim->events[i] = last;

    return first;
}


/* --- doorbells --- */


void
sched_ring(sched_t *sim, uint32_t worker)
{
    if (!sim->woken[worker]) {
        sim->woken[worker] = 1;
        sched_at(sim, (double) sim->now_us + 10
                      + (SCHED_RING_US - 10) * sched_random(sim),
                 SCHED_ON_WAKE, worker, 0);
    }
}


void
sched_lock(sched_t *sim, uint32_t worker)
{
    clipper_zone_lock(&sim->views[worker]);
}


void
sched_unlock(sched_t *sim, uint32_t worker)
{
    uint32_t         i;
    clipper_zone_t  *v;

    v = &sim->views[worker];
    clipper_zone_unlock(v);

    for (i = 0; i < sim->workers; i++) {
        if ((v->ring[sim->views[i].slot / 64]
             >> (sim->views[i].slot % 64)) & 1)
        {
            sched_ring(sim, i);
        }
    }

    memset(v->ring, 0, sizeof(v->ring));
}


/* --- inputs and outputs --- */


size_t
sched_input(sched_t *sim, uint32_t name)
{
    size_t    len;
    uint64_t  x;

    x = splitmix(name);
    len = (x % 16 == 0) ? 700 : 4 + x % 60;
    memset(sim->bytes, (int) (x % 251), len);
    memcpy(sim->bytes, &name, 4);

    return len;
}


size_t
sched_output_len(uint32_t name)
{
    return splitmix(name) % 32 == 1 ? 300 : 5;
}


ngx_uint_t
sched_poisonous(sched_t *sim, uint32_t name)
{
    return sim->poison && splitmix(name) % 1024 == 7;
}


/*
 * The scheduler in virtual time: the real queue, leases, mailboxes, registry
 * and batch control in a zone in memory, with workers, replicas and clients
 * around them that act like those of the server.  As in the server, a worker
 * looks for work only after its doorbell rang, so a forgotten wake-up shows.
 *
 * The invariants are checked at every step: a letter is for an open ask and
 * has the output of its own input; one settlement counts for a flight; a batch
 * is in order of deadline and can be on time by the profile that planned it
 * (or is a single probe); when a queue has work and idle replicas, the doorbell
 * of one of their workers has been rung; an input meets a bounded number of
 * replicas; no ask is given up while a replica computes its input.  A violation
 * ends the program.
 */

#ifndef _SCHED_H_INCLUDED_
#define _SCHED_H_INCLUDED_


#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/clipper_queue.h"
#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue_lease.h"
#include "shm/clipper_queue_peer.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_registry.h"
#include "zone_check.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_zone_leave.h"
#include "shm/clipper_letter.h"
#include "shm/clipper_registry_replica.h"
#include "splitmix.h"


#define SCHED_WORKERS    4
#define SCHED_MODELS     3
#define SCHED_APPS       6
#define SCHED_REPLICAS   16
#define SCHED_LEASES     8192
#define SCHED_MARGIN_US  500
#define SCHED_RING_US    50     /* a doorbell wakes its worker by then */
#define SCHED_PROBE_US   5000
#define SCHED_HOUR_US    3600000000ull
#define SCHED_TICK_US    100000
#define SCHED_TICKS      4096
#define SCHED_SENDS      3      /* deaths by one input: two when hedged, one
                                   more when it is asked again */

#define SCHED_REQUIRE(sim, what)                                              \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: not true at %llu us: %s\n", __FILE__,     \
                    __LINE__, (unsigned long long) (sim)->now_us, #what);     \
            abort();                                                          \
        }                                                                     \
    } while (0)


typedef enum {
    SCHED_ON_ARRIVE = 0,           /* app */
    SCHED_ON_DEADLINE,             /* query */
    SCHED_ON_ABORT,                /* query: its client goes */
    SCHED_ON_DONE,                 /* replica, serial: the reply is there */
    SCHED_ON_HEDGE,                /* replica, serial */
    SCHED_ON_WAIT,                 /* replica, serial: of batch_wait */
    SCHED_ON_JOIN,                 /* replica */
    SCHED_ON_FAIL,                 /* replica: its connection is lost */
    SCHED_ON_WAKE,                 /* worker */
    SCHED_ON_DEATH                 /* worker */
} sched_kind_e;


typedef struct {
    uint64_t                       time_us;
    uint64_t                       seq;
    uint32_t                       kind;
    uint32_t                       a;
    uint32_t                       b;
} sched_event_t;


typedef struct {
    uint32_t                       open;
    uint32_t                       worker;
    uint32_t                       waiter;
    uint32_t                       gen;
    uint32_t                       name;
    uint32_t                       model;
    uint32_t                       flight;
    uint32_t                       flight_gen;
    uint64_t                       asked_us;
    uint64_t                       deadline_us;
} sched_query_t;


typedef struct {
    uint32_t                       in;          /* registered */
    uint32_t                       busy;
    uint32_t                       waits;       /* its timer is set */
    uint32_t                       cold;        /* has had no batch yet */
    uint32_t                       serial;      /* of batches and lives */
    uint32_t                       row;
    uint32_t                       worker;
    uint32_t                       model;
    uint64_t                       sent_us;
    ngx_uint_t                     n;
    clipper_lease_t               *leases;
} sched_replica_t;


/* a batch of n takes a + b n, times a random factor; some take much longer */

typedef struct {
    double                         a_us;
    double                         b_us;
    double                         noise;
    double                         stuck;       /* part of the batches */
    double                         stuck_us;
    double                         first_us;    /* more for the first batch */
    uint32_t                       replicas;
    uint32_t                       row;
} sched_model_t;


typedef struct {
    uint32_t                       model;
    uint64_t                       slo_us;
    double                         rate;        /* per second */
    uint32_t                       names;       /* inputs; 0: all differ */
    uint32_t                       bursts;      /* the rate changes */
} sched_app_t;


/*
 * The trouble of one replica, or with SCHED_ALL of each, between two times:
 * it does nothing, does nothing for 50 ms of every 100, is as many times
 * slower, or is killed and comes back at the end.
 */

typedef enum {
    SCHED_NO_TROUBLE = 0,
    SCHED_STOPPED,
    SCHED_PULSED,
    SCHED_SLOWER,
    SCHED_KILLED
} sched_trouble_e;

#define SCHED_ALL        ((uint32_t) -1)
#define SCHED_PULSE_US   50000

typedef struct {
    sched_trouble_e                kind;
    uint32_t                       replica;
    double                         from_us;
    double                         to_us;
    double                         factor;
} sched_trouble_t;


/* when an app is asked, instead of by its rate */

typedef struct {
    uint64_t                       time_us;
    uint32_t                       app;
} sched_arrival_t;


typedef struct {
    /* given */
    sched_model_t                  models[SCHED_MODELS];
    sched_app_t                    apps[SCHED_APPS];
    uint32_t                       nmodels;
    uint32_t                       napps;
    uint32_t                       workers;
    clipper_batch_conf_t           conf;
    double                         failures;    /* per s, of each replica */
    double                         deaths;      /* per s, of workers */
    double                         aborts;      /* part of the queries */
    uint32_t                       poison;      /* some inputs kill replicas */
    uint32_t                       queue_max;
    uint32_t                       no_hedge;
    uint64_t                       hedge_us;    /* "hedge TIME"; 0: auto */
    uint32_t                       no_halves;   /* what was lost is asked again
                                                   like anything else */
    uint32_t                       no_suspects; /* what killed replicas is
                                                   forgotten */
    sched_trouble_t                trouble;
    uint32_t                       fifo;        /* no deadline is known */
    uint64_t                       until_us;    /* last arrival */
    uint64_t                       counted_us;  /* first one that is counted */
    const sched_arrival_t         *trace;       /* instead of the rates */
    uint32_t                       ntrace;
    size_t                         zone_size;

    /* the state */
    clipper_zone_t                 views[SCHED_WORKERS];
    uint32_t                       woken[SCHED_WORKERS];
    pid_t                          pids[SCHED_WORKERS];
    sched_replica_t                replicas[SCHED_REPLICAS];
    uint32_t                       nreplicas;
    void                          *addr;
    uint64_t                       now_us;
    uint64_t                       random;
    uint64_t                       arrivals;    /* chance of its own: the same
                                                   whatever is tried */
    uint64_t                       seq;
    sched_event_t                 *events;
    uint32_t                       nevents;
    uint32_t                       events_size;
    sched_query_t                 *queries;
    uint32_t                       nqueries;
    uint32_t                       queries_size;
    uint32_t                      *by_waiter;
    uint64_t                      *settled;     /* by flight: gen + 1 */
    uint64_t                      *killed;      /* by flight: gen, deaths */
    u_char                         bytes[2048];

    /* the results */
    uint64_t                       steps;
    uint64_t                       asked;
    uint64_t                       refused;
    uint64_t                       joined;
    uint64_t                       on_time;
    uint64_t                       late;        /* in fifo: too late */
    uint64_t                       dropped;
    uint64_t                       errors;
    uint64_t                       expired;     /* the default by the timer */
    uint64_t                       gone;        /* clients, and with workers */
    uint64_t                       batches;
    uint64_t                       sent;
    uint64_t                       probes;
    uint64_t                       hedges;
    uint64_t                       again;       /* asked again after a loss */
    uint64_t                       losses;
    uint64_t                       again_rc;
    uint64_t                       counted;
    uint64_t                       counted_good;
    uint32_t                       offered[SCHED_TICKS];
    uint32_t                       good[SCHED_TICKS];
} sched_t;


void sched_init(sched_t *sim, uint64_t seed);
void sched_start(sched_t *sim);
void sched_run(sched_t *sim, uint64_t check);
void sched_finish(sched_t *sim);


/* --- between the files of the simulation --- */

double sched_chance(uint64_t *stream);
double sched_random(sched_t *sim);
double sched_exponential(uint64_t *stream, double rate);
double sched_normal(sched_t *sim);
uint32_t sched_tick(sched_t *sim);
void sched_at(sched_t *sim, double time_us, uint32_t kind, uint32_t a,
    uint32_t b);
sched_event_t sched_next(sched_t *sim);
void sched_ring(sched_t *sim, uint32_t worker);
void sched_lock(sched_t *sim, uint32_t worker);
void sched_unlock(sched_t *sim, uint32_t worker);
size_t sched_input(sched_t *sim, uint32_t name);
size_t sched_output_len(uint32_t name);
ngx_uint_t sched_poisonous(sched_t *sim, uint32_t name);

void sched_take_locked(sched_t *sim, uint32_t replica);
void sched_dispatch(sched_t *sim, uint32_t worker);
void sched_join(sched_t *sim, uint32_t replica);
void sched_out(sched_t *sim, uint32_t replica);
void sched_lose(sched_t *sim, uint32_t replica);
void sched_check_given_up(sched_t *sim, const sched_query_t *q);
void sched_reply(sched_t *sim, uint32_t replica);
void sched_hedge(sched_t *sim, uint32_t replica);


#endif /* _SCHED_H_INCLUDED_ */

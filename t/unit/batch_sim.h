
/*
 * Replicas behind one queue in virtual time: Poisson arrivals or clients that
 * wait for their answer, a law of service times, tasks in order of deadline.
 * The batch control is called as the server calls it.
 */

#ifndef _BATCH_SIM_H_INCLUDED_
#define _BATCH_SIM_H_INCLUDED_


#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "batch/clipper_batch.h"
#include "base/clipper_random.h"


#define SIM_QUEUE     (1 << 18)         /* tasks waiting, a power of 2 */
#define SIM_REPLICAS  4
#define SIM_THINK_US  100               /* of a client, after its answer */
#define SIM_TICK_US   100000            /* of the time series */
#define SIM_TICKS     1000


typedef struct sim_s  sim_t;

/* the latency in us of a batch of n that starts at now_us */

typedef double (*sim_law_pt)(sim_t *sim, double n, double now_us);


typedef struct {
    clipper_batch_t                batch;
    double                         done_us;     /* INFINITY: idle */
    double                         sent_us;
    ngx_uint_t                     n;
    double                         deadlines[CLIPPER_BATCH_MAX];
} sim_replica_t;


struct sim_s {
    /* given */
    sim_law_pt                     law;
    double                         rate;        /* tasks per s, open loop */
    double                         rate_after;  /* from change_us, if set */
    double                         change_us;
    ngx_uint_t                     clients;     /* closed loop if not 0 */
    double                         slo_us;
    ngx_uint_t                     replicas;
    clipper_batch_conf_t           conf;

    /* the state */
    double                         now_us;
    clipper_random_t               random;
    sim_replica_t                 *replica;
    double                        *queue;       /* deadlines, a ring */
    ngx_uint_t                     head;
    ngx_uint_t                     queued;
    double                         arrival_us;  /* the next one */
    double                        *back;        /* clients to ask again */
    ngx_uint_t                     back_head;
    ngx_uint_t                     back_count;
    double                         wake_us;     /* after NGX_AGAIN */
    ngx_uint_t                     happened;    /* the one-time event */
    float                          tasks_per_us;
    double                         rated_us;
    uint64_t                       rated;       /* of "arrived" */

    /* the result */
    uint64_t                       arrived;
    uint64_t                       on_time;
    uint64_t                       late;
    uint64_t                       dropped;
    uint64_t                       batches;
    uint64_t                       sent;
    uint64_t                       plans;
    uint32_t                       good[SIM_TICKS];   /* on time, by tick */
    uint32_t                       size[SIM_TICKS];   /* last batch's size */
};


void sim_init(sim_t *sim, sim_law_pt law, double rate, ngx_uint_t clients);
void sim_free(sim_t *sim);

/* settings made after sim_init() apply from here */
void sim_start(sim_t *sim);
void sim_run(sim_t *sim, double until_us);

/* answers on time per second between two times */
double sim_goodput(sim_t *sim, double from_s, double to_s);


/* laws of service time */
double sim_law_noop(sim_t *sim, double n, double now_us);
double sim_law_linear(sim_t *sim, double n, double now_us);
double sim_law_fixed(sim_t *sim, double n, double now_us);
double sim_law_fixed_small(sim_t *sim, double n, double now_us);
double sim_law_mixed(sim_t *sim, double n, double now_us);
double sim_law_sublinear(sim_t *sim, double n, double now_us);
double sim_law_superlinear(sim_t *sim, double n, double now_us);
double sim_law_power(sim_t *sim, double n, double now_us);
double sim_law_square(sim_t *sim, double n, double now_us);
double sim_law_noisy(sim_t *sim, double n, double now_us);
double sim_law_jitter(sim_t *sim, double n, double now_us);
double sim_law_step(sim_t *sim, double n, double now_us);
double sim_law_blocked(sim_t *sim, double n, double now_us);
double sim_law_outlier(sim_t *sim, double n, double now_us);
double sim_law_cold(sim_t *sim, double n, double now_us);


#endif /* _BATCH_SIM_H_INCLUDED_ */


/*
 * Recorded arrivals, and the most that any scheduler could make of them.
 *
 * A trace is text: "model A B R" (a batch of n takes A + B n us on each of R
 * replicas), "app SLO" in us for each application, then one line for each
 * arrival, "T APP": T us after the previous one, for application number APP
 * (from 0).  "#" begins a comment.
 *
 * The bound.  An answer of application i is on time only if its batch took no
 * longer than SLO_i, so it had at most n_i = (SLO_i - A) / B inputs, and the
 * answer's share of the batch was at least A / n_i + B >= p, where
 *
 *     p = min over i of (A + B n_i) / n_i
 *
 * and that share was spent between the answer's arrival and its deadline.  So
 * what any scheduler, also one that knows all arrivals and service times,
 * answers on time is at most
 *
 *     (the most work of pieces of p in [arrival, arrival + SLO] that a
 *      machine of speed R can do, pieces interrupted and done in part) / p
 *
 * The most work is what the earliest deadline first does when it drops what
 * has expired: the assignment of time to intervals is a matching in a convex
 * bipartite graph, for which this greedy rule is optimal (Glover 1967).
 */


#ifndef _SCHED_TRACE_H_INCLUDED_
#define _SCHED_TRACE_H_INCLUDED_


#include "sched.h"


typedef struct {
    double             a_us;
    double             b_us;
    uint32_t           replicas;
    uint64_t           slo_us[SCHED_APPS];
    uint32_t           napps;
    sched_arrival_t   *arrivals;
    uint32_t           n;
} sched_trace_t;


void sched_trace_free(sched_trace_t *trace);
int sched_trace_read(sched_trace_t *trace, const char *path);
double sched_trace_bound(const sched_trace_t *trace);
void sched_trace_run(const sched_trace_t *trace, sched_t *sim, uint32_t fifo);


#endif /* _SCHED_TRACE_H_INCLUDED_ */


/*
 * Clipper: batch size control of one replica.  Pure; times are arguments.
 *
 * Two controls in one, the smaller wins:
 *
 * cap      AIMD on the batch size (Clipper, NSDI'17, 4.3.1; Chiu and Jain
 *          1989): a step more with each full batch that was on time, times 0.9
 *          with one that was not.  The step begins with doubling (slow start,
 *          Jacobson 1988), falls to 1/32 with a miss and grows again while
 *          there is none.  It bounds how far beyond its experience the replica
 *          is driven.
 *
 * profile  the latency by batch size, learned online: mean and mean deviation
 *          at log-spaced sizes (two per octave) with linear interpolation, a
 *          regression line where nothing fresh is known, made monotone by
 *          isotonic regression.  The quantile is mean + k deviations, where k
 *          is adapted until 95 % of the batches stay below (adaptive conformal
 *          inference, Gibbs and Candes 2021).  Outliers are clipped.
 *          Observations lose weight with time and with surprise, so a size
 *          that was slow once is tried again, and when even a single task
 *          looks too slow, single tasks are sent as probes: the control cannot
 *          lock itself out.  If a probe is faster than the profile, all sizes
 *          are taken to be, by the same factor.
 *          If smaller batches than fit are known to be more efficient, batches
 *          have that size; a replica that is busy without a pause tries such
 *          sizes now and then.
 *
 * Which tasks to drop follows Nexus (SOSP'19, 6.3, early drop): when batches of
 * this size cannot keep up with the arrivals, a head that would force an
 * inefficiently small batch is given up for the others.
 *
 * "plain" is the paper's control alone: one more with each full batch that was
 * on time, times 0.9 with one that was not; only what has expired is dropped.
 */

#ifndef _CLIPPER_BATCH_H_INCLUDED_
#define _CLIPPER_BATCH_H_INCLUDED_


#include "batch/clipper_batch_type.h"


typedef struct {
    ngx_uint_t              take;       /* NGX_OK: tasks to send */
    int64_t                 need_us;    /* NGX_DECLINED: the least time left
                                           of a task that stays */
    uint64_t                wait_us;    /* NGX_AGAIN: time to wait */
} clipper_batch_plan_t;


/*
 * "from" is the state of another replica of the same model version, whose
 * profile is inherited with reduced weight, or NULL.
 */

void clipper_batch_init(clipper_batch_t *b, const clipper_batch_t *from,
    uint64_t now_us);

/*
 * What to do now.  The deadlines in load are those of the answers: the caller
 * has taken off what it needs to deliver them.
 *
 * NGX_OK        send plan->take tasks from the head (1 <= take <= queued)
 * NGX_DECLINED  drop the tasks whose deadline is nearer than plan->need_us, at
 *               least the head is one; then ask again with what is left
 * NGX_AGAIN     wait for a fuller batch; ask again after plan->wait_us or when
 *               tasks have come
 */

ngx_int_t clipper_batch_plan(clipper_batch_t *b,
    const clipper_batch_conf_t *conf, const clipper_batch_load_t *load,
    clipper_batch_plan_t *plan);

/* the largest batch that may be sent now */

ngx_uint_t clipper_batch_most(const clipper_batch_t *b,
    const clipper_batch_conf_t *conf);

/* the latency that most batches of n stay below; 0: nothing is known yet */

uint64_t clipper_batch_latency(const clipper_batch_t *b, ngx_uint_t n);

/* the arrival rate, in tasks per us, after n more arrivals in the last us */

float clipper_batch_demand(float rate, ngx_uint_t n, uint64_t us);

/*
 * Records a batch of n that came back.  "on_time": all its answers met their
 * deadlines.  Not for batches whose replica was lost.
 */

void clipper_batch_observe(clipper_batch_t *b,
    const clipper_batch_conf_t *conf, uint64_t now_us, ngx_uint_t n,
    uint64_t latency_us, ngx_uint_t on_time);


#endif /* _CLIPPER_BATCH_H_INCLUDED_ */

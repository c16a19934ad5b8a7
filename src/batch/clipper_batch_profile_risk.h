
/*
 * Clipper: how many tasks can be on time by the latency profile.
 *
 * A batch that is bounded by a high quantile leaves some time unused.  This
 * matters little with large batches.  Where only a few tasks fit, one task more
 * or less is a good part of the answers.  So a small batch grows beyond the
 * quantile as long as more tasks can be expected on time, in this batch and in
 * those of the replicas that soon take the rest.  The latency is taken to be
 * normally distributed, through the mean and the quantile.
 *
 * When several replicas cannot keep up with the arrivals, tasks are plenty and
 * time is scarce: the batch has the size with the most answers on time per us.
 */

#ifndef _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_
#define _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_


#include "batch/clipper_batch_type.h"


/* the probability that a batch of n takes at most us; 1: nothing is known */

double clipper_batch_profile_risk_chance(const clipper_batch_t *b,
    ngx_uint_t n, double us);

/* us: with less time than this, not even one task is worth the risk */

double clipper_batch_profile_risk_least(const clipper_batch_t *b);

/*
 * The largest size up to max that is worth sending: each task has us left,
 * `queued` of them wait, and `replicas` take the rest.  0: not even one.
 */

ngx_uint_t clipper_batch_profile_risk_fit(const clipper_batch_t *b,
    double us, ngx_uint_t max, ngx_uint_t queued, ngx_uint_t replicas);

/*
 * The same in overload.  Each task has step_us more time than the one before
 * it; if step_us is negative, us is the time of the last task of the queue.
 */

ngx_uint_t clipper_batch_profile_risk_rush(const clipper_batch_t *b,
    double us, double step_us, ngx_uint_t max);

/* the answers on time per us that such a batch of n can be expected to give */

double clipper_batch_profile_risk_rate(const clipper_batch_t *b, ngx_uint_t n,
    double us, double step_us);


#endif /* _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_ */

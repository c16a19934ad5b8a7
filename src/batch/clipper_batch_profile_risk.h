
/*
 * Clipper: what can be on time by the latency profile.
 *
 * A batch that is bounded by a high quantile leaves time unused.  With large
 * batches that is little.  Where only a few tasks fit, one more or less is a
 * good part of what is answered.  So a small batch grows beyond the quantile
 * as long as more of its tasks can be expected on time, and more of them and
 * the next replicas' batches together: what this one leaves those take soon if
 * there are many.  The law is normal, through the mean and the quantile.
 *
 * Where more comes than several replicas can serve, tasks are plenty and time
 * is not: the batch has the size with the most answers on time per us.
 */

#ifndef _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_
#define _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_


#include "batch/clipper_batch_type.h"


/* the probability that a batch of n takes at most us; 1: nothing is known */

double clipper_batch_profile_risk_chance(const clipper_batch_t *b,
    ngx_uint_t n, double us);

/* with less time than this not even one task is worth the risk */

double clipper_batch_profile_risk_least(const clipper_batch_t *b);

/*
 * The largest size up to max that is worth sending: each task has us left,
 * `queued` of them wait, and `replicas` take the rest.  0: not even one.
 */

ngx_uint_t clipper_batch_profile_risk_fit(const clipper_batch_t *b,
    double us, ngx_uint_t max, ngx_uint_t queued, ngx_uint_t replicas);

/*
 * The same where more comes than can be served.  Each task has step_us more
 * than the one before it, or less: then us is the time of a queue's last one.
 */

ngx_uint_t clipper_batch_profile_risk_rush(const clipper_batch_t *b,
    double us, double step_us, ngx_uint_t max);

/* how many of such a batch of n can be expected on time, per us */

double clipper_batch_profile_risk_rate(const clipper_batch_t *b, ngx_uint_t n,
    double us, double step_us);


#endif /* _CLIPPER_BATCH_PROFILE_RISK_H_INCLUDED_ */

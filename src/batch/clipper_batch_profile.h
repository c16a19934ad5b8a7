
/*
 * Clipper: the latency profile, for the batch control and the queue.
 */

#ifndef _CLIPPER_BATCH_PROFILE_H_INCLUDED_
#define _CLIPPER_BATCH_PROFILE_H_INCLUDED_


#include "batch/clipper_batch_type.h"


/* reduces the weight of old observations and computes the curves again */

void clipper_batch_profile_age(clipper_batch_t *b, uint64_t now_us);

/* a batch of n took latency_us */

void clipper_batch_profile_learn(clipper_batch_t *b, uint64_t now_us,
    ngx_uint_t n, double latency_us);

/* 1: an outlier far above the profile; the last of several in a row is none */

ngx_uint_t clipper_batch_profile_exception(clipper_batch_t *b, ngx_uint_t n,
    double latency_us);

/* multiplies the latency of all sizes: the model has become faster */

void clipper_batch_profile_scale(clipper_batch_t *b, double factor);

/* the mean latency of a batch of n, and its upper quantile */

double clipper_batch_profile_mean(const clipper_batch_t *b, ngx_uint_t n);
double clipper_batch_profile_quantile(const clipper_batch_t *b, ngx_uint_t n);

/* the largest n whose quantile is at most us; 0: none */

ngx_uint_t clipper_batch_profile_fit(const clipper_batch_t *b, double us);

/*
 * The most efficient size up to n: n itself if no smaller one is known to be
 * better.  With "try" it may be a neighbour with too few observations.
 */

ngx_uint_t clipper_batch_profile_best(const clipper_batch_t *b, ngx_uint_t n,
    ngx_uint_t try);


#endif /* _CLIPPER_BATCH_PROFILE_H_INCLUDED_ */

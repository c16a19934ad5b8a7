
/*
 * What a policy has learned: a vector of forward-decayed sums.
 *
 * It begins with its clocks, then for each member its policy's fields, each
 * the sum of x e^(lambda (t - t0) + u - u0) over the feedbacks, where t is the
 * time of a feedback and u the clock of feedbacks that it met.  Zeroed memory
 * is the state that knows nothing.  A delta is a state of one feedback with
 * its own t0 and u0, so all operations are additions: in any order, in groups,
 * on any machine, the sums are the same up to rounding.
 *
 * The clock of feedbacks is a function of what is added, too.  With V the sum
 * of all feedbacks' e^u, and mu = 2^(1/h) - 1 for a half-life of h feedbacks,
 *
 *     e^U = 1 + mu V
 *
 * tells the clock now.  A feedback is added with u = U, so V grows by e^U, and
 * the next one finds e^U' = e^U + mu e^U = 2^(1/h) e^U: h feedbacks double it,
 * what was learned before counts half.  No counter and no order is shared: V
 * is a sum like the others.  Instances that learn without knowing of each other
 * simply add up: of n feedbacks each, the last ones of both make up the memory,
 * which holds no more than 1 / mu of them in all.
 *
 * Reading divides by e^(lambda (now - t0) + U - u0), which leaves each feedback
 * the weight that its age and the later feedbacks allow: both halve the state,
 * and the faster one decides.  As U is relative to u0 in everything stored,
 * e^-u0 stands for the 1 above.
 *
 * G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu: Forward Decay: A Practical
 * Time Decay Model for Streaming Systems, ICDE 2009, for the first of the two
 * clocks.
 */


#ifndef _CLIPPER_POLICY_STATE_H_INCLUDED_
#define _CLIPPER_POLICY_STATE_H_INCLUDED_


#include "learn/clipper_policy_type.h"


#define CLIPPER_POLICY_T0      0                /* seconds of any clock */
#define CLIPPER_POLICY_LAMBDA  1                /* per second */
#define CLIPPER_POLICY_U0      2
#define CLIPPER_POLICY_MU      3                /* per feedback */
#define CLIPPER_POLICY_V       4
#define CLIPPER_POLICY_ROWS    5                /* the first row */

#define CLIPPER_POLICY_STATE_MAX                                              \
    (CLIPPER_POLICY_ROWS                                                      \
     + CLIPPER_POLICY_CELLS * CLIPPER_POLICY_FIELDS)

/* t0 moves forward when an exponent would become larger than this */
#define CLIPPER_POLICY_EXPONENT_MAX  64.0


/*
 * Doubles in a state of n members and the policy's extra rows, which a user's
 * has too, as zeroes; 0: the policy has none.
 */
size_t  clipper_policy_state_size(const clipper_policy_t *policy, ngx_uint_t n);

/*
 * Adds a delta, or any state, with the same members.  Code that applies deltas
 * elsewhere must do the same: values += delta's * exp(lambda * (t - t0) + u -
 * u0).  A delta with another lambda or mu (the half-life was changed) first
 * brings the state to its own clocks; they apply from then on.
 */
void clipper_policy_state_add(double *state, const double *delta, size_t size);

/* the same for a sum of deltas that is not a whole state */
void clipper_policy_state_join(double *part, const double *delta, size_t size);

/* the clock of feedbacks, U */
double clipper_policy_state_clock(const double *state);

/* adds what observe() gave to a whole state, at the state's clock */
void clipper_policy_state_learn(double *state, const double *delta,
    size_t size);

/* the rows as they count at `now`; a clock behind t0 reads as t0 */
void clipper_policy_state_read(const double *state, size_t size, double now,
    double *rows);

/*
 * What t0 of a state in a store is by this clock.  `there` and `here` are the
 * same moment by the store's clock and by this one, t1 is the store's time of
 * the last addition, 0 if unknown.  If the store's clock was ahead then, the
 * last addition is as of now: what is newer would count for nothing.
 */
double clipper_policy_state_here(double t0, double t1, double there,
    double here);

/* NGX_ERROR: not a state of this size made by the functions above */
ngx_int_t clipper_policy_state_check(const double *state, size_t size);


/*
 * For policies with means: observations and losses of member i.  A user's own
 * ones start at the application's mean, which counts as kappa observations but
 * never as more than there were.  Fields are {count, loss}.
 */

typedef struct {
    double                                 count;
    double                                 loss;
} clipper_policy_counts_t;

void clipper_policy_state_counts(const clipper_policy_t *policy,
    const clipper_policy_view_t *view, double kappa, ngx_uint_t i,
    clipper_policy_counts_t *counts);

/* observe() of these; NGX_DECLINED: they learn nothing of an ensemble */
ngx_int_t clipper_policy_state_count(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows);


#endif /* _CLIPPER_POLICY_STATE_H_INCLUDED_ */

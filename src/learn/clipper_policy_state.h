
/*
 * What policies learn: forward-decayed sums, and how they are read.
 *
 * A state is {t0, lambda, rows}: for each member its policy's fields, each the
 * sum of x * exp(lambda * (t - t0)) over the feedbacks at times t.  Zeroed
 * memory is the state that knows nothing.  A delta is a state of one feedback
 * with t0 at its time, so that adding is all there ever is to do: in any
 * order, in groups, on any machine, the sums come out the same but for
 * rounding.  Reading divides by exp(lambda * (now - t0)), which leaves each
 * feedback the weight it deserves at its age.
 *
 * G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu: Forward Decay: A Practical
 * Time Decay Model for Streaming Systems, ICDE 2009.
 */


#ifndef _CLIPPER_POLICY_STATE_H_INCLUDED_
#define _CLIPPER_POLICY_STATE_H_INCLUDED_


#include "learn/clipper_policy.h"


#define CLIPPER_POLICY_T0      0                /* seconds */
#define CLIPPER_POLICY_LAMBDA  1                /* per second */
#define CLIPPER_POLICY_ROWS    2                /* the first row */

#define CLIPPER_POLICY_STATE_MAX                                              \
    (CLIPPER_POLICY_ROWS                                                      \
     + CLIPPER_POLICY_MEMBERS * CLIPPER_POLICY_FIELDS)

/* t0 moves on when an exponent would become larger than this */
#define CLIPPER_POLICY_EXPONENT_MAX  64.0


/* doubles in a state of n members; 0: the policy has none */
size_t  clipper_policy_state_size(const clipper_policy_t *policy, ngx_uint_t n);

/*
 * Adds a delta, or any state, with the same members.  Whoever applies deltas
 * elsewhere must do the same: values += delta's * exp(lambda * (t - t0)).  A
 * delta with another lambda (the half-life was changed) first brings the
 * state to its own time, and its lambda is used from then on.
 */
void clipper_policy_state_add(double *state, const double *delta, size_t size);

/* the rows as they count at `now`; a clock that is behind t0 is taken as t0 */
void clipper_policy_state_read(const double *state, size_t size, double now,
    double *rows);

/* NGX_ERROR: no state of this size came out of the functions above */
ngx_int_t clipper_policy_state_check(const double *state, size_t size);


/*
 * For policies with sums of losses (log weights are -eta times them): shares
 * of the members that are up.  rounds and cover are fields: in how many rounds
 * a member took part, and for how many of them its sum of losses stands.
 */

typedef struct {
    double                                 eta;
    double                                 alpha;     /* fixed share */
    ngx_uint_t                             rounds;
    ngx_uint_t                             cover;
    ngx_uint_t                             loss;
} clipper_policy_sums_t;

void clipper_policy_state_shares(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_sums_t *sums,
    double *p);


/*
 * For policies with means: observations and losses of member i.  A user's own
 * ones start at the application's mean, which counts as kappa observations but
 * never as more than there were.  Fields are {count, loss}.
 */

typedef struct {
    double                                 count;
    double                                 loss;
} clipper_policy_counts_t;

void clipper_policy_state_counts(const clipper_policy_view_t *view,
    double kappa, ngx_uint_t i, clipper_policy_counts_t *counts);

/* observe() of these policies: one more for the served one */
ngx_int_t clipper_policy_state_count(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows);


#endif /* _CLIPPER_POLICY_STATE_H_INCLUDED_ */

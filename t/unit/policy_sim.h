
/*
 * Policies in simulation: models that err at random, a feedback for each
 * query, at once, at some rate.  The measure of a policy is how often it
 * answers wrongly.
 */

#ifndef _POLICY_SIM_H_INCLUDED_
#define _POLICY_SIM_H_INCLUDED_


#include "policy_fixture.h"


typedef struct {
    const char       *policy;
    const char       *params;
    double            rate;         /* feedbacks a second */
    ngx_uint_t        models;
    const double     *error;        /* of each model */
    const double     *swapped;      /* the same after the swap */
    ngx_uint_t        before;       /* queries until then */
    ngx_uint_t        after;
    ngx_uint_t        seeds;
} sim_t;


/* errors: of each query, the mean over all seeds; zeroed */
void sim_run(const sim_t *sim, double *errors);

double sim_mean(const double *errors, ngx_uint_t from, ngx_uint_t to);

/*
 * The number of feedbacks until a policy has followed: from then on, in
 * windows of 50, its error is below the mean of the models' errors.
 */
ngx_uint_t sim_followed(const sim_t *sim, const double *errors);

/*
 * 1 000 users of `kinds` kinds take turns until each has given `feedbacks`
 * labels; the first model is the good one for the first kind, the second for
 * the second.  Returns how often their next query is answered wrongly.
 */
double sim_users(const char *policy, const char *params, ngx_uint_t kinds,
    double good, double bad, ngx_uint_t feedbacks, uint64_t seed);


/*
 * A reliability diagram of ten bins: the sums of confidence and of right
 * answers, and their number.  A part of the errors, `together`, is common to
 * all models.
 */

typedef struct {
    double            confidence[10];
    double            right[10];
    ngx_uint_t        n[10];
} sim_diagram_t;

void sim_reliability(const sim_t *sim, double together, sim_diagram_t *d);

/*
 * The standard error of what a policy can know of a bin: its memory holds only
 * `memory` answers in all bins.
 */
double sim_error(const sim_diagram_t *d, ngx_uint_t bin, double memory);

/* the largest distance in bins with an error of at most `error`, and with at
 * least one answer of a thousand in standard errors */
double sim_unreliable(const sim_diagram_t *d, double memory, double error,
    double *sigmas);


#endif /* _POLICY_SIM_H_INCLUDED_ */

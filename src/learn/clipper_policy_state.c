
/*
 * Forward-decayed sums and how policies read them, see the header.
 */


#include "learn/clipper_policy_state.h"
#include <math.h>


/* a smaller part of the rounds than this says nothing about a member */
#define CLIPPER_POLICY_COVER_MIN  1e-9


static void clipper_policy_state_move(double *state, size_t size, double t0);
static double clipper_policy_state_mean(const clipper_policy_sums_t *sums,
    uint64_t up, ngx_uint_t n, const double *loss, const double *cover);
static void clipper_policy_state_losses(const clipper_policy_sums_t *sums,
    uint64_t up, ngx_uint_t n, ngx_uint_t nfields, const double *rows,
    double *loss);
static void  clipper_policy_state_softmax(uint64_t up, ngx_uint_t n, double *p);


size_t
clipper_policy_state_size(const clipper_policy_t *policy, ngx_uint_t n)
{
    if (policy->nfields == 0) {
        return 0;
    }

    return CLIPPER_POLICY_ROWS + n * policy->nfields;
}


void
clipper_policy_state_add(double *state, const double *delta, size_t size)
{
    double  age, factor, lambda, t;
    size_t  i;

    t = delta[CLIPPER_POLICY_T0];
    lambda = delta[CLIPPER_POLICY_LAMBDA];
    age = t - state[CLIPPER_POLICY_T0];

    if (state[CLIPPER_POLICY_LAMBDA] != lambda) {

        if (age > 0) {
            clipper_policy_state_move(state, size, t);
            age = 0;
        }

        state[CLIPPER_POLICY_LAMBDA] = lambda;

    } else if (lambda * age > CLIPPER_POLICY_EXPONENT_MAX) {
        clipper_policy_state_move(state, size, t);
        age = 0;
    }

    factor = exp(lambda * age);

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        state[i] += delta[i] * factor;
    }
}


static void
clipper_policy_state_move(double *state, size_t size, double t0)
{
    double  factor;
    size_t  i;

    factor = exp(state[CLIPPER_POLICY_LAMBDA]
                 * (state[CLIPPER_POLICY_T0] - t0));

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        state[i] *= factor;
    }

    state[CLIPPER_POLICY_T0] = t0;
}


void
clipper_policy_state_read(const double *state, size_t size, double now,
    double *rows)
{
    double  age, factor;
    size_t  i;

    age = now - state[CLIPPER_POLICY_T0];

    if (age < 0) {
        age = 0;
    }

    factor = exp(-state[CLIPPER_POLICY_LAMBDA] * age);

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        *rows++ = state[i] * factor;
    }
}


ngx_int_t
clipper_policy_state_check(const double *state, size_t size)
{
    size_t  i;

    if (size < CLIPPER_POLICY_ROWS
        || size > CLIPPER_POLICY_STATE_MAX)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < size; i++) {

        /* a sum of what cannot be negative, and no NaN */

        if (!(state[i] >= 0) || isinf(state[i])) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * v is the softmax of -eta times the application's sums, q the fixed share of
 * it: (1 - alpha) v + alpha / k (Herbster and Warmuth 1998).  A user's log
 * weight is that of q plus the own delta; the fixed share of it is with q, so
 * a user without a delta gets exactly the application's shares, and a large
 * application, whose own sums dwarf those of any user, can be contradicted.
 */

void
clipper_policy_state_shares(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_sums_t *sums,
    double *p)
{
    double      k, loss[CLIPPER_POLICY_MEMBERS],
                q[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t  i, n, nfields;

    n = view->n;
    nfields = conf->policy->nfields;
    k = __builtin_popcountll(view->up);

    clipper_policy_state_losses(sums, view->up, n, nfields, view->app, loss);

    for (i = 0; i < n; i++) {
        p[i] = -sums->eta * loss[i];
    }

    clipper_policy_state_softmax(view->up, n, p);

    for (i = 0; i < n; i++) {
        if (view->up & ((uint64_t) 1 << i)) {
            p[i] = (1 - sums->alpha) * p[i] + sums->alpha / k;
        }
    }

    if (view->user == NULL) {
        return;
    }

    clipper_policy_state_losses(sums, view->up, n, nfields, view->user, loss);

    for (i = 0; i < n; i++) {
        q[i] = p[i];
        p[i] = log(q[i]) - sums->eta * loss[i];
    }

    clipper_policy_state_softmax(view->up, n, p);

    for (i = 0; i < n; i++) {
        p[i] = (1 - sums->alpha) * p[i] + sums->alpha * q[i];
    }
}


/*
 * The sums of losses, each standing for all the rounds there were.  A member
 * that is new, was without a replica, or was never on time has no losses for
 * some of them; nothing known must not look like nothing lost, so for those
 * rounds it gets what a member of mean weight has.
 */

static void
clipper_policy_state_losses(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, ngx_uint_t nfields, const double *rows, double *loss)
{
    double      cover[CLIPPER_POLICY_MEMBERS], mean, rounds;
    ngx_uint_t  i, full;

    if (rows == NULL) {
        ngx_memzero(loss, n * sizeof(double));
        return;
    }

    rounds = 0;

    for (i = 0; i < n; i++) {
        loss[i] = rows[i * nfields + sums->loss];

        if (rows[i * nfields + sums->rounds] > rounds) {
            rounds = rows[i * nfields + sums->rounds];
        }
    }

    full = 1;

    for (i = 0; i < n; i++) {
        cover[i] = rows[i * nfields + sums->cover];
        cover[i] = (cover[i] < rounds) ? cover[i] / rounds : 1;

        if (cover[i] < 1 && (up & ((uint64_t) 1 << i))) {
            full = 0;
        }
    }

    if (full) {
        return;
    }

    mean = clipper_policy_state_mean(sums, up, n, loss, cover);

    for (i = 0; i < n; i++) {
        loss[i] += (1 - cover[i]) * mean;
    }
}


/* the sum of losses whose weight is the mean weight of the members known */

static double
clipper_policy_state_mean(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, const double *loss, const double *cover)
{
    double      min, weight, total;
    ngx_uint_t  i, known;

    known = 0;
    min = 0;

    for (i = 0; i < n; i++) {
        if (!(up & ((uint64_t) 1 << i))
            || cover[i] < CLIPPER_POLICY_COVER_MIN)
        {
            continue;
        }

        if (!known || loss[i] / cover[i] < min) {
            min = loss[i] / cover[i];
        }

        known = 1;
    }

    if (!known) {
        return 0;
    }

    weight = 0;
    total = 0;

    for (i = 0; i < n; i++) {
        if (!(up & ((uint64_t) 1 << i))
            || cover[i] < CLIPPER_POLICY_COVER_MIN)
        {
            continue;
        }

        weight += cover[i] * exp(-sums->eta * (loss[i] / cover[i] - min));
        total += cover[i];
    }

    return min - log(weight / total) / sums->eta;
}


/* from log weights; the largest is subtracted, so that it cannot underflow */

static void
clipper_policy_state_softmax(uint64_t up, ngx_uint_t n, double *p)
{
    double      max, sum;
    ngx_uint_t  i;

    max = -INFINITY;

    for (i = 0; i < n; i++) {
        if ((up & ((uint64_t) 1 << i)) && p[i] > max) {
            max = p[i];
        }
    }

    sum = 0;

    for (i = 0; i < n; i++) {
        p[i] = (up & ((uint64_t) 1 << i)) ? exp(p[i] - max) : 0;
        sum += p[i];
    }

    for (i = 0; i < n; i++) {
        p[i] /= sum;
    }
}


void
clipper_policy_state_counts(const clipper_policy_view_t *view, double kappa,
    ngx_uint_t i, clipper_policy_counts_t *counts)
{
    double         prior;
    const double  *row;

    counts->count = 0;
    counts->loss = 0;

    if (view->app) {
        row = view->app + 2 * i;
        counts->count = row[0];
        counts->loss = row[1];
    }

    if (view->user == NULL) {
        return;
    }

    if (counts->count > kappa) {
        prior = kappa / counts->count;
        counts->count *= prior;
        counts->loss *= prior;
    }

    row = view->user + 2 * i;
    counts->count += row[0];
    counts->loss += row[1];
}


ngx_int_t
clipper_policy_state_count(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double  *row;

    if (fb->served == CLIPPER_POLICY_ALL) {
        return NGX_DECLINED;
    }

    row = rows + 2 * fb->served;
    row[0] = 1;
    row[1] = fb->loss[fb->served];

    return NGX_OK;
}


/*
 * Forward-decayed sums, and how policies read them, see the header.
 */


#include "learn/clipper_policy_state.h"
#include <math.h>


/* clocks of machines may differ by this, seconds */
#define CLIPPER_POLICY_AHEAD  60.0


static void clipper_policy_state_time(double *state, const double *delta,
    size_t size);
static void clipper_policy_state_scale(double *state, size_t size,
    double factor);
static double clipper_policy_state_growth(const double *state);


size_t
clipper_policy_state_size(const clipper_policy_t *policy, ngx_uint_t n)
{
    if (policy->nfields == 0) {
        return 0;
    }

    return CLIPPER_POLICY_ROWS + (n + policy->nextra) * policy->nfields;
}


void
clipper_policy_state_add(double *state, const double *delta, size_t size)
{
    double  growth, mu;

    mu = delta[CLIPPER_POLICY_MU];

    if (state[CLIPPER_POLICY_MU] != mu) {

        /* what the state says now is what it says with the new clock */

        growth = clipper_policy_state_growth(state);

        state[CLIPPER_POLICY_U0] += log(growth);
        clipper_policy_state_scale(state, size, 1 / growth);

        if (mu > 0) {
            state[CLIPPER_POLICY_V] =
                               (1 - exp(-state[CLIPPER_POLICY_U0])) / mu;
        }
    }

    clipper_policy_state_join(state, delta, size);
}


void
clipper_policy_state_join(double *part, const double *delta, size_t size)
{
    double  factor, u;
    size_t  i;

    u = delta[CLIPPER_POLICY_U0] - part[CLIPPER_POLICY_U0];

    if (u > CLIPPER_POLICY_EXPONENT_MAX) {
        part[CLIPPER_POLICY_U0] = delta[CLIPPER_POLICY_U0];
        clipper_policy_state_scale(part, size, exp(-u));
        u = 0;
    }

    part[CLIPPER_POLICY_MU] = delta[CLIPPER_POLICY_MU];
    part[CLIPPER_POLICY_V] += delta[CLIPPER_POLICY_V] * exp(u);

    clipper_policy_state_time(part, delta, size);

    factor = exp(part[CLIPPER_POLICY_LAMBDA]
                 * (delta[CLIPPER_POLICY_T0] - part[CLIPPER_POLICY_T0]) + u);

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        part[i] += delta[i] * factor;
    }
}


/* t0 moves before the delta's exponent grows large, or when lambda changes */

static void
clipper_policy_state_time(double *state, const double *delta, size_t size)
{
    double  age, factor;
    size_t  i;

    age = delta[CLIPPER_POLICY_T0] - state[CLIPPER_POLICY_T0];

    if (state[CLIPPER_POLICY_LAMBDA] == delta[CLIPPER_POLICY_LAMBDA]
        ? state[CLIPPER_POLICY_LAMBDA] * age > CLIPPER_POLICY_EXPONENT_MAX
        : age > 0)
    {
        factor = exp(-state[CLIPPER_POLICY_LAMBDA] * age);

        for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
            state[i] *= factor;
        }

        state[CLIPPER_POLICY_T0] = delta[CLIPPER_POLICY_T0];
    }

    state[CLIPPER_POLICY_LAMBDA] = delta[CLIPPER_POLICY_LAMBDA];
}


static void
clipper_policy_state_scale(double *state, size_t size, double factor)
{
    size_t  i;

    for (i = CLIPPER_POLICY_V; i < size; i++) {
        state[i] *= factor;
    }
}


/* e^(U - u0) */

static double
clipper_policy_state_growth(const double *state)
{
    if (state[CLIPPER_POLICY_MU] <= 0) {
        return 1;
    }

    return exp(-state[CLIPPER_POLICY_U0])
           + state[CLIPPER_POLICY_MU] * state[CLIPPER_POLICY_V];
}


double
clipper_policy_state_clock(const double *state)
{
    return state[CLIPPER_POLICY_U0] + log(clipper_policy_state_growth(state));
}


void
clipper_policy_state_learn(double *state, const double *delta, size_t size)
{
    double  stamped[CLIPPER_POLICY_STATE_MAX];

    ngx_memcpy(stamped, delta, size * sizeof(double));
    stamped[CLIPPER_POLICY_U0] = clipper_policy_state_clock(state);

    clipper_policy_state_add(state, stamped, size);
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

    factor = exp(-state[CLIPPER_POLICY_LAMBDA] * age)
             / clipper_policy_state_growth(state);

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        *rows++ = state[i] * factor;
    }
}


double
clipper_policy_state_here(double t0, double t1, double there, double here)
{
    double  last;

    if (t0 == 0) {
        return 0;
    }

    last = ngx_max(t0, t1);

    if (last <= there + CLIPPER_POLICY_AHEAD) {
        last = there;
    }

    return t0 - last + here;
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

        /* a sum of values that cannot be negative, and not NaN */

        if (!(state[i] >= 0) || isinf(state[i])) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
clipper_policy_state_counts(const clipper_policy_t *policy,
    const clipper_policy_view_t *view, double kappa, ngx_uint_t i,
    clipper_policy_counts_t *counts)
{
    double         prior;
    const double  *row;

    counts->count = 0;
    counts->loss = 0;

    if (view->app) {
        row = view->app + i * policy->nfields;
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

    row = view->user + i * policy->nfields;
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

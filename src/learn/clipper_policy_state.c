
/*
 * Forward-decayed sums, and how policies read them, see the header.
 */


#include "learn/clipper_policy_state.h"
#include <math.h>


/* a smaller fraction of the rounds says nothing about a member */
#define CLIPPER_POLICY_COVER_MIN  1e-9


static void clipper_policy_state_time(double *state, const double *delta,
    size_t size);
static void clipper_policy_state_scale(double *state, size_t size,
    double factor);
static double clipper_policy_state_growth(const double *state);
static double clipper_policy_state_eta(const clipper_policy_sums_t *sums,
    uint64_t up, double rounds);
static double clipper_policy_state_mean(double eta, uint64_t up, ngx_uint_t n,
    const double *loss, const double *cover);


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


/*
 * While there are few rounds a larger eta is due, of the order of sqrt(ln k /
 * n), which needs no knowledge of how many there will be (N. Cesa-Bianchi, G.
 * Lugosi: Prediction, Learning, and Games, 2006, 2.3); in the long run it is
 * what was configured.
 */

static double
clipper_policy_state_eta(const clipper_policy_sums_t *sums, uint64_t up,
    double rounds)
{
    double  few;

    few = (rounds > 0)
          ? sums->haste * log(__builtin_popcountll(up)) / rounds
          : 0;

    return sqrt(sums->eta * sums->eta + few);
}


/*
 * The softmax of -eta times the sums of losses, with a fixed share of it,
 * (1 - alpha) p + alpha / k.
 */

void
clipper_policy_state_shares(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, double rounds, double *p, double *more)
{
    double      eta, k, last, least, sum;
    ngx_uint_t  i;

    k = __builtin_popcountll(up) + (more ? 1 : 0);
    eta = clipper_policy_state_eta(sums, up, rounds);

    /* the least is subtracted, so that they cannot all underflow */

    least = more ? *more : INFINITY;

    for (i = 0; i < n; i++) {
        if ((up & ((uint64_t) 1 << i)) && p[i] < least) {
            least = p[i];
        }
    }

    last = more ? exp(-eta * (*more - least)) : 0;
    sum = last;

    for (i = 0; i < n; i++) {
        p[i] = (up & ((uint64_t) 1 << i)) ? exp(-eta * (p[i] - least)) : 0;
        sum += p[i];
    }

    for (i = 0; i < n; i++) {
        if (up & ((uint64_t) 1 << i)) {
            p[i] = (1 - sums->alpha) * p[i] / sum + sums->alpha / k;
        }
    }

    if (more) {
        *more = (1 - sums->alpha) * last / sum + sums->alpha / k;
    }
}


/*
 * The sums of losses, each standing for all the rounds there were.  A member
 * that is new, was without a replica, or was never on time has no losses for
 * some of them; nothing known must not look like nothing lost, so for those
 * rounds it gets what a member of mean weight has.  Gives the rounds.
 */

double
clipper_policy_state_losses(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, ngx_uint_t nfields, const double *rows, double *loss)
{
    double      cover[CLIPPER_POLICY_MEMBERS], mean, rounds;
    ngx_uint_t  i, full;

    if (rows == NULL) {
        ngx_memzero(loss, n * sizeof(double));
        return 0;
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
        return rounds;
    }

    mean = clipper_policy_state_mean(clipper_policy_state_eta(sums, up, rounds),
                                     up, n, loss, cover);

    for (i = 0; i < n; i++) {
        loss[i] += (1 - cover[i]) * mean;
    }

    return rounds;
}


/* the sum of losses whose weight is the mean weight of the known members */

static double
clipper_policy_state_mean(double eta, uint64_t up, ngx_uint_t n,
    const double *loss, const double *cover)
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

        weight += cover[i] * exp(-eta * (loss[i] / cover[i] - min));
        total += cover[i];
    }

    return min - log(weight / total) / eta;
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

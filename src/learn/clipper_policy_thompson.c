
/*
 * Thompson sampling: the member with the largest draw from Beta(a, b) serves, a
 * = 1 + the decayed sum of 1 - L, b = 1 + that of L (D. Russo et al.: A
 * Tutorial on Thompson Sampling, 2018, 6.3 for what changes; fractional losses
 * as in S. Agrawal, N. Goyal: Analysis of Thompson Sampling, COLT 2012, but
 * without their coin: the parts of a loss are counted, which teaches the same
 * mean with less noise).  A user's own a and b start at kappa times the
 * application's mean once the user has given feedback.
 *
 * The propensity is an integral, so select() leaves it out; weights() returns
 * it for each member, for logs.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_thompson_best.h"
#include "learn/clipper_policy_draw.h"
#include <math.h>


enum {
    CLIPPER_POLICY_THOMPSON_KAPPA = 0,
    CLIPPER_POLICY_THOMPSON_HALF_LIFE,
    CLIPPER_POLICY_THOMPSON_FLOOR
};

enum {
    CLIPPER_POLICY_THOMPSON_WIN = 0,
    CLIPPER_POLICY_THOMPSON_LOSS
};


typedef struct {
    uint64_t    state;                          /* of mix() */
    double      spare;                          /* second of a pair */
    unsigned    spared:1;
} clipper_policy_normal_t;


static const clipper_policy_param_t
    clipper_policy_thompson_params[] =
{
    { ngx_string("kappa"), CLIPPER_POLICY_NUMBER,
      4, 0, 1e6, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      86400, 0, 1e9, 1, 600 },
    { ngx_string("floor"), CLIPPER_POLICY_NUMBER,
      0, 0, 0.1, 0, 0 },
    { ngx_null_string, 0, 0, 0, 0, 0, 0 }
};


/*
 * A user asks tens of times, not thousands: draws near the mean pay, as if
 * there had been more feedbacks (O. Chapelle, L. Li: An Empirical Evaluation of
 * Thompson Sampling, NIPS 2011, 3, "posterior reshaping").
 */
#define CLIPPER_POLICY_THOMPSON_SHARP  3

/*
 * A sum that has changed by less than this part of its square root moves the
 * mean of its Beta variable by less than twice as many standard deviations: the
 * integral is no more exact than that.
 */
#define CLIPPER_POLICY_THOMPSON_NEAR  1e-3


/* whether the user has given feedback */

static ngx_uint_t
clipper_policy_thompson_own(const clipper_policy_view_t *view)
{
    ngx_uint_t  i;

    for (i = 0; view->user && i < 2 * view->n; i++) {
        if (view->user[i] > 0) {
            return 1;
        }
    }

    return 0;
}


static clipper_policy_beta_t
clipper_policy_thompson_beta(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, ngx_uint_t own, ngx_uint_t i)
{
    double                 kappa, mean;
    const double          *row;
    clipper_policy_beta_t  beta;

    beta.a = 1;
    beta.b = 1;

    if (view->app) {
        row = view->app + 2 * i;
        beta.a += row[CLIPPER_POLICY_THOMPSON_WIN];
        beta.b += row[CLIPPER_POLICY_THOMPSON_LOSS];
    }

    if (own) {
        row = view->user + 2 * i;
        kappa = conf->param[CLIPPER_POLICY_THOMPSON_KAPPA];
        mean = beta.a / (beta.a + beta.b);

        beta.a = CLIPPER_POLICY_THOMPSON_SHARP
                 * (kappa * mean + row[CLIPPER_POLICY_THOMPSON_WIN]);
        beta.b = CLIPPER_POLICY_THOMPSON_SHARP
                 * (kappa * (1 - mean) + row[CLIPPER_POLICY_THOMPSON_LOSS]);
    }

    return beta;
}


/* the polar method (G. Marsaglia, T. Bray, 1964) */

static double
clipper_policy_thompson_normal(clipper_policy_normal_t *r)
{
    double  s, x, y;

    if (r->spared) {
        r->spared = 0;
        return r->spare;
    }

    do {
        x = 2 * clipper_policy_draw_uniform(
                    clipper_policy_draw_mix(&r->state)) - 1;
        y = 2 * clipper_policy_draw_uniform(
                    clipper_policy_draw_mix(&r->state)) - 1;
        s = x * x + y * y;
    } while (s >= 1 || s == 0);

    s = sqrt(-2 * log(s) / s);

    r->spare = y * s;
    r->spared = 1;

    return x * s;
}


/*
 * ln of a Gamma(shape) variable (G. Marsaglia, W. Tsang: A simple method for
 * generating gamma variables, 2000); for a small shape the variable may be far
 * below the least double.
 */

static double
clipper_policy_thompson_gamma(clipper_policy_normal_t *r, double shape)
{
    double  boost, c, d, u, v, x;

    boost = 0;

    if (shape < 1) {
        u = 1 - clipper_policy_draw_uniform(
                    clipper_policy_draw_mix(&r->state));
        boost = log(u) / shape;
        shape += 1;
    }

    d = shape - 1.0 / 3;
    c = 1 / sqrt(9 * d);

    for ( ;; ) {
        x = clipper_policy_thompson_normal(r);
        v = 1 + c * x;

        if (v <= 0) {
            continue;
        }

        v = v * v * v;
        u = 1 - clipper_policy_draw_uniform(
                    clipper_policy_draw_mix(&r->state));

        if (u < 1 - 0.0331 * x * x * x * x
            || log(u) < x * x / 2 + d * (1 - v + log(v)))
        {
            return log(d * v) + boost;
        }
    }
}


/* Beta is X / (X + Y) of two Gamma: the largest has the largest ln X - ln Y */

static void
clipper_policy_thompson_select(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, uint64_t u, clipper_policy_pick_t *pick)
{
    double                   best, floor, theta;
    ngx_uint_t               i, own;
    clipper_policy_beta_t    beta;
    clipper_policy_normal_t  random;

    floor = conf->param[CLIPPER_POLICY_THOMPSON_FLOOR];

    if (floor > 0
        && clipper_policy_draw_by_floor(view, floor,
                     clipper_policy_draw_uniform(clipper_policy_draw_mix(&u)),
                     pick))
    {
        pick->propensity = CLIPPER_POLICY_NONE;
        return;
    }

    random.state = u;
    random.spared = 0;
    best = -INFINITY;
    own = clipper_policy_thompson_own(view);

    for (i = 0; i < view->n; i++) {
        if (!(view->up & ((uint64_t) 1 << i))) {
            continue;
        }

        beta = clipper_policy_thompson_beta(conf, view, own, i);

        theta = clipper_policy_thompson_gamma(&random, beta.a);
        theta -= clipper_policy_thompson_gamma(&random, beta.b);

        if (theta > best) {
            best = theta;
            pick->serve = i;
        }
    }

    pick->propensity = CLIPPER_POLICY_NONE;
}


static ngx_uint_t
clipper_policy_thompson_near(double x, double y)
{
    return fabs(x - y) <= CLIPPER_POLICY_THOMPSON_NEAR * sqrt(x);
}


/* the last result for as long as time has not changed much; fills the memo */

static const double *
clipper_policy_thompson_best_of(const clipper_policy_beta_t *beta,
    ngx_uint_t n, clipper_policy_memo_t *memo)
{
    ngx_uint_t  i;

    for (i = 0; memo->n == n && i < n; i++) {
        if (!clipper_policy_thompson_near(memo->in[i][0], beta[i].a)
            || !clipper_policy_thompson_near(memo->in[i][1], beta[i].b))
        {
            memo->n = 0;
        }
    }

    if (memo->n == n) {
        return memo->out;
    }

    memo->n = n;

    for (i = 0; i < n; i++) {
        memo->in[i][0] = beta[i].a;
        memo->in[i][1] = beta[i].b;
    }

    clipper_policy_thompson_best(beta, n, memo->out);

    return memo->out;
}


static void
clipper_policy_thompson_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    const double          *p;
    ngx_uint_t             i, k, own;
    clipper_policy_memo_t  memo;
    clipper_policy_beta_t  beta[CLIPPER_POLICY_MEMBERS];

    k = 0;
    own = clipper_policy_thompson_own(view);

    for (i = 0; i < view->n; i++) {
        if (view->up & ((uint64_t) 1 << i)) {
            beta[k++] = clipper_policy_thompson_beta(conf, view, own, i);
        }
    }

    memo.n = 0;
    p = clipper_policy_thompson_best_of(beta, k,
                                        view->memo ? view->memo : &memo);
    k = 0;

    for (i = 0; i < view->n; i++) {
        weights[i] = (view->up & ((uint64_t) 1 << i)) ? p[k++] : 0;
    }

    clipper_policy_draw_floor(view, conf->param[CLIPPER_POLICY_THOMPSON_FLOOR],
                              weights);
}


/* NGX_DECLINED: no member was drawn */

static ngx_int_t
clipper_policy_thompson_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double  *row;

    if (fb->served == CLIPPER_POLICY_ALL) {
        return NGX_DECLINED;
    }

    row = rows + 2 * fb->served;
    row[CLIPPER_POLICY_THOMPSON_WIN] = 1 - fb->loss[fb->served];
    row[CLIPPER_POLICY_THOMPSON_LOSS] = fb->loss[fb->served];

    return NGX_OK;
}


const clipper_policy_t  clipper_policy_thompson = {
    .name = ngx_string("thompson"),
    .links = 2,
    .flags = CLIPPER_POLICY_SLOW,
    .nfields = 2,
    .fields = { "win", "loss" },
    .params = clipper_policy_thompson_params,
    .weights = clipper_policy_thompson_weights,
    .select = clipper_policy_thompson_select,
    .observe = clipper_policy_thompson_observe
};

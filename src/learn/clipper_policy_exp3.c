
/*
 * Exp3-IX: one member is asked, drawn from exp(-eta S), where S is the decayed
 * sum of estimated losses L / (p + gamma), gamma = eta / 2, of the member that
 * was served, with the p it was served with (G. Neu: Explore no more, NIPS
 * 2015).  A fixed share alpha keeps every member alive (P. Auer, N.
 * Cesa-Bianchi, Y. Freund, R. Schapire: The nonstochastic multiarmed bandit
 * problem, 2002).  It replaces Clipper's Exp3 (NSDI 2017, 5.1), whose weights
 * are products, so they underflow and depend on the order.
 *
 * A user gives few feedbacks, and estimates divided by p vary too much to learn
 * from twenty of them.  So a user's sums are mean losses times rounds, of the
 * user's feedbacks and of the application's, which count as kappa at most.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy_sums.h"


enum {
    CLIPPER_POLICY_EXP3_ETA = 0,
    CLIPPER_POLICY_EXP3_ALPHA,
    CLIPPER_POLICY_EXP3_KAPPA,
    CLIPPER_POLICY_EXP3_HALF_LIFE,
    CLIPPER_POLICY_EXP3_FLOOR
};

enum {
    CLIPPER_POLICY_EXP3_COUNT = 0,              /* first, for state_counts() */
    CLIPPER_POLICY_EXP3_LOST,
    CLIPPER_POLICY_EXP3_ROUNDS,                 /* the member could be drawn */
    CLIPPER_POLICY_EXP3_LOSS,                   /* estimated */
    CLIPPER_POLICY_EXP3_FIELDS
};


/* the best of the powers of two in simulations of users with few feedbacks */
#define CLIPPER_POLICY_EXP3_HASTE  16


static const clipper_policy_param_t
    clipper_policy_exp3_params[] =
{
    { ngx_string("eta"), CLIPPER_POLICY_NUMBER,
      0.1, 0, 10, 1, 0 },
    { ngx_string("alpha"), CLIPPER_POLICY_NUMBER,
      0.03, 0, 1, 0, 0 },
    { ngx_string("kappa"), CLIPPER_POLICY_NUMBER,
      5, 0, 1e6, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      86400, 0, 1e9, 1, 1000 },
    { ngx_string("floor"), CLIPPER_POLICY_NUMBER,
      0, 0, 0.1, 0, 0 },
    { ngx_null_string, 0, 0, 0, 0, 0, 0 }
};


/* the user's sums and rounds; 0: the user has given no feedback */

static double
clipper_policy_exp3_personal(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *loss)
{
    double                   kappa, own, rounds;
    ngx_uint_t               i;
    clipper_policy_counts_t  counts;

    if (view->user == NULL) {
        return 0;
    }

    kappa = conf->param[CLIPPER_POLICY_EXP3_KAPPA];
    rounds = 0;
    own = 0;

    for (i = 0; i < view->n; i++) {
        clipper_policy_state_counts(conf->policy, view, kappa, i, &counts);

        own += view->user[i * CLIPPER_POLICY_EXP3_FIELDS
                          + CLIPPER_POLICY_EXP3_COUNT];
        rounds += counts.count;
        loss[i] = (counts.count > 0) ? counts.loss / counts.count : 0;
    }

    for (i = 0; i < view->n; i++) {
        loss[i] *= rounds;
    }

    return (own > 0) ? rounds : 0;
}


static void
clipper_policy_exp3_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    double                 rounds;
    clipper_policy_sums_t  sums;

    sums.eta = conf->param[CLIPPER_POLICY_EXP3_ETA];
    sums.haste = CLIPPER_POLICY_EXP3_HASTE;
    sums.alpha = conf->param[CLIPPER_POLICY_EXP3_ALPHA];
    sums.rounds = CLIPPER_POLICY_EXP3_ROUNDS;
    sums.cover = CLIPPER_POLICY_EXP3_ROUNDS;
    sums.loss = CLIPPER_POLICY_EXP3_LOSS;

    rounds = clipper_policy_exp3_personal(conf, view, weights);

    if (rounds == 0) {
        rounds = clipper_policy_sums_losses(&sums, view->up, view->n,
                                            CLIPPER_POLICY_EXP3_FIELDS,
                                            view->app, weights);
    }

    clipper_policy_sums_shares(&sums, view->up, view->n, rounds, weights,
                               NULL);
    clipper_policy_draw_floor(view, conf->param[CLIPPER_POLICY_EXP3_FLOOR],
                              weights);
}


/* NGX_DECLINED: no member was drawn with a known probability */

static ngx_int_t
clipper_policy_exp3_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double      gamma, *row;
    ngx_uint_t  i;

    /* NaN is not a propensity either */

    if (fb->served == CLIPPER_POLICY_ALL
        || !(fb->propensity > 0 && fb->propensity <= 1))
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < view->n; i++) {
        if (fb->up & ((uint64_t) 1 << i)) {
            rows[i * CLIPPER_POLICY_EXP3_FIELDS
                 + CLIPPER_POLICY_EXP3_ROUNDS] = 1;
        }
    }

    gamma = conf->param[CLIPPER_POLICY_EXP3_ETA] / 2;
    row = rows + fb->served * CLIPPER_POLICY_EXP3_FIELDS;

    row[CLIPPER_POLICY_EXP3_COUNT] = 1;
    row[CLIPPER_POLICY_EXP3_LOST] = fb->loss[fb->served];
    row[CLIPPER_POLICY_EXP3_LOSS] =
                            fb->loss[fb->served] / (fb->propensity + gamma);

    return NGX_OK;
}


const clipper_policy_t  clipper_policy_exp3 = {
    .name = ngx_string("exp3"),
    .links = 2,
    .nfields = CLIPPER_POLICY_EXP3_FIELDS,
    .fields = { "count", "lost", "rounds", "loss" },
    .params = clipper_policy_exp3_params,
    .weights = clipper_policy_exp3_weights,
    .observe = clipper_policy_exp3_observe
};

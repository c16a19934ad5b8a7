
/*
 * Exp3-IX: one member is asked, drawn from exp(-eta S), where S is the decayed
 * sum of estimated losses L / (p + gamma), gamma = eta / 2, of the member that
 * was served, with the p it was served with (G. Neu: Explore no more, NIPS
 * 2015).  A fixed share alpha keeps every member alive (P. Auer, N.
 * Cesa-Bianchi, Y. Freund, R. Schapire: The nonstochastic multiarmed bandit
 * problem, 2002).  In place of Clipper's Exp3 (NSDI 2017, 5.1), whose weights
 * are multiplied, so that they underflow and depend on the order.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"


enum {
    CLIPPER_POLICY_EXP3_ETA = 0,
    CLIPPER_POLICY_EXP3_ALPHA
};

enum {
    CLIPPER_POLICY_EXP3_ROUNDS = 0,             /* the member could be drawn */
    CLIPPER_POLICY_EXP3_LOSS
};


static const clipper_policy_param_t
    clipper_policy_exp3_params[] =
{
    { ngx_string("eta"), CLIPPER_POLICY_NUMBER,
      0.1, 0, 10, 1 },
    { ngx_string("alpha"), CLIPPER_POLICY_NUMBER,
      0.03, 0, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      3600, 0, 1e9, 1 },
    { ngx_null_string, 0, 0, 0, 0, 0 }
};


static void
clipper_policy_exp3_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    clipper_policy_sums_t  sums;

    sums.eta = conf->param[CLIPPER_POLICY_EXP3_ETA];
    sums.alpha = conf->param[CLIPPER_POLICY_EXP3_ALPHA];
    sums.rounds = CLIPPER_POLICY_EXP3_ROUNDS;
    sums.cover = CLIPPER_POLICY_EXP3_ROUNDS;
    sums.loss = CLIPPER_POLICY_EXP3_LOSS;

    clipper_policy_state_shares(conf, view, &sums, weights);
}


static ngx_int_t
clipper_policy_exp3_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double      gamma;
    ngx_uint_t  i;

    /* NaN is no propensity either */

    if (fb->served == CLIPPER_POLICY_ALL
        || !(fb->propensity > 0 && fb->propensity <= 1))
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < view->n; i++) {
        if (fb->up & ((uint64_t) 1 << i)) {
            rows[2 * i + CLIPPER_POLICY_EXP3_ROUNDS] = 1;
        }
    }

    gamma = conf->param[CLIPPER_POLICY_EXP3_ETA] / 2;

    rows[2 * fb->served + CLIPPER_POLICY_EXP3_LOSS] =
                            fb->loss[fb->served] / (fb->propensity + gamma);

    return NGX_OK;
}


const clipper_policy_t  clipper_policy_exp3 = {
    .name = ngx_string("exp3"),
    .links = 2,
    .nfields = 2,
    .fields = { "rounds", "loss" },
    .params = clipper_policy_exp3_params,
    .weights = clipper_policy_exp3_weights,
    .observe = clipper_policy_exp3_observe
};

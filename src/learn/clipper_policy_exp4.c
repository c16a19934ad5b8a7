
/*
 * Exp4, Clipper's ensemble (NSDI 2017, 5.2): all members are asked, answers
 * weigh exp(-eta S).  Every loss is seen, so there is nothing to divide by a
 * probability of being drawn: it is Hedge (Y. Freund, R. Schapire, 1997) on
 * decayed sums S, with a fixed share alpha (M. Herbster, M. Warmuth, 1998).
 *
 * A member that missed the deadline has no loss to be seen.  So that slowness
 * does not look like quality, each loss that is seen weighs 1 / pi, pi being
 * the member's decayed share of rounds in which it was seen; and rounds that
 * even so have no losses (a member that is new, or never on time) count as
 * those of a member of mean weight.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"


enum {
    CLIPPER_POLICY_EXP4_ETA = 0,
    CLIPPER_POLICY_EXP4_ALPHA
};

enum {
    CLIPPER_POLICY_EXP4_ROUNDS = 0,             /* it was asked */
    CLIPPER_POLICY_EXP4_SEEN,                   /* and was on time */
    CLIPPER_POLICY_EXP4_COVER,                  /* those, each 1 / pi */
    CLIPPER_POLICY_EXP4_LOSS,
    CLIPPER_POLICY_EXP4_FIELDS
};

/* one answer of a member that is hardly ever on time says no more than this */
#define CLIPPER_POLICY_EXP4_PI_MIN  0.05


/* every feedback judges all members, so fewer are needed than by a bandit */

static const clipper_policy_param_t
    clipper_policy_exp4_params[] =
{
    { ngx_string("eta"), CLIPPER_POLICY_NUMBER,
      0.1, 0, 10, 1 },
    { ngx_string("alpha"), CLIPPER_POLICY_NUMBER,
      0.02, 0, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      900, 0, 1e9, 1 },
    { ngx_null_string, 0, 0, 0, 0, 0 }
};


static void
clipper_policy_exp4_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    clipper_policy_sums_t  sums;

    sums.eta = conf->param[CLIPPER_POLICY_EXP4_ETA];
    sums.alpha = conf->param[CLIPPER_POLICY_EXP4_ALPHA];
    sums.rounds = CLIPPER_POLICY_EXP4_ROUNDS;
    sums.cover = CLIPPER_POLICY_EXP4_COVER;
    sums.loss = CLIPPER_POLICY_EXP4_LOSS;

    clipper_policy_state_shares(conf, view, &sums, weights);
}


/* being on time is the member's doing, not the user's: the application's pi */

static double
clipper_policy_exp4_pi(const clipper_policy_view_t *view, ngx_uint_t i)
{
    double         pi;
    const double  *row;

    if (view->app == NULL) {
        return 1;
    }

    row = view->app + i * CLIPPER_POLICY_EXP4_FIELDS;

    pi = (1 + row[CLIPPER_POLICY_EXP4_SEEN])
         / (1 + row[CLIPPER_POLICY_EXP4_ROUNDS]);

    return ngx_max(ngx_min(pi, 1), CLIPPER_POLICY_EXP4_PI_MIN);
}


static ngx_int_t
clipper_policy_exp4_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double      pi, *row;
    uint64_t    bit;
    ngx_uint_t  i;

    if (fb->up == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        row = rows + i * CLIPPER_POLICY_EXP4_FIELDS;

        if (fb->up & bit) {
            row[CLIPPER_POLICY_EXP4_ROUNDS] = 1;
        }

        if (fb->seen & bit) {
            pi = clipper_policy_exp4_pi(view, i);

            row[CLIPPER_POLICY_EXP4_SEEN] = 1;
            row[CLIPPER_POLICY_EXP4_COVER] = 1 / pi;
            row[CLIPPER_POLICY_EXP4_LOSS] = fb->loss[i] / pi;
        }
    }

    return NGX_OK;
}


const clipper_policy_t  clipper_policy_exp4 = {
    .name = ngx_string("exp4"),
    .links = 2,
    .flags = CLIPPER_POLICY_ASKS,
    .combine = CLIPPER_POLICY_BY_LOSS,
    .nfields = CLIPPER_POLICY_EXP4_FIELDS,
    .fields = { "rounds", "seen", "cover", "loss" },
    .params = clipper_policy_exp4_params,
    .weights = clipper_policy_exp4_weights,
    .observe = clipper_policy_exp4_observe
};

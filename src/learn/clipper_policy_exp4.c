
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


#include "learn/clipper_policy.h"
#include "learn/clipper_policy_state.h"


enum {
    NGX_HTTP_CLIPPER_POLICY_EXP4_ETA = 0,
    NGX_HTTP_CLIPPER_POLICY_EXP4_ALPHA
};

enum {
    NGX_HTTP_CLIPPER_POLICY_EXP4_ROUNDS = 0,    /* it was asked */
    NGX_HTTP_CLIPPER_POLICY_EXP4_SEEN,          /* and was on time */
    NGX_HTTP_CLIPPER_POLICY_EXP4_COVER,         /* those, each 1 / pi */
    NGX_HTTP_CLIPPER_POLICY_EXP4_LOSS,
    NGX_HTTP_CLIPPER_POLICY_EXP4_FIELDS
};

/* one answer of a member that is hardly ever on time says no more than this */
#define NGX_HTTP_CLIPPER_POLICY_EXP4_PI_MIN  0.05


/* every feedback judges all members, so fewer are needed than by a bandit */

static const ngx_http_clipper_policy_param_t
    ngx_http_clipper_policy_exp4_params[] =
{
    { ngx_string("eta"), NGX_HTTP_CLIPPER_POLICY_NUMBER,
      0.1, 0, 10, 1 },
    { ngx_string("alpha"), NGX_HTTP_CLIPPER_POLICY_NUMBER,
      0.02, 0, 1, 0 },
    { ngx_string("half_life"), NGX_HTTP_CLIPPER_POLICY_HALF_LIFE,
      900, 0, 1e9, 1 },
    { ngx_null_string, 0, 0, 0, 0, 0 }
};


static void
ngx_http_clipper_policy_exp4_weights(
    const ngx_http_clipper_policy_conf_t *conf,
    const ngx_http_clipper_policy_view_t *view, double *weights)
{
    ngx_http_clipper_policy_sums_t  sums;

    sums.eta = conf->param[NGX_HTTP_CLIPPER_POLICY_EXP4_ETA];
    sums.alpha = conf->param[NGX_HTTP_CLIPPER_POLICY_EXP4_ALPHA];
    sums.rounds = NGX_HTTP_CLIPPER_POLICY_EXP4_ROUNDS;
    sums.cover = NGX_HTTP_CLIPPER_POLICY_EXP4_COVER;
    sums.loss = NGX_HTTP_CLIPPER_POLICY_EXP4_LOSS;

    ngx_http_clipper_policy_state_shares(conf, view, &sums, weights);
}


/* being on time is the member's doing, not the user's: the application's pi */

static double
ngx_http_clipper_policy_exp4_pi(const ngx_http_clipper_policy_view_t *view,
    ngx_uint_t i)
{
    double         pi;
    const double  *row;

    if (view->app == NULL) {
        return 1;
    }

    row = view->app + i * NGX_HTTP_CLIPPER_POLICY_EXP4_FIELDS;

    pi = (1 + row[NGX_HTTP_CLIPPER_POLICY_EXP4_SEEN])
         / (1 + row[NGX_HTTP_CLIPPER_POLICY_EXP4_ROUNDS]);

    return ngx_max(ngx_min(pi, 1), NGX_HTTP_CLIPPER_POLICY_EXP4_PI_MIN);
}


static ngx_int_t
ngx_http_clipper_policy_exp4_observe(
    const ngx_http_clipper_policy_conf_t *conf,
    const ngx_http_clipper_policy_view_t *view,
    const ngx_http_clipper_policy_feedback_t *fb, double *rows)
{
    double      pi, *row;
    uint64_t    bit;
    ngx_uint_t  i;

    if (fb->up == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        row = rows + i * NGX_HTTP_CLIPPER_POLICY_EXP4_FIELDS;

        if (fb->up & bit) {
            row[NGX_HTTP_CLIPPER_POLICY_EXP4_ROUNDS] = 1;
        }

        if (fb->seen & bit) {
            pi = ngx_http_clipper_policy_exp4_pi(view, i);

            row[NGX_HTTP_CLIPPER_POLICY_EXP4_SEEN] = 1;
            row[NGX_HTTP_CLIPPER_POLICY_EXP4_COVER] = 1 / pi;
            row[NGX_HTTP_CLIPPER_POLICY_EXP4_LOSS] = fb->loss[i] / pi;
        }
    }

    return NGX_OK;
}


const ngx_http_clipper_policy_t  ngx_http_clipper_policy_exp4 = {
    .name = ngx_string("exp4"),
    .links = 2,
    .flags = NGX_HTTP_CLIPPER_POLICY_ASKS,
    .combine = NGX_HTTP_CLIPPER_POLICY_BY_LOSS,
    .nfields = NGX_HTTP_CLIPPER_POLICY_EXP4_FIELDS,
    .fields = { "rounds", "seen", "cover", "loss" },
    .params = ngx_http_clipper_policy_exp4_params,
    .weights = ngx_http_clipper_policy_exp4_weights,
    .observe = ngx_http_clipper_policy_exp4_observe
};

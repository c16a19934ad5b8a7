
/*
 * Epsilon-greedy: with probability epsilon any member, else the one with the
 * least mean loss (R. Sutton, A. Barto: Reinforcement Learning, 2.2), here of
 * decayed sums.  A member nobody has judged yet counts as without loss, so it
 * is tried; equal ones share what the best one would have.
 */


#include "learn/clipper_policy.h"
#include "learn/clipper_policy_state.h"
#include <math.h>


enum {
    NGX_HTTP_CLIPPER_POLICY_EG_EPSILON = 0,
    NGX_HTTP_CLIPPER_POLICY_EG_KAPPA
};


static const ngx_http_clipper_policy_param_t
    ngx_http_clipper_policy_epsilon_greedy_params[] =
{
    { ngx_string("epsilon"), NGX_HTTP_CLIPPER_POLICY_NUMBER,
      0.1, 0, 1, 0 },
    { ngx_string("kappa"), NGX_HTTP_CLIPPER_POLICY_NUMBER,
      10, 0, 1e6, 1 },
    { ngx_string("half_life"), NGX_HTTP_CLIPPER_POLICY_HALF_LIFE,
      3600, 0, 1e9, 1 },
    { ngx_null_string, 0, 0, 0, 0, 0 }
};


static void
ngx_http_clipper_policy_epsilon_greedy_weights(
    const ngx_http_clipper_policy_conf_t *conf,
    const ngx_http_clipper_policy_view_t *view, double *weights)
{
    double                            epsilon, kappa, least, mean;
    uint64_t                          best, bit;
    ngx_uint_t                        i;
    ngx_http_clipper_policy_counts_t  counts;

    epsilon = conf->param[NGX_HTTP_CLIPPER_POLICY_EG_EPSILON];
    kappa = conf->param[NGX_HTTP_CLIPPER_POLICY_EG_KAPPA];
    least = INFINITY;
    best = 0;

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;

        if (!(view->up & bit)) {
            continue;
        }

        ngx_http_clipper_policy_state_counts(view, kappa, i, &counts);
        mean = (counts.count > 0) ? counts.loss / counts.count : 0;

        if (mean < least) {
            least = mean;
            best = 0;
        }

        if (mean == least) {
            best |= bit;
        }
    }

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        weights[i] = 0;

        if (view->up & bit) {
            weights[i] = epsilon / __builtin_popcountll(view->up);
        }

        if (best & bit) {
            weights[i] += (1 - epsilon) / __builtin_popcountll(best);
        }
    }
}


const ngx_http_clipper_policy_t  ngx_http_clipper_policy_epsilon_greedy = {
    .name = ngx_string("epsilon_greedy"),
    .links = 2,
    .nfields = 2,
    .fields = { "count", "loss" },
    .params = ngx_http_clipper_policy_epsilon_greedy_params,
    .weights = ngx_http_clipper_policy_epsilon_greedy_weights,
    .observe = ngx_http_clipper_policy_state_count
};

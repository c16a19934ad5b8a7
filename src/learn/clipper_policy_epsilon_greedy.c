
/*
 * Epsilon-greedy: with probability epsilon any member, else the one with the
 * least mean loss (R. Sutton, A. Barto: Reinforcement Learning, 2.2), here
 * from decayed sums.  A member without feedback counts as having no loss, so
 * it is tried; equal members share the probability of the best one.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"
#include "learn/clipper_policy_draw.h"
#include <math.h>


enum {
    CLIPPER_POLICY_EG_EPSILON = 0,
    CLIPPER_POLICY_EG_KAPPA,
    CLIPPER_POLICY_EG_HALF_LIFE,
    CLIPPER_POLICY_EG_FLOOR
};


static const clipper_policy_param_t
    clipper_policy_epsilon_greedy_params[] =
{
    { ngx_string("epsilon"), CLIPPER_POLICY_NUMBER,
      0.04, 0, 1, 0, 0 },
    { ngx_string("kappa"), CLIPPER_POLICY_NUMBER,
      10, 0, 1e6, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      86400, 0, 1e9, 1, 300 },
    { ngx_string("floor"), CLIPPER_POLICY_NUMBER,
      0, 0, 0.1, 0, 0 },
    { ngx_null_string, 0, 0, 0, 0, 0, 0 }
};


static void
clipper_policy_epsilon_greedy_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    double                   epsilon, kappa, least, mean;
    uint64_t                 best, bit;
    ngx_uint_t               i;
    clipper_policy_counts_t  counts;

    epsilon = conf->param[CLIPPER_POLICY_EG_EPSILON];
    kappa = conf->param[CLIPPER_POLICY_EG_KAPPA];
    least = INFINITY;
    best = 0;

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;

        if (!(view->up & bit)) {
            continue;
        }

        clipper_policy_state_counts(conf->policy, view, kappa, i, &counts);
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

    clipper_policy_draw_floor(view, conf->param[CLIPPER_POLICY_EG_FLOOR],
                              weights);
}


const clipper_policy_t  clipper_policy_epsilon_greedy = {
    .name = ngx_string("epsilon_greedy"),
    .links = 2,
    .nfields = 2,
    .fields = { "count", "loss" },
    .params = clipper_policy_epsilon_greedy_params,
    .weights = clipper_policy_epsilon_greedy_weights,
    .observe = clipper_policy_state_count
};

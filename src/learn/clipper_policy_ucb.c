
/*
 * UCB for losses: the member with the least lower bound of its mean loss,
 *
 *     mean - sqrt(min(1/4, mean (1 - mean) + sqrt(2 ln t / n)) ln t / n),
 *
 * where t is the sum of all n: UCB1-Tuned (P. Auer, N. Cesa-Bianchi, P.
 * Fischer: Finite-time Analysis of the Multiarmed Bandit Problem, 2002, 4),
 * which knows that a loss between 0 and 1 varies by mean (1 - mean) at most;
 * with decayed sums and counts (A. Garivier, E. Moulines: On Upper-Confidence
 * Bound Policies for Switching Bandit Problems, ALT 2011).  The bound of UCB1,
 * sqrt(2 ln t / n), asks bad members eight times as often, which a fading
 * memory has to pay for all the time.
 *
 * A member without a count comes first.  The choice is deterministic:
 * propensity 1, except that equal members are drawn from.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"
#include <math.h>


enum {
    CLIPPER_POLICY_UCB_KAPPA = 0
};


static const clipper_policy_param_t
    clipper_policy_ucb_params[] =
{
    { ngx_string("kappa"), CLIPPER_POLICY_NUMBER,
      10, 0, 1e6, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      86400, 0, 1e9, 1, 600 },
    { ngx_null_string, 0, 0, 0, 0, 0, 0 }
};


static double
clipper_policy_ucb_bound(const clipper_policy_counts_t *counts, double ln_t)
{
    double  mean, variance;

    if (counts->count <= 0) {
        return -INFINITY;
    }

    mean = counts->loss / counts->count;
    variance = mean * (1 - mean) + sqrt(2 * ln_t / counts->count);

    return mean - sqrt(ngx_min(variance, 0.25) * ln_t / counts->count);
}


static void
clipper_policy_ucb_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    double                   bound, least, ln_t, t;
    uint64_t                 best, bit;
    ngx_uint_t               i;
    clipper_policy_counts_t  counts[CLIPPER_POLICY_MEMBERS];

    t = 0;

    for (i = 0; i < view->n; i++) {
        if (view->up & ((uint64_t) 1 << i)) {
            clipper_policy_state_counts(conf->policy, view,
                                        conf->param[CLIPPER_POLICY_UCB_KAPPA],
                                        i, &counts[i]);
            t += counts[i].count;
        }
    }

    ln_t = (t > 1) ? log(t) : 0;
    least = INFINITY;
    best = 0;

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        weights[i] = 0;

        if (!(view->up & bit)) {
            continue;
        }

        bound = clipper_policy_ucb_bound(&counts[i], ln_t);

        if (bound < least) {
            least = bound;
            best = 0;
        }

        if (bound == least) {
            best |= bit;
        }
    }

    for (i = 0; i < view->n; i++) {
        if (best & ((uint64_t) 1 << i)) {
            weights[i] = 1.0 / __builtin_popcountll(best);
        }
    }
}


const clipper_policy_t  clipper_policy_ucb = {
    .name = ngx_string("ucb"),
    .links = 2,
    .nfields = 2,
    .fields = { "count", "loss" },
    .params = clipper_policy_ucb_params,
    .weights = clipper_policy_ucb_weights,
    .observe = clipper_policy_state_count
};

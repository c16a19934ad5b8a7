
/*
 * First: the first linked member that has a replica.  No state, feedback is
 * ignored.  It is the only policy of the original Clipper.
 */


#include "learn/clipper_policy_table.h"


static void
clipper_policy_first_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    ngx_memzero(weights, view->n * sizeof(double));

    weights[__builtin_ctzll(view->up)] = 1;
}


const clipper_policy_t  clipper_policy_first = {
    .name = ngx_string("first"),
    .links = 1,
    .weights = clipper_policy_first_weights
};

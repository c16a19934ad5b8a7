
/*
 * Mean: all members are asked, the mean of their answers with the links'
 * weights is served, of arrays that of each element.  No state, feedback is
 * ignored.
 */


#include "learn/clipper_policy_table.h"


const clipper_policy_t  clipper_policy_mean = {
    .name = ngx_string("mean"),
    .links = 2,
    .flags = CLIPPER_POLICY_WEIGHTED,
    .combine = CLIPPER_POLICY_MEAN,
    .weights = clipper_policy_link_weights
};


/*
 * Majority: all members are asked, the answer that most of the links' weight
 * agrees on is served.  No state, feedback is ignored.
 */


#include "learn/clipper_policy_table.h"


const clipper_policy_t  clipper_policy_majority = {
    .name = ngx_string("majority"),
    .links = 2,
    .flags = CLIPPER_POLICY_WEIGHTED,
    .combine = CLIPPER_POLICY_VOTE,
    .weights = clipper_policy_link_weights
};

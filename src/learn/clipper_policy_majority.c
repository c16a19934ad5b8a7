
/*
 * Majority: asks all members; the answer with the most weight of links wins.
 * No state, feedback is ignored.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_draw.h"


const clipper_policy_t  clipper_policy_majority = {
    .name = ngx_string("majority"),
    .links = 2,
    .flags = CLIPPER_POLICY_WEIGHTED,
    .combine = CLIPPER_POLICY_VOTE,
    .weights = clipper_policy_draw_links
};

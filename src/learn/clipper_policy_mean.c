
/*
 * Mean: asks all members and answers with the mean weighted by the links, for
 * arrays element by element.  No state, feedback is ignored.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_draw.h"


const clipper_policy_t  clipper_policy_mean = {
    .name = ngx_string("mean"),
    .links = 2,
    .flags = CLIPPER_POLICY_WEIGHTED,
    .combine = CLIPPER_POLICY_MEAN,
    .weights = clipper_policy_draw_links
};

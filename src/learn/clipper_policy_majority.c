
/*
 * Majority: all members are asked, the answer that most of the links' weight
 * agrees on is served.  No state, feedback is ignored.
 */


#include "learn/clipper_policy.h"


const ngx_http_clipper_policy_t  ngx_http_clipper_policy_majority = {
    .name = ngx_string("majority"),
    .links = 2,
    .flags = NGX_HTTP_CLIPPER_POLICY_WEIGHTED,
    .combine = NGX_HTTP_CLIPPER_POLICY_VOTE,
    .weights = ngx_http_clipper_policy_link_weights
};

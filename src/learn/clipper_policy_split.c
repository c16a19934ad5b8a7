
/*
 * Split: members are served in proportion to the weights of their links
 * (canary, A/B test).  No state, feedback is ignored.
 *
 * With a user the choice is sticky, by weighted rendezvous hashing (C.
 * Schindelhauer, G. Schomaker: Weighted Distributed Hash Tables, SPAA 2005):
 * every member draws -ln(h) / weight from the hash h of user and member, and
 * the least one serves.  A user changes to another member only if its own has
 * no replica, or if a weight changes, and then no more users move than the new
 * weights require.  The propensity is over users: the share of the member.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_draw.h"
#include <math.h>


static double
clipper_policy_split_score(const clipper_policy_view_t *view, ngx_uint_t i)
{
    uint64_t  hash;

    hash = view->key ? view->key[i] : i;
    hash = view->uid ^ clipper_policy_draw_mix(&hash);
    hash = clipper_policy_draw_mix(&hash);

    /* 1 - h is in (0,1] */

    return -log(1 - clipper_policy_draw_uniform(hash)) / view->weight[i];
}


static void
clipper_policy_split_select(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, uint64_t u, clipper_policy_pick_t *pick)
{
    double      least, score, weights[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t  i;

    clipper_policy_draw_links(conf, view, weights);

    if (view->uid == 0) {
        clipper_policy_draw(weights, view->n, clipper_policy_draw_uniform(u),
                            pick);
        return;
    }

    least = INFINITY;

    for (i = 0; i < view->n; i++) {
        if (!(view->up & ((uint64_t) 1 << i))) {
            continue;
        }

        score = clipper_policy_split_score(view, i);

        if (score < least) {
            least = score;
            pick->serve = i;
        }
    }

    pick->propensity = weights[pick->serve];
}


const clipper_policy_t  clipper_policy_split = {
    .name = ngx_string("split"),
    .links = 2,
    .flags = CLIPPER_POLICY_WEIGHTED,
    .weights = clipper_policy_draw_links,
    .select = clipper_policy_split_select
};

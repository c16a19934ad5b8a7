
/*
 * For policies that draw one member: shares, a floor, and chance.
 */


#ifndef _CLIPPER_POLICY_DRAW_H_INCLUDED_
#define _CLIPPER_POLICY_DRAW_H_INCLUDED_


#include "learn/clipper_policy_type.h"


/* weights() from the weights of the links alone */
void clipper_policy_draw_links(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights);

/* the member that u in [0,1) selects, with its propensity */
void clipper_policy_draw(const double *weights, ngx_uint_t n, double u,
    clipper_policy_pick_t *pick);

/*
 * Every member that is up gets a probability of at least the floor, or of 1/k
 * with k members up, if that is less.  The first raises weights.  The second is
 * for a choice without weights, by u in [0,1).  1: the pick is set, for the
 * floor; 0: the policy chooses.
 */
void clipper_policy_draw_floor(const clipper_policy_view_t *view, double floor,
    double *weights);
ngx_uint_t clipper_policy_draw_by_floor(const clipper_policy_view_t *view,
    double floor, double u, clipper_policy_pick_t *pick);

/* a double in [0,1) from 64 random bits; the next 64 of a state */
double clipper_policy_draw_uniform(uint64_t u);
uint64_t clipper_policy_draw_mix(uint64_t *state);


#endif /* _CLIPPER_POLICY_DRAW_H_INCLUDED_ */

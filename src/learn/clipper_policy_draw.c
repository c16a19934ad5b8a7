
/*
 * Shares, a floor and chance, see the header.
 */


#include "learn/clipper_policy_draw.h"


/* rounding may leave the sum below u: the last possible member is drawn */

void
clipper_policy_draw(const double *weights, ngx_uint_t n, double u,
    clipper_policy_pick_t *pick)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (weights[i] <= 0) {
            continue;
        }

        pick->serve = i;
        pick->propensity = weights[i];

        if (u < weights[i]) {
            return;
        }

        u -= weights[i];
    }
}


void
clipper_policy_draw_links(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    double      sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < view->n; i++) {
        weights[i] = (view->up & ((uint64_t) 1 << i)) ? view->weight[i] : 0;
        sum += weights[i];
    }

    for (i = 0; i < view->n; i++) {
        weights[i] /= sum;
    }
}


void
clipper_policy_draw_floor(const clipper_policy_view_t *view, double floor,
    double *weights)
{
    double      k;
    ngx_uint_t  i;

    k = __builtin_popcountll(view->up);
    floor = ngx_min(floor, 1 / k);

    for (i = 0; floor > 0 && i < view->n; i++) {
        if (view->up & ((uint64_t) 1 << i)) {
            weights[i] = (1 - k * floor) * weights[i] + floor;
        }
    }
}


ngx_uint_t
clipper_policy_draw_by_floor(const clipper_policy_view_t *view, double floor,
    double u, clipper_policy_pick_t *pick)
{
    double      k;
    ngx_uint_t  i;

    k = __builtin_popcountll(view->up);
    floor = ngx_min(floor, 1 / k);

    for (i = 0; i < view->n; i++) {

        if (!(view->up & ((uint64_t) 1 << i))) {
            continue;
        }

        if (u < floor) {
            pick->serve = i;
            return 1;
        }

        u -= floor;
    }

    return 0;
}


double
clipper_policy_draw_uniform(uint64_t u)
{
    return (u >> 11) * 0x1p-53;
}


/* SplitMix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014) */

uint64_t
clipper_policy_draw_mix(uint64_t *state)
{
    uint64_t  z;

    *state += 0x9e3779b97f4a7c15ULL;

    z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;

    return z ^ (z >> 31);
}


/*
 * The common part of every call: members without a replica are left out, and
 * feedback is checked before a policy sees it.
 */


#include "learn/clipper_policy.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy_state.h"
#include <math.h>


static ngx_int_t clipper_policy_feedback_check(
    const clipper_policy_view_t *view, clipper_policy_feedback_t *fb,
    double *loss);


ngx_int_t
clipper_policy_select(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, uint64_t u, clipper_policy_pick_t *pick)
{
    double                   weights[CLIPPER_POLICY_MEMBERS];
    const clipper_policy_t  *policy;

    if (view->up == 0) {
        return NGX_DECLINED;
    }

    policy = conf->policy;

    pick->serve = __builtin_ctzll(view->up);

    if (policy->combine != CLIPPER_POLICY_SERVE) {
        pick->ask = view->up;
        pick->serve = CLIPPER_POLICY_ALL;
        pick->propensity = CLIPPER_POLICY_NONE;
        return NGX_OK;
    }

    if (policy->select) {
        policy->select(conf, view, u, pick);

    } else {
        policy->weights(conf, view, weights);
        clipper_policy_draw(weights, view->n, clipper_policy_draw_uniform(u),
                            pick);
    }

    pick->ask = (uint64_t) 1 << pick->serve;

    return NGX_OK;
}


void
clipper_policy_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    if (view->up == 0) {
        ngx_memzero(weights, view->n * sizeof(double));
        return;
    }

    conf->policy->weights(conf, view, weights);
}


ngx_int_t
clipper_policy_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view,
    const clipper_policy_feedback_t *feedback, double now, double *delta)
{
    double                     loss[CLIPPER_POLICY_MEMBERS];
    clipper_policy_feedback_t  fb;

    if (conf->policy->observe == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(delta, clipper_policy_state_size(conf->policy, view->n)
                       * sizeof(double));

    delta[CLIPPER_POLICY_T0] = now;
    delta[CLIPPER_POLICY_LAMBDA] = conf->lambda;
    delta[CLIPPER_POLICY_MU] = conf->mu;
    delta[CLIPPER_POLICY_V] = 1;

    fb = *feedback;

    if (clipper_policy_feedback_check(view, &fb, loss) != NGX_OK) {
        return NGX_DECLINED;
    }

    return conf->policy->observe(conf, view, &fb, delta + CLIPPER_POLICY_ROWS);
}


double
clipper_policy_confidence(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_answers_t *answers,
    ngx_uint_t first, double share)
{
    if (conf->policy->confidence == NULL || view->up == 0) {
        return share;
    }

    return conf->policy->confidence(conf, view, answers, first, share);
}


/*
 * Copies the losses, limited to [0,1], and makes the sets consistent.
 * NGX_DECLINED: the loss of what was served is not known.
 */

static ngx_int_t
clipper_policy_feedback_check(const clipper_policy_view_t *view,
    clipper_policy_feedback_t *fb, double *loss)
{
    uint64_t    bit;
    ngx_uint_t  i;

    if (view->n < CLIPPER_POLICY_MEMBERS) {
        fb->up &= ((uint64_t) 1 << view->n) - 1;
    }

    fb->seen &= fb->up;

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        loss[i] = 0;

        if (!(fb->seen & bit)) {
            continue;
        }

        if (isnan(fb->loss[i])) {
            fb->seen &= ~bit;
            continue;
        }

        loss[i] = ngx_min(ngx_max(fb->loss[i], 0), 1);
    }

    fb->loss = loss;

    if (fb->served == CLIPPER_POLICY_ALL) {
        return NGX_OK;
    }

    if (fb->served < 0 || (ngx_uint_t) fb->served >= view->n
        || !(fb->seen & ((uint64_t) 1 << fb->served)))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * The parameters of policies, and the common part of every call:
 * members without a replica are left out, and feedback is checked before a
 * policy sees it.
 */


#include "learn/clipper_policy.h"
#include "learn/clipper_policy_state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>


typedef struct {
    char    unit[3];
    double  seconds;
} clipper_policy_unit_t;


/* in nginx's units; the first match counts */

static const clipper_policy_unit_t  clipper_policy_units[] = {
    { "ms", 0.001 },
    { "s", 1 },
    { "m", 60 },
    { "h", 60 * 60 },
    { "d", 24 * 60 * 60 },
    { "w", 7 * 24 * 60 * 60 },
    { "", 0 }
};


static const clipper_policy_param_t *
    clipper_policy_param_find(const clipper_policy_t *policy,
    const ngx_str_t *name);
static ngx_int_t clipper_policy_param_number(const ngx_str_t *value,
    double *number);
static ngx_int_t clipper_policy_param_time(const ngx_str_t *value,
    double *seconds);
static ngx_int_t clipper_policy_param_half_life(clipper_policy_conf_t *conf,
    const clipper_policy_param_t *param, const ngx_str_t *value, char *err);
static double clipper_policy_param_mu(double feedbacks);
static ngx_int_t clipper_policy_param_check(
    const clipper_policy_param_t *param, double number, char *err);
static ngx_int_t clipper_policy_feedback_check(
    const clipper_policy_view_t *view, clipper_policy_feedback_t *fb,
    double *loss);


void
clipper_policy_conf_init(clipper_policy_conf_t *conf,
    const clipper_policy_t *policy)
{
    ngx_uint_t                     i;
    const clipper_policy_param_t  *param;

    ngx_memzero(conf, sizeof(clipper_policy_conf_t));

    conf->policy = policy;

    for (i = 0; policy->params && policy->params[i].name.len; i++) {
        param = &policy->params[i];
        conf->param[i] = param->value;

        if (param->type == CLIPPER_POLICY_HALF_LIFE) {
            conf->lambda = M_LN2 / param->value;
            conf->mu = clipper_policy_param_mu(param->feedbacks);
        }
    }
}


ngx_int_t
clipper_policy_param_set(clipper_policy_conf_t *conf, const ngx_str_t *name,
    const ngx_str_t *value, char err[CLIPPER_POLICY_ERR_LEN])
{
    double                         number;
    const clipper_policy_param_t  *param;

    param = clipper_policy_param_find(conf->policy, name);

    if (param == NULL) {
        (void) snprintf(err, CLIPPER_POLICY_ERR_LEN,
                        "policy \"%s\" has no parameter \"%.*s\"",
                        (char *) conf->policy->name.data,
                        (int) ngx_min(name->len, 40), (char *) name->data);
        return NGX_ERROR;
    }

    if (param->type == CLIPPER_POLICY_HALF_LIFE) {
        return clipper_policy_param_half_life(conf, param, value, err);
    }

    if (clipper_policy_param_number(value, &number) != NGX_OK) {
        number = NAN;
    }

    if (clipper_policy_param_check(param, number, err) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->param[param - conf->policy->params] = number;

    return NGX_OK;
}


/* `TIME`, `off`, `TIME|FEEDBACKS` or `off|FEEDBACKS` */

static ngx_int_t
clipper_policy_param_half_life(clipper_policy_conf_t *conf,
    const clipper_policy_param_t *param, const ngx_str_t *value, char *err)
{
    double     feedbacks, seconds;
    u_char    *bar;
    ngx_int_t  rc;
    ngx_str_t  time, count;

    time = *value;
    feedbacks = 0;
    seconds = 0;
    rc = NGX_OK;
    bar = value->len ? memchr(value->data, '|', value->len) : NULL;

    if (bar) {
        time.len = bar - value->data;
        count.data = bar + 1;
        count.len = value->len - time.len - 1;

        if (clipper_policy_param_number(&count, &feedbacks) != NGX_OK
            || !(feedbacks >= 1 && feedbacks <= param->max))
        {
            rc = NGX_ERROR;
        }
    }

    if (time.len != 3 || ngx_memcmp(time.data, "off", 3) != 0) {

        if (clipper_policy_param_time(&time, &seconds) != NGX_OK
            || !(seconds > 0 && seconds <= param->max))
        {
            rc = NGX_ERROR;
        }
    }

    if (rc != NGX_OK) {
        (void) snprintf(err, CLIPPER_POLICY_ERR_LEN,
                        "parameter \"%s\" must be in (0, %g] seconds, or "
                        "\"off\", with or without \"|\" and 1 to %g "
                        "feedbacks", (char *) param->name.data, param->max,
                        param->max);
        return NGX_ERROR;
    }

    conf->param[param - conf->policy->params] = seconds;
    conf->lambda = (seconds > 0) ? M_LN2 / seconds : 0;
    conf->mu = clipper_policy_param_mu(feedbacks);

    return NGX_OK;
}


static double
clipper_policy_param_mu(double feedbacks)
{
    return (feedbacks > 0) ? expm1(M_LN2 / feedbacks) : 0;
}


static const clipper_policy_param_t *
clipper_policy_param_find(const clipper_policy_t *policy,
    const ngx_str_t *name)
{
    const clipper_policy_param_t  *param;

    for (param = policy->params; param && param->name.len; param++) {
        if (param->name.len == name->len
            && ngx_memcmp(param->name.data, name->data, name->len) == 0)
        {
            return param;
        }
    }

    return NULL;
}


/* a decimal number; unlike strtod() no hexadecimals, no "nan" */

static ngx_int_t
clipper_policy_param_number(const ngx_str_t *value, double *number)
{
    char    buf[32], *end;
    size_t  i;

    if (value->len == 0 || value->len >= sizeof(buf)) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        buf[i] = value->data[i];

        if ((buf[i] < '0' || buf[i] > '9') && buf[i] != '.' && buf[i] != 'e'
            && buf[i] != '-')
        {
            return NGX_ERROR;
        }
    }

    buf[i] = '\0';

    *number = strtod(buf, &end);

    return (*end == '\0') ? NGX_OK : NGX_ERROR;
}


/* like nginx's times: `90`, `90s`, `1h30m`; seconds without a unit */

static ngx_int_t
clipper_policy_param_time(const ngx_str_t *value, double *seconds)
{
    size_t                        len;
    double                        number;
    ngx_uint_t                    digits;
    u_char                       *p, *last;
    const clipper_policy_unit_t  *unit;

    p = value->data;
    last = p + value->len;
    *seconds = 0;

    do {
        number = 0;

        for (digits = 0; p < last && *p >= '0' && *p <= '9'; digits++) {
            number = number * 10 + (*p++ - '0');
        }

        if (digits == 0) {
            return NGX_ERROR;
        }

        if (p == last) {
            *seconds += number;
            break;
        }

        for (unit = clipper_policy_units; unit->seconds > 0; unit++) {
            len = ngx_strlen(unit->unit);

            if ((size_t) (last - p) >= len
                && ngx_memcmp(p, unit->unit, len) == 0)
            {
                break;
            }
        }

        if (unit->seconds == 0) {
            return NGX_ERROR;
        }

        *seconds += number * unit->seconds;
        p += ngx_strlen(unit->unit);

    } while (p < last);

    return NGX_OK;
}


static ngx_int_t
clipper_policy_param_check(const clipper_policy_param_t *param, double number,
    char *err)
{
    /* NaN fails every comparison */

    if ((param->open ? number > param->min : number >= param->min)
        && number <= param->max)
    {
        return NGX_OK;
    }

    (void) snprintf(err, CLIPPER_POLICY_ERR_LEN,
                    "parameter \"%s\" must be in %c%g, %g]",
                    (char *) param->name.data, param->open ? '(' : '[',
                    param->min, param->max);

    return NGX_ERROR;
}


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
        clipper_policy_draw(weights, view->n, clipper_policy_uniform(u), pick);
    }

    pick->ask = (uint64_t) 1 << pick->serve;

    return NGX_OK;
}


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


/* copies the losses, limited to [0,1], and makes the sets consistent */

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


void
clipper_policy_link_weights(const clipper_policy_conf_t *conf,
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
clipper_policy_floor(const clipper_policy_view_t *view, double floor,
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
clipper_policy_floor_draw(const clipper_policy_view_t *view, double floor,
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
clipper_policy_uniform(uint64_t u)
{
    return (u >> 11) * 0x1p-53;
}


/* SplitMix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014) */

uint64_t
clipper_policy_mix(uint64_t *state)
{
    uint64_t  z;

    *state += 0x9e3779b97f4a7c15ULL;

    z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;

    return z ^ (z >> 31);
}

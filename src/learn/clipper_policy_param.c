
/*
 * The parameters of policies, see the header.
 */


#include "learn/clipper_policy_param.h"
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


void
clipper_policy_param_init(clipper_policy_conf_t *conf,
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

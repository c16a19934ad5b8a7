
/*
 * Clipper: what can be on time by the latency profile, see the header.
 */

#include <math.h>

#include "batch/clipper_batch_profile.h"
#include "batch/clipper_batch_profile_risk.h"


#define QUANTILE_DEVIATIONS    1.645    /* 95 % of a normal law */
#define DEVIATION_MIN          1e-3     /* us */
#define MEAN_MIN               1e-3     /* us */
#define LEAST_DEVIATIONS       0.5      /* two of three are on time */
#define AHEAD_PART             4        /* of the replicas: take what is left */
#define AHEAD_MAX              8


/* the standard deviation of a batch of n, us */

static double
clipper_batch_deviation(const clipper_batch_t *b, ngx_uint_t n)
{
    return (clipper_batch_profile_quantile(b, n)
            - clipper_batch_profile_mean(b, n))
           / QUANTILE_DEVIATIONS;
}


double
clipper_batch_profile_risk_chance(const clipper_batch_t *b, ngx_uint_t n,
    double us)
{
    double  mean, deviation;

    mean = clipper_batch_profile_mean(b, n);
    deviation = ngx_max(clipper_batch_deviation(b, n), DEVIATION_MIN);

    return erfc((mean - us) / deviation * M_SQRT1_2) / 2;
}


double
clipper_batch_profile_risk_least(const clipper_batch_t *b)
{
    return clipper_batch_profile_mean(b, 1)
           + LEAST_DEVIATIONS * clipper_batch_deviation(b, 1);
}


/* how many of a batch of n can be expected on time, each with us */

static double
clipper_batch_expected(const clipper_batch_t *b, ngx_uint_t n, double us)
{
    return (double) n * clipper_batch_profile_risk_chance(b, n, us);
}


/*
 * How many of the rest can be expected on time, in batches of the same size,
 * one after the other as replicas become idle.  Most replicas are needed for
 * what comes next.
 */

static double
clipper_batch_rest(const clipper_batch_t *b, ngx_uint_t n, double us,
    ngx_uint_t queued, ngx_uint_t replicas)
{
    double      sum, step_us;
    ngx_uint_t  next, ahead;

    step_us = clipper_batch_profile_mean(b, n) / (double) replicas;
    ahead = ngx_max(replicas / AHEAD_PART, 1);
    ahead = ngx_min(ahead, AHEAD_MAX);
    sum = 0;

    for (queued -= n; queued && ahead; ahead--, queued -= next) {
        next = ngx_min(queued, n);
        us -= step_us;
        sum += clipper_batch_expected(b, next, us);
    }

    return sum;
}


/* the size within what is on time or worth the risk; 0: no risk to weigh */

static ngx_uint_t
clipper_batch_least_size(const clipper_batch_t *b, double us)
{
    ngx_uint_t  size;

    size = clipper_batch_profile_fit(b, us);

    return size ? size : us >= clipper_batch_profile_risk_least(b);
}


ngx_uint_t
clipper_batch_profile_risk_fit(const clipper_batch_t *b, double us,
    ngx_uint_t max, ngx_uint_t queued, ngx_uint_t replicas)
{
    double      own, both, more, most;
    ngx_uint_t  n, size;

    max = ngx_min(max, queued);
    size = clipper_batch_least_size(b, us);

    if (size == 0 || size >= max) {
        return ngx_min(size, max);
    }

    own = clipper_batch_expected(b, size, us);
    most = own + clipper_batch_rest(b, size, us, queued, replicas);

    for (n = size + 1; n <= max; n++) {
        more = clipper_batch_expected(b, n, us);
        both = more + clipper_batch_rest(b, n, us, queued, replicas);

        if (more < own || both <= most) {
            break;
        }

        own = more;
        most = both;
        size = n;
    }

    return size;
}


/* the task in the middle stands for all */

double
clipper_batch_profile_risk_rate(const clipper_batch_t *b, ngx_uint_t n,
    double us, double step_us)
{
    return clipper_batch_expected(b, n, us + step_us * (double) (n - 1) / 2)
           / ngx_max(clipper_batch_profile_mean(b, n), MEAN_MIN);
}


ngx_uint_t
clipper_batch_profile_risk_rush(const clipper_batch_t *b, double us,
    double step_us, ngx_uint_t max)
{
    double      rate, best;
    ngx_uint_t  n, size;

    /* the more of a queue's last tasks go, the less time has their first */

    size = step_us < 0 ? 1 : clipper_batch_least_size(b, us);

    if (size == 0 || size >= max) {
        return ngx_min(size, max);
    }

    best = clipper_batch_profile_risk_rate(b, size, us, step_us);

    for (n = size + 1; n <= max; n++) {
        rate = clipper_batch_profile_risk_rate(b, n, us, step_us);

        if (rate <= best
            || (step_us >= 0
                && clipper_batch_expected(b, n, us)
                   < clipper_batch_expected(b, n - 1, us)))
        {
            break;
        }

        best = rate;
        size = n;
    }

    return size;
}


/*
 * Clipper: the latency profile of a replica, by batch size.
 *
 * Knots lie at 1, 2, 3, 4, 6, 8, 12, ... 65536.  An observed batch corrects the
 * two knots around its size by their share in the interpolation, with a gain
 * that falls as a knot gains weight.  The weight of a knot is the number of
 * batches behind it (at most 12), aged with a time constant of a second, or of
 * 32 batches if that is longer.
 *
 * From the knots two curves are made whenever something changed, so that
 * reading is cheap: each knot is blended with a prior that weighs as much as
 * half a batch, the weighted regression line through all knots; then the
 * pool-adjacent-violators algorithm (Ayer et al. 1955) makes them monotone.
 * With all weights gone the curves fall to 0, that is, unknown.
 *
 * A latency may grow faster than the size, so that smaller batches are more
 * efficient.  The line knows nothing of it, nor do two knots that were learned
 * only from sizes between them.  So batches of just the size of a knot are
 * counted apart ("exact"), and from those alone the most efficient size is
 * told.  When tasks wait anyway its neighbours are tried whenever what is
 * known of them is old: hill climbing.
 */

#include <math.h>

#include "batch/clipper_batch_profile.h"


#define KNOTS                  CLIPPER_BATCH_KNOTS

#define WEIGHT_MAX             12.0
#define WEIGHT_PRIOR           0.5
#define WEIGHT_FIRST           0.25
#define WEIGHT_LINE            0.05     /* the line itself falls to 0 */
#define SLOPE_RIDGE            0.01     /* of the squared mean size */

#define DEVIATION_FIRST        0.125    /* of the latency */
#define CLIP_MEANS             1.5
#define CLIP_DEVIATIONS        4.0
#define CLIP_RUN               3        /* outliers in a row are the rule */

#define EXACT                  0.75     /* so near is at the knot */
#define EXACT_GAIN             0.5      /* more would follow the noise */
#define EXACT_KNOWN            0.3      /* batches at a knot: it is known */
#define EXACT_BELOW            0.5      /* else a smaller batch is tried */
#define EXACT_ABOVE            2.0      /* one slow batch is no proof */

#define EFFICIENCY_GAIN        0.01
#define EFFICIENCY_DOUBT       0.5      /* standard errors */

#define QUANTILE               0.95
#define K_GAIN                 0.2
#define K_MIN                  0.5
#define K_MAX                  6.0

#define AGE_US                 1000000.0
#define AGE_BATCHES            32.0


static ngx_inline ngx_uint_t
clipper_batch_knot_size(ngx_uint_t i)
{
    if (i == 0) {
        return 1;
    }

    /* 2, 3, 4, 6, 8, 12 ... */

    return (i % 2) ? (ngx_uint_t) 1 << (i + 1) / 2
                   : (ngx_uint_t) 3 << (i / 2 - 1);
}


/* the knot at or below n, and how far n is on the way to the next one */

static ngx_uint_t
clipper_batch_knot(ngx_uint_t n, double *part)
{
    ngx_uint_t  i, k, lo, hi;

    *part = 0;

    if (n <= 1) {
        return 0;
    }

    if (n >= CLIPPER_BATCH_MAX) {
        return KNOTS - 1;
    }

    k = 63 - __builtin_clzll(n);
    i = 2 * k - 1;

    if (n >= clipper_batch_knot_size(i + 1)) {
        i++;
    }

    lo = clipper_batch_knot_size(i);
    hi = clipper_batch_knot_size(i + 1);
    *part = (double) (n - lo) / (double) (hi - lo);

    return i;
}


static double
clipper_batch_at(const float *curve, ngx_uint_t n)
{
    double      part;
    ngx_uint_t  i;

    i = clipper_batch_knot(n, &part);

    if (part == 0) {
        return curve[i];
    }

    return curve[i] + (curve[i + 1] - curve[i]) * part;
}


double
clipper_batch_profile_mean(const clipper_batch_t *b, ngx_uint_t n)
{
    return clipper_batch_at(b->curve, n);
}


double
clipper_batch_profile_quantile(const clipper_batch_t *b, ngx_uint_t n)
{
    return clipper_batch_at(b->quantile, n);
}


ngx_uint_t
clipper_batch_profile_fit(const clipper_batch_t *b, double us)
{
    double      rise;
    ngx_uint_t  lo, hi, mid, size, next;

    if (b->quantile[0] > us) {
        return 0;
    }

    if (b->quantile[KNOTS - 1] <= us) {
        return CLIPPER_BATCH_MAX;
    }

    /* quantile[lo] <= us < quantile[hi] */

    lo = 0;
    hi = KNOTS - 1;

    while (hi - lo > 1) {
        mid = (lo + hi) / 2;

        if (b->quantile[mid] <= us) {
            lo = mid;
        } else {
            hi = mid;
        }
    }

    size = clipper_batch_knot_size(lo);
    next = clipper_batch_knot_size(hi);
    rise = b->quantile[hi] - b->quantile[lo];

    return size + (ngx_uint_t) ((double) (next - size)
                                * (us - b->quantile[lo]) / rise);
}


/* inputs per us at a knot */

static double
clipper_batch_rate(const clipper_batch_t *b, ngx_uint_t i)
{
    return (double) clipper_batch_knot_size(i)
           / ngx_max(b->mean[i], 1e-3);
}


/*
 * Whether batch size i is known to be more efficient than size k.  Half a
 * standard error of doubt is allowed: a wrong belief is used and so soon
 * corrected.
 */

static ngx_uint_t
clipper_batch_beats(const clipper_batch_t *b, ngx_uint_t i, ngx_uint_t k)
{
    double  di, dk, doubt;

    di = b->dev[i] / ngx_max(b->mean[i], 1e-3);
    dk = b->dev[k] / ngx_max(b->mean[k], 1e-3);
    doubt = sqrt(di * di / b->exact[i] + dk * dk / b->exact[k]);

    return clipper_batch_rate(b, i)
           > clipper_batch_rate(b, k)
             * (1 + EFFICIENCY_GAIN + EFFICIENCY_DOUBT * doubt);
}


ngx_uint_t
clipper_batch_profile_best(const clipper_batch_t *b, ngx_uint_t n,
    ngx_uint_t try)
{
    ngx_uint_t  i, size, best, top, below;

    best = KNOTS;
    top = KNOTS;
    below = 0;

    for (i = 0; i < KNOTS; i++) {
        size = clipper_batch_knot_size(i);

        if (size > n) {
            break;
        }

        if (4 * size <= 3 * n) {
            below = i;
        }

        if (b->exact[i] < EXACT_KNOWN) {
            continue;
        }

        top = i;

        if (best == KNOTS
            || clipper_batch_rate(b, i)
               > clipper_batch_rate(b, best))
        {
            best = i;
        }
    }

    if (best == KNOTS) {
        return n;
    }

    if (best == top || !clipper_batch_beats(b, best, top)) {

        /* no size is known to be better: is the next smaller one? */

        return try && b->exact[below] < EXACT_BELOW
               ? clipper_batch_knot_size(below) : n;
    }

    if (try && b->exact[best + 1] < EXACT_ABOVE) {
        best++;

    } else if (try && best > 0 && b->exact[best - 1] < EXACT_BELOW) {
        best--;
    }

    return clipper_batch_knot_size(best);
}


/*
 * The regression line through the knots: y = level + slope * size.  A weak
 * ridge towards a half fixed, half linear cost keeps it defined when all
 * batches have one size.  Both ends stay above 0.
 */

static double
clipper_batch_line(const clipper_batch_t *b, double *level, double *slope)
{
    double      w, x, y, total, sx, sy, sxx, sxy, ridge;
    ngx_uint_t  i;

    total = 0; sx = 0; sy = 0;

    for (i = 0; i < KNOTS; i++) {
        w = b->weight[i];
        total += w;
        sx += w * (double) clipper_batch_knot_size(i);
        sy += w * b->mean[i];
    }

    *level = 0;
    *slope = 0;

    if (total < 1e-6) {
        return 0;
    }

    sx /= total;
    sy /= total;
    sxx = 0; sxy = 0;

    for (i = 0; i < KNOTS; i++) {
        w = b->weight[i] / total;
        x = (double) clipper_batch_knot_size(i) - sx;
        y = b->mean[i] - sy;
        sxx += w * x * x;
        sxy += w * x * y;
    }

    ridge = SLOPE_RIDGE * sx * sx;

    *slope = (sxy + ridge * 0.5 * sy / sx) / (sxx + ridge);
    *slope = ngx_max(*slope, 0);
    *slope = ngx_min(*slope, sy / sx);
    *level = sy - *slope * sx;

    w = total / (total + WEIGHT_LINE);
    *slope *= w;
    *level *= w;

    return total;
}


/* weighted isotonic regression: pools what is out of order */

static void
clipper_batch_monotone(float *curve, const double *weight)
{
    double      value[KNOTS], w[KNOTS];
    ngx_uint_t  i, n, k, count[KNOTS];

    for (i = 1; i < KNOTS && curve[i - 1] <= curve[i]; i++) { /* void */ }

    if (i == KNOTS) {
        return;
    }

    n = 0;

    for (i = 0; i < KNOTS; i++) {
        value[n] = curve[i];
        w[n] = weight[i];
        count[n] = 1;
        n++;

        while (n > 1 && value[n - 2] > value[n - 1]) {
            value[n - 2] = (value[n - 2] * w[n - 2] + value[n - 1] * w[n - 1])
                           / (w[n - 2] + w[n - 1]);
            w[n - 2] += w[n - 1];
            count[n - 2] += count[n - 1];
            n--;
        }
    }

    for (i = 0, k = 0; k < n; k++) {
        while (count[k]--) {
            curve[i++] = (float) value[k];
        }
    }
}


static void
clipper_batch_refresh(clipper_batch_t *b)
{
    double      level, slope, line, w, dev, sum, ratio, weight[KNOTS];
    ngx_uint_t  i;

    if (clipper_batch_line(b, &level, &slope) == 0) {
        ngx_memzero(b->curve, sizeof(b->curve));
        ngx_memzero(b->quantile, sizeof(b->quantile));
        return;
    }

    sum = 0;
    dev = 0;

    for (i = 0; i < KNOTS; i++) {
        w = b->weight[i];
        line = level + slope * (double) clipper_batch_knot_size(i);

        b->curve[i] = (float) ((w * b->mean[i] + WEIGHT_PRIOR * line)
                               / (w + WEIGHT_PRIOR));
        weight[i] = w + WEIGHT_PRIOR;

        sum += w * b->mean[i];
        dev += w * b->dev[i];
    }

    clipper_batch_monotone(b->curve, weight);

    ratio = dev / ngx_max(sum, 1e-6);

    for (i = 0; i < KNOTS; i++) {
        w = b->weight[i];
        dev = (w * b->dev[i] + WEIGHT_PRIOR * ratio * b->curve[i])
              / (w + WEIGHT_PRIOR);

        b->quantile[i] = (float) (b->curve[i] + b->k * dev);
    }

    clipper_batch_monotone(b->quantile, weight);
}


static void
clipper_batch_fade(clipper_batch_t *b, uint64_t now_us)
{
    float       keep;
    ngx_uint_t  i;

    if (now_us <= b->aged_us) {
        return;
    }

    keep = (float) exp(-(double) (now_us - b->aged_us)
                       / ngx_max(AGE_US, AGE_BATCHES * b->pace));

    b->aged_us = now_us;

    for (i = 0; i < KNOTS; i++) {
        b->weight[i] *= keep;
        b->exact[i] *= keep;
    }
}


void
clipper_batch_profile_age(clipper_batch_t *b, uint64_t now_us)
{
    clipper_batch_fade(b, now_us);
    clipper_batch_refresh(b);
}


void
clipper_batch_profile_scale(clipper_batch_t *b, double factor)
{
    ngx_uint_t  i;

    for (i = 0; i < KNOTS; i++) {
        b->mean[i] *= (float) factor;
        b->dev[i] = ngx_min(b->dev[i] * (float) factor,
                            (float) DEVIATION_FIRST * b->mean[i]);
    }

    clipper_batch_refresh(b);
}


/* corrects one knot, which had the given part in the prediction */

static void
clipper_batch_correct(clipper_batch_t *b, ngx_uint_t i, double part,
    double error, double gain_min, double prior)
{
    double  gain, dev;

    gain = ngx_max(part / (b->weight[i] + part + prior), gain_min * part);

    if (part >= EXACT) {
        gain = ngx_max(gain,
                       EXACT_GAIN * part / (b->exact[i] + part + prior));
        b->exact[i] = (float) ngx_min(b->exact[i] + part, WEIGHT_MAX);
    }

    /* the curve, not the mean: it includes the prior of a stale knot */

    b->mean[i] = (float) ngx_max(b->curve[i] + gain * error, 0);

    if (b->weight[i] < WEIGHT_FIRST) {
        /* the error measures the guess, not the variation of the model */
        dev = ngx_min(fabs(error), DEVIATION_FIRST * b->mean[i]);
        b->dev[i] = (float) ngx_max(b->dev[i] * b->weight[i], dev);

    } else {
        b->dev[i] += (float) (gain * (fabs(error) - b->dev[i]));
    }

    b->weight[i] = (float) ngx_min(b->weight[i] + part, WEIGHT_MAX);
}


static double
clipper_batch_clip(double mean, double dev)
{
    return mean * CLIP_MEANS + dev * CLIP_DEVIATIONS;
}


ngx_uint_t
clipper_batch_profile_exception(clipper_batch_t *b, ngx_uint_t n,
    double latency_us)
{
    double  mean, dev;

    mean = clipper_batch_at(b->curve, n);
    dev = (clipper_batch_at(b->quantile, n) - mean) / b->k;

    return mean > 0
           && latency_us > clipper_batch_clip(mean, dev)
           && ++b->above < CLIP_RUN;
}


/*
 * Clips an outlier, until several in a row show that the model has become
 * slower.  Returns the minimum gain of the correction: if the model has
 * changed, what is known of other sizes is in doubt, too.
 */

static double
clipper_batch_surprise(clipper_batch_t *b, double mean, double dev,
    double *latency_us)
{
    double      clip;
    ngx_uint_t  i;

    clip = clipper_batch_clip(mean, dev);

    if (*latency_us <= clip) {
        b->above = 0;

        if (*latency_us >= mean / 2) {
            return 1 / WEIGHT_MAX;
        }

    } else if (++b->above < CLIP_RUN) {
        *latency_us = clip;
        return 1 / WEIGHT_MAX;
    }

    for (i = 0; i < KNOTS; i++) {
        b->weight[i] /= 2;
        b->exact[i] /= 2;
    }

    return 0.5;
}


void
clipper_batch_profile_learn(clipper_batch_t *b, uint64_t now_us, ngx_uint_t n,
    double latency_us)
{
    double      part, mean, quantile, error, gain, prior;
    ngx_uint_t  i, j;

    clipper_batch_fade(b, now_us);

    i = clipper_batch_knot(n, &part);
    mean = clipper_batch_at(b->curve, n);
    quantile = clipper_batch_at(b->quantile, n);

    gain = 1 / WEIGHT_MAX;

    if (mean > 0) {
        b->k += (float) (K_GAIN * (QUANTILE - (latency_us <= quantile)));
        b->k = (float) ngx_min(ngx_max(b->k, K_MIN), K_MAX);

        gain = clipper_batch_surprise(b, mean, (quantile - mean) / b->k,
                                      &latency_us);
    }

    /* at a new size, the other knots count like one batch */

    for (prior = 0, j = 0; j < KNOTS; j++) {
        prior += b->weight[j];
    }

    prior = ngx_min(prior / 4, 1);

    error = latency_us - mean;

    clipper_batch_correct(b, i, 1 - part, error, gain, prior);

    if (part > 0) {
        clipper_batch_correct(b, i + 1, part, error, gain, prior);
    }

    b->pace += (float) ((latency_us - b->pace) / (b->pace == 0 ? 1 : 8));

    clipper_batch_refresh(b);
}

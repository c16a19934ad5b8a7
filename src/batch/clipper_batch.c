
/*
 * Clipper: batch size control of one replica: AIMD, what to send and what to
 * drop.  The algorithm is described in the header, the profile in
 * clipper_batch_profile.c.
 */

#include <math.h>

#include "batch/clipper_batch.h"
#include "batch/clipper_batch_late.h"
#include "batch/clipper_batch_profile.h"
#include "batch/clipper_batch_profile_risk.h"
#include "batch/clipper_batch_try.h"


#define CUT                    0.9
#define FULL                   0.7      /* of the cap: it was tried */
#define STEP_MIN               (1.0 / 32)
#define STREAK_DOUBLE          4.0      /* full batches that double the step */
#define STREAK_FIRST           20.0     /* slow start: the step is the cap */

#define INHERITED              0.3      /* of the weight */

#define LATENCY_MAX_US         1000000000000ULL

#define BUSY_GAP_US            200      /* no pause */
#define BUSY_TRIES             16       /* batches before sizes are tried */

#define REFRESH_US             50000    /* without batches */

#define RISK_FITS              12       /* no risk where more tasks fit */

/* batches have this part of the best rate, as far as it is known */
#define EFFICIENT              0.95     /* nobody is given up for more */
#define BEST                   0.98     /* where some are, by so many */

#define RATE_US                50000.0  /* that it is averaged over */
#define RATE_DOUBT             1.5      /* standard errors */


/* the queue after some heads are dropped, by interpolation */

typedef struct {
    double                     head_us;
    double                     tail_us;
    ngx_uint_t                 queued;
    ngx_uint_t                 risk;        /* small batches, see below */
    ngx_uint_t                 replicas;    /* for what is left; 0: more comes
                                               than they can serve */
    double                     efficient;   /* of the best rate: is enough */
    ngx_uint_t                 full;        /* rather drop than send less */
} clipper_batch_view_t;


void
clipper_batch_init(clipper_batch_t *b, const clipper_batch_t *from,
    uint64_t now_us)
{
    ngx_uint_t  i;

    if (from == NULL) {
        ngx_memzero(b, sizeof(clipper_batch_t));
        b->cap = 1;
        b->k = 2;
        b->streak = STREAK_FIRST;
        b->aged_us = now_us;

        return;
    }

    if (b != from) {
        *b = *from;
    }

    for (i = 0; i < CLIPPER_BATCH_KNOTS; i++) {
        b->weight[i] *= (float) INHERITED;
        b->exact[i] *= (float) INHERITED;
    }

    b->above = 0;
    b->busy = 0;
    b->probe = 0;
    b->seen_us = 0;
    b->batches = 0;
    b->misses = 0;

    ngx_memzero(b->last, sizeof(b->last));

    clipper_batch_profile_age(b, now_us);
}


ngx_uint_t
clipper_batch_most(const clipper_batch_t *b, const clipper_batch_conf_t *conf)
{
    ngx_uint_t  max;

    if (conf->fixed) {
        return ngx_min(conf->fixed, CLIPPER_BATCH_MAX);
    }

    max = conf->max ? ngx_min(conf->max, CLIPPER_BATCH_MAX)
                    : CLIPPER_BATCH_MAX;

    return ngx_min((ngx_uint_t) b->cap, max);
}


float
clipper_batch_demand(float rate, ngx_uint_t n, uint64_t us)
{
    return (float) (((double) rate * RATE_US + (double) n)
                    / (RATE_US + (double) us));
}


uint64_t
clipper_batch_latency(const clipper_batch_t *b, ngx_uint_t n)
{
    return (uint64_t) clipper_batch_profile_quantile(b, n);
}


/* from one task of the queue to the next one */

static double
clipper_batch_step(const clipper_batch_view_t *v)
{
    return (v->tail_us - v->head_us) / (double) ngx_max(v->queued - 1, 1);
}


/* the batch within the limit whose head is on time, or is worth the risk */

static ngx_uint_t
clipper_batch_fit(const clipper_batch_t *b, ngx_uint_t limit, double head_us,
    const clipper_batch_view_t *v)
{
    ngx_uint_t  n;

    if (v->risk && v->replicas) {
        return clipper_batch_profile_risk_fit(b, head_us, limit, v->queued,
                                              v->replicas);
    }

    if (v->risk) {
        return clipper_batch_profile_risk_rush(b, head_us,
                                               clipper_batch_step(v),
                                               ngx_min(limit, v->queued));
    }

    n = clipper_batch_profile_fit(b, head_us);
    n = ngx_min(n, limit);

    return ngx_min(n, v->queued);
}


/*
 * Whether batches of n are enough for what comes.  That is in doubt by the
 * square root of how many tasks it was counted from: nobody is given up for
 * what may be chance.
 */

static ngx_uint_t
clipper_batch_keeps_up(const clipper_batch_t *b,
    const clipper_batch_load_t *load, ngx_uint_t n)
{
    double  rate, count;

    count = 2 * RATE_US * load->rate;
    rate = (count - RATE_DOUBT * sqrt(count)) / (2 * RATE_US);

    return (double) (n * load->replicas)
           >= rate * clipper_batch_profile_mean(b, n);
}


/*
 * Whether batches may be larger than is safe.  Not if many tasks fit: then a
 * head with little time had better be given up.
 */

static ngx_uint_t
clipper_batch_risks(const clipper_batch_t *b, const clipper_batch_conf_t *conf,
    const clipper_batch_load_t *load)
{
    return conf->fixed == 0
           && !conf->no_risk
           && !load->slower
           && clipper_batch_profile_fit(b, (double) load->tail_us)
              < RISK_FITS;
}


/*
 * The replicas that soon take what this one leaves; none if more comes than
 * they can serve.  With one replica new tasks wait for this batch, so one that
 * makes the most of its time would make the next one late.
 */

static ngx_uint_t
clipper_batch_spare(const clipper_batch_t *b, const clipper_batch_load_t *load)
{
    ngx_uint_t  n;

    if (load->replicas == 1) {
        return 1;
    }

    n = clipper_batch_profile_fit(b, (double) load->head_us);

    return clipper_batch_keeps_up(b, load, ngx_max(n, 1)) ? load->replicas : 0;
}


/* the most answers per us that a batch of the last tasks of the queue has */

static double
clipper_batch_last(const clipper_batch_t *b, ngx_uint_t limit,
    const clipper_batch_view_t *v)
{
    double      step_us;
    ngx_uint_t  n;

    step_us = -clipper_batch_step(v);
    n = clipper_batch_profile_risk_rush(b, v->tail_us, step_us,
                                        ngx_min(limit, v->queued));

    return clipper_batch_profile_risk_rate(b, n, v->tail_us, step_us);
}


/*
 * The batch to take from the head of this queue, or 0 if the head should be
 * dropped because it would force an inefficient batch while others wait in
 * vain.
 */

static ngx_uint_t
clipper_batch_worth(const clipper_batch_t *b, ngx_uint_t limit,
    const clipper_batch_load_t *load, const clipper_batch_view_t *v)
{
    double      rate, best_rate;
    ngx_uint_t  n, best;

    n = clipper_batch_fit(b, limit, v->head_us, v);

    if (n == 0 || n == v->queued || n == limit) {
        return n;
    }

    if (v->risk && v->replicas == 0) {
        rate = clipper_batch_profile_risk_rate(b, n, v->head_us,
                                               clipper_batch_step(v));
        best_rate = clipper_batch_last(b, limit, v);

    } else {
        best = clipper_batch_fit(b, limit, v->tail_us, v);

        if (best <= n) {
            return n;
        }

        rate = (double) n / clipper_batch_profile_mean(b, n);
        best_rate = (double) best / clipper_batch_profile_mean(b, best);
    }

    if (!v->full && rate >= best_rate * v->efficient) {
        return n;
    }

    return clipper_batch_keeps_up(b, load, n) ? n : 0;
}


/* bounds the batch by the most efficient one that fits, see "full" */

static ngx_uint_t
clipper_batch_efficient(const clipper_batch_t *b, ngx_uint_t limit,
    clipper_batch_view_t *v)
{
    ngx_uint_t  n, best;

    n = clipper_batch_fit(b, limit, v->tail_us, v);

    if (n < 2) {
        return limit;
    }

    best = clipper_batch_profile_best(b, n, b->busy >= BUSY_TRIES);

    if (best == n) {
        return limit;
    }

    v->full = 1;

    return best;
}


/* tasks whose deadline is nearer than this are given up; v: the queue */

static int64_t
clipper_batch_need(const clipper_batch_t *b, ngx_uint_t limit,
    const clipper_batch_load_t *load, clipper_batch_view_t v)
{
    double                         step;
    ngx_uint_t                     lo, hi, mid;

    step = (double) (load->tail_us - load->head_us)
           / (double) ngx_max(load->queued - 1, 1);

    /* the fewest heads to drop: dropping lo is not enough, hi is */

    lo = 0;
    hi = load->queued - 1;

    while (hi - lo > 1) {
        mid = (lo + hi) / 2;

        v.head_us = (double) load->head_us + step * (double) mid;
        v.queued = load->queued - mid;

        if (clipper_batch_worth(b, limit, load, &v)) {
            hi = mid;
        } else {
            lo = mid;
        }
    }

    return load->head_us + (int64_t) (step * (double) hi);
}


static ngx_int_t
clipper_batch_take(clipper_batch_t *b, const clipper_batch_load_t *load,
    ngx_uint_t n, clipper_batch_plan_t *plan)
{
    b->busy = load->now_us <= b->seen_us + BUSY_GAP_US ? b->busy + 1 : 0;

    plan->take = n;
    b->seen_us = load->now_us;
    b->probe = 0;

    return NGX_OK;
}


/*
 * A head that a task alone would not be on time for.  NGX_OK: a try;
 * NGX_DECLINED: it is given up.
 */

static ngx_int_t
clipper_batch_refuse(clipper_batch_t *b, const clipper_batch_conf_t *conf,
    const clipper_batch_load_t *load, double alone_us,
    clipper_batch_plan_t *plan)
{
    if (!conf->no_probe && clipper_batch_try_now(b, load, alone_us)) {
        (void) clipper_batch_take(b, load, 1, plan);
        b->probe = (alone_us > (double) load->tail_us);
        return NGX_OK;
    }

    plan->need_us = (int64_t) alone_us + 1;

    return NGX_DECLINED;
}


/*
 * How many to send if a task alone is on time; 0: drop by plan->need_us.  The
 * limit becomes the most efficient size, where one is known.
 */

static ngx_uint_t
clipper_batch_size(const clipper_batch_t *b, const clipper_batch_conf_t *conf,
    ngx_uint_t *limit, const clipper_batch_load_t *load, ngx_uint_t risk,
    clipper_batch_plan_t *plan)
{
    ngx_uint_t            n;
    clipper_batch_view_t  v;

    v.risk = risk;
    v.head_us = (double) load->head_us;
    v.tail_us = (double) ngx_max(load->tail_us, load->head_us);
    v.queued = load->queued;
    v.replicas = risk ? clipper_batch_spare(b, load) : 0;
    v.full = 0;
    v.efficient = EFFICIENT;

    if (conf->fixed == 0) {
        *limit = clipper_batch_efficient(b, *limit, &v);
    }

    n = conf->keep ? clipper_batch_fit(b, *limit, v.head_us, &v)
                   : clipper_batch_worth(b, *limit, load, &v);

    if (n == 0) {
        v.efficient = BEST;
        plan->need_us = clipper_batch_need(b, *limit, load, v);
        plan->need_us = ngx_max(plan->need_us, load->head_us + 1);
    }

    return n;
}


ngx_int_t
clipper_batch_plan(clipper_batch_t *b, const clipper_batch_conf_t *conf,
    const clipper_batch_load_t *load, clipper_batch_plan_t *plan)
{
    double      alone_us;
    ngx_uint_t  n, limit, risk;

    plan->take = 0;
    plan->need_us = 0;
    plan->wait_us = 0;

    if (load->head_us <= 0) {
        plan->need_us = 1;
        return NGX_DECLINED;
    }

    if (load->now_us > b->aged_us + REFRESH_US) {
        clipper_batch_profile_age(b, load->now_us);
    }

    limit = clipper_batch_most(b, conf);
    n = ngx_min(limit, load->queued);
    alone_us = conf->plain ? 0 : clipper_batch_profile_quantile(b, 1);

    /* one task that is safe alone needs no further thought */

    if (!conf->plain
        && (load->queued > 1 || alone_us > (double) load->head_us))
    {
        risk = clipper_batch_risks(b, conf, load);

        if (risk) {
            alone_us = clipper_batch_profile_risk_least(b);
        }

        if (alone_us > (double) load->head_us) {
            return clipper_batch_refuse(b, conf, load, alone_us, plan);
        }

        n = clipper_batch_size(b, conf, &limit, load, risk, plan);

        if (n == 0) {
            return NGX_DECLINED;
        }
    }

    plan->wait_us = clipper_batch_late_wait(b, conf, limit, load, n);

    if (plan->wait_us) {
        return NGX_AGAIN;
    }

    return clipper_batch_take(b, load, n, plan);
}


/* additive increase, multiplicative decrease */

static void
clipper_batch_adapt(clipper_batch_t *b, const clipper_batch_conf_t *conf,
    ngx_uint_t n, ngx_uint_t on_time)
{
    double  step, max;

    if (!on_time) {
        b->misses++;

        /* a batch far below the cap says nothing about it */

        if (conf->plain || (double) n >= floor(b->cap) * FULL) {
            b->cap = (float) ngx_max(b->cap * CUT, 1);
            b->streak = 0;
        }

        return;
    }

    if ((double) n < floor(b->cap) * FULL) {
        return;
    }

    max = conf->max ? ngx_min(conf->max, CLIPPER_BATCH_MAX)
                    : CLIPPER_BATCH_MAX;

    step = ngx_min(exp2(b->streak / STREAK_DOUBLE) * STEP_MIN, 1);
    step = conf->plain ? 1 : ngx_max(b->cap * step, 1);

    b->cap = (float) ngx_min(b->cap + step, max);
    b->streak = (float) ngx_min(b->streak + 1, STREAK_FIRST);
}


void
clipper_batch_observe(clipper_batch_t *b, const clipper_batch_conf_t *conf,
    uint64_t now_us, ngx_uint_t n, uint64_t latency_us, ngx_uint_t on_time)
{
    double  before;

    if (n == 0) {
        return;
    }

    latency_us = ngx_min(latency_us, LATENCY_MAX_US);

    b->batches++;
    b->seen_us = now_us;

    clipper_batch_adapt(b, conf, n, on_time);

    before = clipper_batch_profile_mean(b, n);

    clipper_batch_try_remember(b, n, (double) latency_us);

    if ((b->probe || b->batches == CLIPPER_BATCH_TRY_FIRST)
        && (double) latency_us < before / 2)
    {
        clipper_batch_profile_scale(b, (double) latency_us / before);
    }

    clipper_batch_profile_learn(b, now_us, n, (double) latency_us);

    if ((double) latency_us < before / 2) {
        /*
         * the replica is not too slow after all: the next probe need not wait
         */
        b->seen_us = 0;
    }
}

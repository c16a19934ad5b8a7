
/*
 * Clipper: tries of a replica that seems too slow, see the header.
 */

#include "batch/clipper_batch_profile.h"
#include "batch/clipper_batch_try.h"


#define PROBE_MIN_US           5000
#define PROBE_MAX_US           50000


ngx_uint_t
clipper_batch_try_doubts(const clipper_batch_t *b, int64_t us)
{
    ngx_uint_t  i;

    if (b->batches < CLIPPER_BATCH_TRY_FIRST) {
        return 1;
    }

    for (i = 0; i < CLIPPER_BATCH_LAST; i++) {
        if (b->last[i] > 0 && (double) b->last[i] <= (double) us) {
            return 1;
        }
    }

    return 0;
}


/*
 * A replica that refuses all that waits is tried with half of its time: that
 * costs nothing.  One that is only late for the first waits for the others.
 */

static uint64_t
clipper_batch_probe_us(const clipper_batch_t *b,
    const clipper_batch_load_t *load, double alone_us)
{
    uint64_t  us;

    if (alone_us <= (double) load->tail_us || load->dear) {
        return PROBE_MAX_US;
    }

    us = ngx_max((uint64_t) b->pace, PROBE_MIN_US);

    return ngx_min(us, PROBE_MAX_US);
}


ngx_uint_t
clipper_batch_try_now(const clipper_batch_t *b,
    const clipper_batch_load_t *load, double alone_us)
{
    if (alone_us > (double) load->tail_us
        && !load->dear
        && (b->batches < CLIPPER_BATCH_TRY_FIRST || !load->slower)
        && clipper_batch_try_doubts(b, load->head_us))
    {
        return 1;
    }

    return load->now_us >= b->seen_us
                           + clipper_batch_probe_us(b, load, alone_us);
}


void
clipper_batch_try_remember(clipper_batch_t *b, ngx_uint_t n,
    double latency_us)
{
    double  mean;

    mean = clipper_batch_profile_mean(b, n);

    if (mean > 0) {
        latency_us *= clipper_batch_profile_mean(b, 1) / mean;
    }

    b->last[b->batches % CLIPPER_BATCH_LAST] = (float) latency_us;
}

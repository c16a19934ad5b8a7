
/*
 * Clipper: what is late, and what may wait, see the header.
 */

#include <math.h>

#include "batch/clipper_batch_late.h"
#include "batch/clipper_batch_profile.h"


#define LATE_MIN_US  1000

#define WAIT_PARTS   16.0               /* less of the wait is not worth it */


/*
 * One batch in twenty exceeds the quantile.  A batch that exceeds it by its
 * distance from the mean, plus the time of a busy machine to wake a process, is
 * slow for another reason than its size.
 */

uint64_t
clipper_batch_late(const clipper_batch_t *b, ngx_uint_t n)
{
    double  quantile;

    quantile = clipper_batch_profile_quantile(b, n);

    if (quantile == 0) {
        return 0;
    }

    return (uint64_t) (quantile
                       + ngx_max(quantile - clipper_batch_profile_mean(b, n),
                                 LATE_MIN_US));
}


/*
 * Whether a batch of n that is sent after a wait is on time, and whatever comes
 * while it is under way.  The wait is for nothing but fuller batches, so it
 * must not make use of the last moment.
 */

static ngx_uint_t
clipper_batch_spares(const clipper_batch_t *b,
    const clipper_batch_load_t *load, double n, double wait_us)
{
    double  us;

    us = (double) clipper_batch_late(b, (ngx_uint_t) ceil(n));

    if (us + wait_us > (double) load->head_us) {
        return 0;
    }

    us /= (double) load->replicas;
    n = 1 + load->rate * us;

    return us + clipper_batch_profile_quantile(b, (ngx_uint_t) ceil(n))
           <= (double) load->tail_us;
}


uint64_t
clipper_batch_late_wait(const clipper_batch_t *b,
    const clipper_batch_conf_t *conf, ngx_uint_t limit,
    const clipper_batch_load_t *load, ngx_uint_t n)
{
    double  room, us, least_us, least, more;

    if (n >= limit || n < load->queued || load->waited_us >= conf->wait_us) {
        return 0;
    }

    least = (double) ngx_min(n + n / 4 + 1, limit);
    room = (double) load->head_us
           - (double) clipper_batch_late(b, (ngx_uint_t) least);

    us = ngx_min((double) (conf->wait_us - load->waited_us), room);
    least_us = (double) conf->wait_us / WAIT_PARTS;

    for ( /* void */ ; us >= ngx_max(least_us, 1); us /= 2) {
        more = (double) n + load->rate * us;
        more = ngx_max(more, least);

        if (more <= (double) limit
            && clipper_batch_spares(b, load, more, us))
        {
            return (uint64_t) us;
        }
    }

    return 0;
}


/*
 * Clipper: limits of the time for a batch, see the header.
 */

#include "batch/clipper_batch_limit.h"
#include "batch/clipper_batch_late.h"


#define LIMIT_FACTOR           20
#define LIMIT_FIRST_US         60000000
#define LIMIT_MIN_US           10000000
#define STUCK_MIN_US           1000000
#define STUCK_UNKNOWN_US       10000000


uint64_t
clipper_batch_limit_us(const clipper_batch_t *b, ngx_uint_t n,
    ngx_uint_t answered)
{
    uint64_t  limit_us, least_us;

    least_us = answered ? LIMIT_MIN_US : LIMIT_FIRST_US;
    limit_us = LIMIT_FACTOR * clipper_batch_latency(b, n);

    return ngx_max(limit_us, least_us);
}


uint64_t
clipper_batch_limit_stuck_us(const clipper_batch_t *b, ngx_uint_t n,
    uint64_t limit_us)
{
    uint64_t  stuck_us;

    stuck_us = clipper_batch_late(b, n);
    stuck_us = stuck_us ? ngx_max(stuck_us, STUCK_MIN_US) : STUCK_UNKNOWN_US;

    return ngx_min(stuck_us, limit_us / 2);
}

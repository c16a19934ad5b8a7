
/*
 * Counters in shared memory.  Each application and each model version has a
 * block of counters in each of a few stripes.  A worker adds to the stripe of
 * its slot without a lock; a scrape sums over the stripes.  When a row of the
 * registry gets another name, its blocks are added to those of row 0 and
 * cleared, so no count is ever lost.
 */


#ifndef _CLIPPER_METRICS_H_INCLUDED_
#define _CLIPPER_METRICS_H_INCLUDED_


#include "shm/clipper_table.h"


#define CLIPPER_STRIPES        8
#define CLIPPER_BLOCK          64               /* counters */
#define CLIPPER_TIME_BUCKETS   14               /* 0.5 ms .. 10 s */
#define CLIPPER_SIZE_BUCKETS   14               /* 1 .. 8192 inputs */


/* a histogram: its buckets, one for larger values, and the sum */

#define CLIPPER_HISTOGRAM      (CLIPPER_TIME_BUCKETS + 2)

/* of an application */

#define CLIPPER_M_OUTCOME      0                /* + outcome, 6 */
#define CLIPPER_M_DEFAULT      8                /* + reason, 7 */
#define CLIPPER_M_FEEDBACK     16               /* + result, 8 */
#define CLIPPER_M_DURATION     24               /* histogram, us */
#define CLIPPER_M_LABEL        40               /* + match, 3 */

/* of a model version */

#define CLIPPER_M_CACHE        0                /* + hit, miss, joined */
#define CLIPPER_M_EVICTIONS    3
#define CLIPPER_M_DROPPED      4                /* + reason, 7 */
#define CLIPPER_M_HEDGES       12
#define CLIPPER_M_REDISPATCHES 13
#define CLIPPER_M_ERRORS       14               /* outputs that are errors */
#define CLIPPER_M_TIMEOUTS     15               /* batches without an answer */
#define CLIPPER_M_BATCH_TIME   16               /* histogram, us */
#define CLIPPER_M_BATCH_SIZE   32               /* histogram, inputs */


extern const uint64_t  clipper_metrics_time_bounds[];       /* us */
extern const uint64_t  clipper_metrics_size_bounds[];       /* inputs */


/* the block in the calling worker's stripe */
uint64_t *clipper_metrics_app(clipper_zone_t *zone, ngx_uint_t row);
uint64_t *clipper_metrics_model(clipper_zone_t *zone, ngx_uint_t row);

/* sums a block over the stripes */
void clipper_metrics_sum_app(clipper_zone_t *zone, ngx_uint_t row,
    uint64_t sum[CLIPPER_BLOCK]);
void clipper_metrics_sum_model(clipper_zone_t *zone, ngx_uint_t row,
    uint64_t sum[CLIPPER_BLOCK]);

void clipper_metrics_clear_app_locked(clipper_zone_t *zone, ngx_uint_t row);
void clipper_metrics_clear_model_locked(clipper_zone_t *zone, ngx_uint_t row);

/* adds one observation to the histogram that begins at `counters` */
void clipper_metrics_time(uint64_t *counters, uint64_t us);
void clipper_metrics_size(uint64_t *counters, uint64_t inputs);


static ngx_inline void
clipper_metrics_add(uint64_t *counter, uint64_t n)
{
    (void) __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}


#endif /* _CLIPPER_METRICS_H_INCLUDED_ */


/*
 * Counters in shared memory, see the header.
 */


#include "shm/clipper_metrics.h"


const uint64_t  clipper_metrics_time_bounds[] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000, 10000000
};


const uint64_t  clipper_metrics_size_bounds[] = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192
};


static uint64_t *clipper_metrics_block(clipper_zone_t *zone, ngx_uint_t stripe,
    ngx_uint_t model, ngx_uint_t row);
static void clipper_metrics_sum(clipper_zone_t *zone, ngx_uint_t model,
    ngx_uint_t row, uint64_t *sum);
static void clipper_metrics_clear_locked(clipper_zone_t *zone,
    ngx_uint_t model, ngx_uint_t row);
static void clipper_metrics_observe(uint64_t *counters, const uint64_t *bounds,
    ngx_uint_t n, uint64_t value);


uint64_t *
clipper_metrics_app(clipper_zone_t *zone, ngx_uint_t row)
{
    return clipper_metrics_block(zone,
                                 zone->slot % CLIPPER_STRIPES, 0, row);
}


uint64_t *
clipper_metrics_model(clipper_zone_t *zone, ngx_uint_t row)
{
    return clipper_metrics_block(zone,
                                 zone->slot % CLIPPER_STRIPES, 1, row);
}


static uint64_t *
clipper_metrics_block(clipper_zone_t *zone, ngx_uint_t stripe,
    ngx_uint_t model, ngx_uint_t row)
{
    ngx_uint_t  block;

    block = stripe * (zone->header->apps.n + zone->header->models.n)
            + (model ? zone->header->apps.n : 0) + row;

    return zone->metrics + block * CLIPPER_BLOCK;
}


void
clipper_metrics_sum_app(clipper_zone_t *zone,
    ngx_uint_t row, uint64_t sum[CLIPPER_BLOCK])
{
    clipper_metrics_sum(zone, 0, row, sum);
}


void
clipper_metrics_sum_model(clipper_zone_t *zone, ngx_uint_t row,
    uint64_t sum[CLIPPER_BLOCK])
{
    clipper_metrics_sum(zone, 1, row, sum);
}


static void
clipper_metrics_sum(clipper_zone_t *zone, ngx_uint_t model, ngx_uint_t row,
    uint64_t *sum)
{
    uint64_t    *block;
    ngx_uint_t   i, stripe;

    ngx_memzero(sum, CLIPPER_BLOCK * sizeof(uint64_t));

    for (stripe = 0; stripe < CLIPPER_STRIPES; stripe++) {
        block = clipper_metrics_block(zone, stripe, model, row);

        for (i = 0; i < CLIPPER_BLOCK; i++) {
            sum[i] += __atomic_load_n(&block[i], __ATOMIC_RELAXED);
        }
    }
}


void
clipper_metrics_clear_app_locked(clipper_zone_t *zone, ngx_uint_t row)
{
    clipper_zone_locked(zone);

    clipper_metrics_clear_locked(zone, 0, row);
}


void
clipper_metrics_clear_model_locked(clipper_zone_t *zone, ngx_uint_t row)
{
    clipper_zone_locked(zone);

    clipper_metrics_clear_locked(zone, 1, row);
}


static void
clipper_metrics_clear_locked(clipper_zone_t *zone, ngx_uint_t model,
    ngx_uint_t row)
{
    uint64_t    *block, *rest;
    ngx_uint_t   i, stripe;

    clipper_zone_locked(zone);

    for (stripe = 0; stripe < CLIPPER_STRIPES; stripe++) {
        block = clipper_metrics_block(zone, stripe, model, row);
        rest = clipper_metrics_block(zone, stripe, model, 0);

        for (i = 0; i < CLIPPER_BLOCK; i++) {
            clipper_metrics_add(&rest[i], block[i]);
            block[i] = 0;
        }
    }
}


void
clipper_metrics_time(uint64_t *counters, uint64_t us)
{
    clipper_metrics_observe(counters, clipper_metrics_time_bounds,
                            CLIPPER_TIME_BUCKETS, us);
}


void
clipper_metrics_size(uint64_t *counters, uint64_t inputs)
{
    clipper_metrics_observe(counters, clipper_metrics_size_bounds,
                            CLIPPER_SIZE_BUCKETS, inputs);
}


static void
clipper_metrics_observe(uint64_t *counters, const uint64_t *bounds,
    ngx_uint_t n, uint64_t value)
{
    ngx_uint_t  i;

    for (i = 0; i < n && value > bounds[i]; i++) { /* void */ }

    clipper_metrics_add(&counters[i], 1);
    clipper_metrics_add(&counters[n + 1], value);
}

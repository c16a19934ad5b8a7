
/*
 * What the tests of the batch control share: one replica, its operator's
 * bounds, what waits for it, and the plan.
 */


#ifndef _CLIPPER_BATCH_FIXTURE_H_INCLUDED_
#define _CLIPPER_BATCH_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "batch/clipper_batch.h"
#include "base/clipper_hash.h"
#include "base/clipper_random.h"


static clipper_batch_t       b;
static clipper_batch_conf_t  conf;
static clipper_batch_load_t  load;
static clipper_batch_plan_t  plan;


static int
setup(void **state)
{
    memset(&conf, 0, sizeof(conf));
    clipper_batch_init(&b, NULL, 1000);

    load.now_us = 1000;
    load.queued = 1;
    load.replicas = 1;
    load.head_us = 20000;
    load.tail_us = 20000;
    load.waited_us = 0;
    load.dear = 0;

    return 0;
}


static inline ngx_int_t
ask(void)
{
    return clipper_batch_plan(&b, &conf, &load, &plan);
}


/* one batch after the other, without a pause */

static inline void
observe(ngx_uint_t n, uint64_t latency_us, ngx_uint_t on_time)
{
    load.now_us += latency_us;
    clipper_batch_observe(&b, &conf, load.now_us, n, latency_us, on_time);
}


static inline ngx_uint_t
limit(void)
{
    return clipper_batch_limit(&b, &conf);
}


/* 300 us and 20 us per input, learned from batches of all sizes */

static inline void
learn(ngx_uint_t max)
{
    ngx_uint_t  n;

    for (n = 1; n <= max; n += n / 5 + 1) {
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
    }
}


#define test(name)  cmocka_unit_test_setup(name, setup)


#endif /* _CLIPPER_BATCH_FIXTURE_H_INCLUDED_ */

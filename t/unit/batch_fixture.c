
/*
 * See the header.
 */


#include "batch_fixture.h"


clipper_batch_t       b;
clipper_batch_conf_t  conf;
clipper_batch_load_t  load;
clipper_batch_plan_t  plan;


int
setup(void **state)
{
    memset(&conf, 0, sizeof(conf));
    clipper_batch_init(&b, NULL, 1000);

    load.now_us = 1000;
    load.queued = 1;
    load.replicas = 1;
    load.rate = 0;
    load.head_us = 20000;
    load.tail_us = 20000;
    load.waited_us = 0;
    load.dear = 0;
    load.slower = 0;

    return 0;
}


ngx_int_t
ask(void)
{
    return clipper_batch_plan(&b, &conf, &load, &plan);
}


/* one batch after the other, without a pause */

void
observe(ngx_uint_t n, uint64_t latency_us, ngx_uint_t on_time)
{
    load.now_us += latency_us;
    clipper_batch_observe(&b, &conf, load.now_us, n, latency_us, on_time);
}


ngx_uint_t
limit(void)
{
    return clipper_batch_most(&b, &conf);
}


/* 300 us and 20 us per input, learned from batches of all sizes */

void
learn(ngx_uint_t max)
{
    ngx_uint_t  n;

    for (n = 1; n <= max; n += n / 5 + 1) {
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
        observe(n, 300 + 20 * n, 1);
    }
}

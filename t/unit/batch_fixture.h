
/*
 * Shared by the tests of the batch control: one replica, the operator's
 * bounds, the waiting inputs, and the plan.
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


extern clipper_batch_t       b;
extern clipper_batch_conf_t  conf;
extern clipper_batch_load_t  load;
extern clipper_batch_plan_t  plan;


int setup(void **state);
ngx_int_t ask(void);

/* one batch after the other, without a pause */
void observe(ngx_uint_t n, uint64_t latency_us, ngx_uint_t on_time);

ngx_uint_t limit(void);

/* 300 us and 20 us per input, learned from batches of all sizes */
void learn(ngx_uint_t max);


#define test(name)  cmocka_unit_test_setup(name, setup)


#endif /* _CLIPPER_BATCH_FIXTURE_H_INCLUDED_ */


/*
 * Clipper: how long a batch may take before its replica is given up, and when
 * the replica begins to count as stuck.  Pure.
 */

#ifndef _CLIPPER_BATCH_LIMIT_H_INCLUDED_
#define _CLIPPER_BATCH_LIMIT_H_INCLUDED_


#include "batch/clipper_batch.h"


/*
 * How long a batch of n may take before its replica is given up for lost:
 * 20 times what most batches of n stay below, 60 s at least for a replica that
 * has not "answered" yet, 10 s for one that has.
 */

uint64_t clipper_batch_limit_us(const clipper_batch_t *b, ngx_uint_t n,
    ngx_uint_t answered);

/*
 * After how long the replica counts as stuck: when the batch is late, after
 * 1 s at least, 10 s while nothing is known; after half of the limit at the
 * latest.
 */

uint64_t clipper_batch_limit_stuck_us(const clipper_batch_t *b,
    ngx_uint_t n, uint64_t limit_us);


#endif /* _CLIPPER_BATCH_LIMIT_H_INCLUDED_ */

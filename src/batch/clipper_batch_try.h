
/*
 * Clipper: tries of a replica that seems too slow.
 *
 * A refusal teaches nothing, so a replica that refuses is tried now and then.
 * It is tried at once while the refusal is in doubt: nothing but the first
 * batch is known, which may have loaded or compiled the model, or one of the
 * last few was fast enough.  That costs nothing if all that waits is refused.
 */

#ifndef _CLIPPER_BATCH_TRY_H_INCLUDED_
#define _CLIPPER_BATCH_TRY_H_INCLUDED_


#include "batch/clipper_batch_type.h"


#define CLIPPER_BATCH_TRY_FIRST  2      /* batches that a judgement takes */


/* whether it is in doubt that a task with so much time, in us, is late */

ngx_uint_t clipper_batch_try_doubts(const clipper_batch_t *b, int64_t us);

/* one task takes alone_us, and the head has less time: is it sent, though? */

ngx_uint_t clipper_batch_try_now(const clipper_batch_t *b,
    const clipper_batch_load_t *load, double alone_us);

/* a batch of n took latency_us; before the profile learns it */

void clipper_batch_try_remember(clipper_batch_t *b, ngx_uint_t n,
    double latency_us);


#endif /* _CLIPPER_BATCH_TRY_H_INCLUDED_ */

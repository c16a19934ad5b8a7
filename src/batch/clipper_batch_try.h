
/*
 * Clipper: tries of a replica that seems too slow.
 *
 * A refused task teaches nothing, so a replica that refuses tasks is tried now
 * and then.  It is tried at once while its profile is in doubt: only its first
 * batch is known, which may have loaded or compiled the model, or one of the
 * last few batches was fast enough.  The try costs nothing where every waiting
 * task would be refused.
 */

#ifndef _CLIPPER_BATCH_TRY_H_INCLUDED_
#define _CLIPPER_BATCH_TRY_H_INCLUDED_


#include "batch/clipper_batch_type.h"


#define CLIPPER_BATCH_TRY_FIRST  2      /* batches that a judgement takes */


/* whether it is in doubt that a task with us left would be late */

ngx_uint_t clipper_batch_try_doubts(const clipper_batch_t *b, int64_t us);

/* whether to send the head, although one task takes longer than it has left */

ngx_uint_t clipper_batch_try_now(const clipper_batch_t *b,
    const clipper_batch_load_t *load, double alone_us);

/* a batch of n took latency_us; call it before the profile learns that */

void clipper_batch_try_remember(clipper_batch_t *b, ngx_uint_t n,
    double latency_us);


#endif /* _CLIPPER_BATCH_TRY_H_INCLUDED_ */

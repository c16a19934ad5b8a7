
/*
 * Clipper: when a batch is late, and how long one may wait.
 */

#ifndef _CLIPPER_BATCH_LATE_H_INCLUDED_
#define _CLIPPER_BATCH_LATE_H_INCLUDED_


#include "batch/clipper_batch_type.h"


/* a batch of n is late after this time, which few exceed; 0: not known */

uint64_t clipper_batch_late(const clipper_batch_t *b, ngx_uint_t n);

/*
 * With "batch_wait": how long a batch of n may wait to grow to the limit; 0:
 * not at all.  The time that the larger batch will take is allowed for.
 */

uint64_t clipper_batch_late_wait(const clipper_batch_t *b,
    const clipper_batch_conf_t *conf, ngx_uint_t limit,
    const clipper_batch_load_t *load, ngx_uint_t n);


#endif /* _CLIPPER_BATCH_LATE_H_INCLUDED_ */

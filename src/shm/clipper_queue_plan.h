
/*
 * How many tasks a replica may take now, and which ones leave the queue because
 * they cannot be on time.
 */


#ifndef _CLIPPER_QUEUE_PLAN_H_INCLUDED_
#define _CLIPPER_QUEUE_PLAN_H_INCLUDED_


#include "shm/clipper_queue_take.h"


/* how many to take now; tasks that cannot be on time have left the queue */
ngx_uint_t clipper_queue_plan_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r, clipper_take_t *take);

/*
 * The waiters of a queued flight that would be late leave it.  The copy of a
 * flight that another replica still computes goes alone; its waiters stay.
 */
void clipper_queue_plan_drop_locked(clipper_zone_t *zone, uint32_t flight,
    uint64_t bound_us, uint32_t reason);


#endif /* _CLIPPER_QUEUE_PLAN_H_INCLUDED_ */

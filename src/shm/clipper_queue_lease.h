
/*
 * Batches on lease to replicas.  An input on lease can be copied without the
 * lock: its flight is not freed.
 */


#ifndef _CLIPPER_QUEUE_LEASE_H_INCLUDED_
#define _CLIPPER_QUEUE_LEASE_H_INCLUDED_


#include "shm/clipper_queue_take.h"


/*
 * Takes a batch for an idle replica, by deadline, and drops tasks that cannot
 * be on time.  Returns the number of leases; 0: nothing to do now.
 */
ngx_uint_t clipper_queue_lease_take_locked(clipper_zone_t *zone,
    uint32_t replica, clipper_take_t *take, clipper_lease_t *leases);

/*
 * Settles one lease with the replica's answer.  1: it was the first one and
 * counts; 0: the flight had ended before.  A chain on loan is taken or freed.
 * If a flight was skipped as late, it is asked again for the waiters that have
 * time left.
 */
ngx_uint_t clipper_queue_lease_settle_locked(clipper_zone_t *zone,
    uint32_t replica,
    const clipper_lease_t *lease, const clipper_output_t *output,
    uint64_t now_us);

/*
 * The replica of this lease was lost: the flight is queued again (1), or ends
 * as an error if that happened before, or if it was alone with both of its
 * replicas.
 */
ngx_uint_t clipper_queue_lease_lost_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *lease, uint64_t now_us);

/*
 * The lease did not reach the replica: the flight is queued again (1), and it
 * does not count as a loss.
 */
ngx_uint_t clipper_queue_lease_unsent_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *lease);

/*
 * The replica has not answered its batch within the limit; call it before its
 * leases are lost.  Inputs without a waiter become suspects, and the model
 * makes no copies for some time.
 */
void clipper_queue_lease_hung_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *leases, ngx_uint_t n, uint64_t now_us);


#endif /* _CLIPPER_QUEUE_LEASE_H_INCLUDED_ */

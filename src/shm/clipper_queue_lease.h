
/*
 * Batches on lease to replicas.  What is on lease can be copied without the
 * lock: its flight does not go.
 */


#ifndef _CLIPPER_QUEUE_LEASE_H_INCLUDED_
#define _CLIPPER_QUEUE_LEASE_H_INCLUDED_


#include "shm/clipper_table.h"


/* one input of a batch that a replica has */

typedef struct {
    uint32_t          flight;
    uint32_t          gen;
} clipper_lease_t;


typedef struct {
    uint32_t          result;           /* clipper_result_e */
    uint32_t          chunk;            /* chain on loan, when it is long */
    const u_char     *data;             /* else */
    size_t            len;
} clipper_output_t;


/* what a batch may be, and when to ask again if there is none yet */

typedef struct {
    const clipper_batch_conf_t           *conf;
    ngx_uint_t                            max;       /* leases of the caller */
    uint64_t                              now_us;
    uint64_t                              margin_us; /* to deliver an answer */
    uint64_t                              wait_us;   /* out; 0: no need to */
    ngx_uint_t                            copies;    /* out: of what another
                                                        replica is late with */
} clipper_take_t;


/*
 * A batch for an idle replica, by deadline; tasks that cannot be on time are
 * dropped on the way.  Gives the number of leases, 0: nothing to do now.
 */
ngx_uint_t clipper_queue_lease_take_locked(clipper_zone_t *zone,
    uint32_t replica, clipper_take_t *take, clipper_lease_t *leases);

/*
 * The replica's answer to one lease.  1: it was the first and counts; 0: the
 * flight had ended before.  A chain on loan is taken or freed.  Of a flight
 * that was skipped as late those who have time left are asked for again.
 */
ngx_uint_t clipper_queue_lease_settle_locked(clipper_zone_t *zone,
    uint32_t replica,
    const clipper_lease_t *lease, const clipper_output_t *output,
    uint64_t now_us);

/*
 * The replica was lost with this lease: the flight is queued again (1), or
 * when that was so before ends as an error.
 */
ngx_uint_t clipper_queue_lease_lost_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *lease, uint64_t now_us);


#endif /* _CLIPPER_QUEUE_LEASE_H_INCLUDED_ */

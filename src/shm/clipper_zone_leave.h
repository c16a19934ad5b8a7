
/*
 * A worker gives back what it has in the zone, at its end, or others do it
 * after its death: rows are freed 16 in a hold of the lock, replicas one by
 * one.  Its own row goes last, so that another worker goes on when this one
 * dies meanwhile.  Only a death with the lock held costs a scan of all tables
 * in one hold, see clipper_rebuild.h.
 */


#ifndef _CLIPPER_ZONE_LEAVE_H_INCLUDED_
#define _CLIPPER_ZONE_LEAVE_H_INCLUDED_


#include "shm/clipper_table.h"


/*
 * Frees what the worker with this row, generation and pid has: its waiters,
 * its replicas, whose batches are queued again without blame, its loans, and
 * the row.  1: done; 0: another process has done it.  Takes the lock itself.
 * The worker runs no more, or is the caller.
 */
ngx_uint_t clipper_zone_leave(clipper_zone_t *zone, uint32_t slot,
    uint32_t gen, clipper_owner_t pid);


/*
 * The same for all workers that have exited; returns their number.  Takes the
 * lock for each dead one, but not while it asks the kernel.
 */
ngx_uint_t clipper_zone_leave_dead(clipper_zone_t *zone);


#endif /* _CLIPPER_ZONE_LEAVE_H_INCLUDED_ */

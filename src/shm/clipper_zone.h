
/*
 * The zone as a whole: its layout, attaching to it, its lock, and what the dead
 * have left in it.
 */


#ifndef _CLIPPER_ZONE_H_INCLUDED_
#define _CLIPPER_ZONE_H_INCLUDED_


#include "shm/clipper_table.h"


/* lays out a fresh zone in `size` zeroed bytes; NGX_ERROR: too small */
ngx_int_t clipper_zone_create(void *addr, size_t size, const u_char seed[32],
    int64_t now);

/* rows for applications, and for model versions, with row 0 */
size_t clipper_zone_rows(size_t size);

/* a view of a zone; NGX_ERROR: not a zone of this layout and size */
ngx_int_t clipper_zone_attach(clipper_zone_t *zone, void *addr, size_t size,
    uint32_t pid);

/* pieces of records and states that a death would not have put back */
uint64_t clipper_zone_overflows(clipper_zone_t *zone);

void clipper_zone_lock(clipper_zone_t *zone);

/*
 * Then wakes those whose doorbell was asked for under the lock.  Ringing may
 * find a worker dead and reclaim what it held, under the lock again: what the
 * caller has read of the tables may have changed when this returns.
 */
void clipper_zone_unlock(clipper_zone_t *zone);


/*
 * Reclaims the rows of workers that have exited; the number of them.  Takes
 * the lock for each that is dead: nobody waits while the kernel is asked.
 */
ngx_uint_t clipper_zone_bury(clipper_zone_t *zone);


#endif /* _CLIPPER_ZONE_H_INCLUDED_ */

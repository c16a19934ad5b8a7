
/*
 * The zone as a whole: its layout, attaching to it, its lock, and what the dead
 * have left in it.
 */


#ifndef _CLIPPER_ZONE_H_INCLUDED_
#define _CLIPPER_ZONE_H_INCLUDED_


#include "shm/clipper_table.h"


/* creates the tables in `size` zeroed bytes; NGX_ERROR: too small */
ngx_int_t clipper_zone_create(void *addr, size_t size, const u_char seed[32],
    int64_t now);

/* rows for applications and model versions, including row 0 */
size_t clipper_zone_rows(size_t size);

/* names of learning applications and their versions, including name 0 */
size_t clipper_zone_names(size_t size);

/* rows for workers, including row 0 */
size_t clipper_zone_workers(size_t size);

/* attaches to a zone; NGX_ERROR: not a zone of this layout and size */
ngx_int_t clipper_zone_attach(clipper_zone_t *zone, void *addr, size_t size,
    clipper_owner_t pid);

/* pieces of records and states that a death could not have restored */
uint64_t clipper_zone_overflows(clipper_zone_t *zone);

void clipper_zone_lock(clipper_zone_t *zone);

/*
 * Unlocks, then wakes the workers whose doorbell was requested under the lock.
 * Ringing may find a dead worker and reclaim what it held, under the lock
 * again: what the caller has read from the tables may have changed when this
 * returns.
 */
void clipper_zone_unlock(clipper_zone_t *zone);



#endif /* _CLIPPER_ZONE_H_INCLUDED_ */

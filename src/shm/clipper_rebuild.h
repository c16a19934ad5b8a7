
/*
 * Repair after a death: what follows from the tables, and what the dead held.
 */


#ifndef _CLIPPER_REBUILD_H_INCLUDED_
#define _CLIPPER_REBUILD_H_INCLUDED_


#include "shm/clipper_table.h"


/* derives lists, heaps and counts from the tables; frees what has no owner */
void clipper_rebuild_locked(clipper_zone_t *zone);

/* frees all that a worker held; its clients are lost, no others */
void clipper_rebuild_reclaim_locked(clipper_zone_t *zone, uint32_t slot);


#endif /* _CLIPPER_REBUILD_H_INCLUDED_ */

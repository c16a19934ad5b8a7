
/*
 * Doorbells: workers to wake once the lock is free.
 */


#ifndef _CLIPPER_DOOR_H_INCLUDED_
#define _CLIPPER_DOOR_H_INCLUDED_


#include "shm/clipper_table.h"


/* has a worker woken after the unlock, if it sleeps or is the caller */
void clipper_door_wake_locked(clipper_zone_t *zone, uint32_t slot);

/* has a worker woken whatever it does */
void clipper_door_mark_locked(clipper_zone_t *zone, uint32_t slot);

/* the unlock rings, unless they are held back until the release */
void clipper_door_ring(clipper_zone_t *zone);
void clipper_door_hold(clipper_zone_t *zone);
void clipper_door_release(clipper_zone_t *zone);


#endif /* _CLIPPER_DOOR_H_INCLUDED_ */

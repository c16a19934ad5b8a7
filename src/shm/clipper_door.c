
/*
 * Doorbells, see the header; the unlock rings them.
 */


#include "shm/clipper_door.h"


void
clipper_door_wake_locked(clipper_zone_t *zone, uint32_t slot)
{
    clipper_worker_t  *w;

    clipper_zone_locked(zone);

    w = &zone->workers[slot];

    if (slot != zone->slot) {
        if (!w->armed) {
            return;
        }

        w->armed = 0;
    }

    zone->ring[slot / 64] |= (uint64_t) 1 << (slot % 64);
}

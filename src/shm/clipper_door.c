
/*
 * Doorbells, see the header.
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

    clipper_door_mark_locked(zone, slot);
}


void
clipper_door_mark_locked(clipper_zone_t *zone, uint32_t slot)
{
    clipper_zone_locked(zone);

    zone->ring[slot / 64] |= (uint64_t) 1 << (slot % 64);
    zone->marked = 1;
}


void
clipper_door_hold(clipper_zone_t *zone)
{
    zone->held = 1;
}


void
clipper_door_release(clipper_zone_t *zone)
{
    zone->held = 0;
    clipper_door_ring(zone);
}


void
clipper_door_ring(clipper_zone_t *zone)
{
    if (!zone->marked || zone->held || zone->flush == NULL) {
        return;
    }

    zone->marked = 0;
    zone->flush();
}


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

    zone->ring[slot / 64] |= (uint64_t) 1 << (slot % 64);
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
    ngx_uint_t  i;

    if (zone->held || zone->flush == NULL) {
        return;
    }

    for (i = 0; i < CLIPPER_WORKERS / 64; i++) {

        if (zone->ring[i]) {
            zone->flush();
            return;
        }
    }
}


/*
 * The turn of a model's replicas, see the header.
 *
 * `turn` is the row of the replica that has it, and `turn_us` the time since
 * when it is about to go or away; without `turn` its connection is closed.
 * Each order of stores leaves, wherever a death cuts it off, a turn that ends.
 */


#include "shm/clipper_registry_turn.h"


uint64_t
clipper_registry_turn_take_locked(clipper_zone_t *zone, uint32_t replica,
    uint64_t now_us)
{
    uint64_t                end_us;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];

    if (r->moved_us) {
        end_us = r->moved_us + CLIPPER_TURN_PAUSE_US;

        if (now_us < end_us) {
            return end_us - now_us;
        }
    }

    if (model->turn_us) {
        end_us = model->turn_us + CLIPPER_TURN_AWAY_US;

        if (now_us < end_us) {
            return end_us - now_us;
        }
    }

    model->turn_us = now_us;
    clipper_row_publish(model->turn, replica);

    return 0;
}


void
clipper_registry_turn_away_locked(clipper_zone_t *zone, uint32_t replica,
    uint64_t now_us)
{
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    model = &zone->models[zone->replicas[replica].model];

    /* after its time was over another one may have taken the turn */

    if (model->turn == replica) {
        model->turn_us = now_us;
    }
}


void
clipper_registry_turn_back_locked(clipper_zone_t *zone, uint32_t replica,
    uint64_t now_us)
{
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];

    if (model->turn == 0 && model->turn_us) {
        r->moved_us = now_us;
        model->turn_us = 0;
    }
}


void
clipper_registry_turn_gone_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    model = &zone->models[zone->replicas[replica].model];

    if (model->turn == replica) {
        clipper_row_publish(model->turn, 0);
    }
}


void
clipper_registry_turn_end_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    model = &zone->models[zone->replicas[replica].model];

    if (model->turn == replica) {
        model->turn_us = 0;
        clipper_row_publish(model->turn, 0);
    }
}

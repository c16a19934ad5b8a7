
/*
 * Whose turn it is to move.
 *
 * A replica without a token cannot be told to move: it is disconnected, and is
 * away until it has connected anew.  So the replicas of a model go one after
 * the other, whichever workers have them: the turn belongs to the model, is
 * taken by a replica, and ends when one without a token joins, or after some
 * seconds.  Meanwhile queries wait for the one that is away.
 *
 * A worker that dies with a turn gives it back: its row is the owner mark.
 */


#ifndef _CLIPPER_REGISTRY_TURN_H_INCLUDED_
#define _CLIPPER_REGISTRY_TURN_H_INCLUDED_


#include "shm/clipper_table.h"


#define CLIPPER_TURN_AWAY_US   7000000      /* for one that must speak first */
#define CLIPPER_TURN_PAUSE_US  60000000     /* between moves of a replica */


/*
 * 0: the replica has the turn, and the caller gives it no more work; else the
 * time in us after which to ask again, at most.
 */
uint64_t clipper_registry_turn_take_locked(clipper_zone_t *zone,
    uint32_t replica, uint64_t now_us);

/* the replica that has the turn is disconnected now; its row goes next */
void clipper_registry_turn_away_locked(clipper_zone_t *zone,
    uint32_t replica, uint64_t now_us);

/* one without a token joins: it is the one that was away, if one was */
void clipper_registry_turn_back_locked(clipper_zone_t *zone,
    uint32_t replica, uint64_t now_us);

/* the row of a replica becomes free; it may have had the turn */
void clipper_registry_turn_gone_locked(clipper_zone_t *zone,
    uint32_t replica);

/* its worker ends, or is dead, and the row is not yet free: no turn is left */
void clipper_registry_turn_end_locked(clipper_zone_t *zone, uint32_t replica);


#endif /* _CLIPPER_REGISTRY_TURN_H_INCLUDED_ */

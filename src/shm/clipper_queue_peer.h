
/*
 * Inputs that a replica leaves to faster ones of its model.
 *
 * A replica that has become slow would drop each input that it cannot answer on
 * time itself, and as it is idle most of the time, nearly all of them.  So it
 * drops an input only if even the fastest replica could not answer it, or to
 * make room when the others cannot serve the queue either, and leaves the rest.
 * After some time it is tried with an input that another replica gets as well.
 */


#ifndef _CLIPPER_QUEUE_PEER_H_INCLUDED_
#define _CLIPPER_QUEUE_PEER_H_INCLUDED_


#include "shm/clipper_queue_take.h"


/* a batch of n came back to the caller's replica: clipper_batch_observe() */
void clipper_queue_peer_observe_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_batch_conf_t *conf, uint64_t now_us, ngx_uint_t n,
    uint64_t latency_us, ngx_uint_t on_time);

/* the fastest replica if it is much faster than this one, else NULL */
clipper_replica_row_t *clipper_queue_peer_faster_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r);

/*
 * The time in us after which a batch of n is late, by the profile of this
 * replica or of the fastest one, whichever is less; 0: not known.
 */
uint64_t clipper_queue_peer_late_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r, ngx_uint_t n);

/* 1: the replica leaves this queue to replicas like `faster` */
ngx_uint_t clipper_queue_peer_leaves(const clipper_replica_row_t *r,
    const clipper_replica_row_t *faster, const clipper_take_t *take,
    const clipper_batch_load_t *load);

/* wakes an idle replica that is faster */
void clipper_queue_peer_notify_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r);

/* a slow replica is tried with this flight: another one gets it as well */
void clipper_queue_peer_share_locked(clipper_zone_t *zone, uint32_t flight);


#endif /* _CLIPPER_QUEUE_PEER_H_INCLUDED_ */

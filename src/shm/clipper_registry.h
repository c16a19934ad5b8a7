
/*
 * Who is there: workers, applications, model versions and replicas, by
 * interned names, so that workers with different configurations share them.
 */


#ifndef _CLIPPER_REGISTRY_H_INCLUDED_
#define _CLIPPER_REGISTRY_H_INCLUDED_


#include "shm/clipper_zone.h"


/* what a container said of itself */

typedef struct {
    uint32_t      model;                /* row */
    uint32_t      input_type;
    uint32_t      rpc_version;
    ngx_str_t     token;                /* 16 bytes, or empty */
    ngx_str_t     digest;               /* up to 64 bytes, or empty */
} clipper_announcement_t;


/*
 * A row for the calling worker, which becomes its zone->slot; 0: all rows are
 * taken.  Those of dead workers are reclaimed by .._bury() before.
 */
uint32_t clipper_registry_claim_locked(clipper_zone_t *zone,
    const u_char *door, size_t door_len, ngx_str_t *generation, int64_t now);

/*
 * Reclaims the rows of workers that have exited; the number of them.  Takes
 * the lock for each that is dead: nobody waits while the kernel is asked.
 */
ngx_uint_t clipper_registry_bury(clipper_zone_t *zone);

/* the row of a name, made when there is none; 0: the table is full */
uint32_t  clipper_registry_app_locked(clipper_zone_t *zone, ngx_str_t *name);
uint32_t clipper_registry_model_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version);

/* the same without making one */
uint32_t clipper_registry_find_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version);

/* the highest version that replicas have announced; 0: none */
uint32_t clipper_registry_current_locked(clipper_zone_t *zone,
    ngx_str_t *name);

/* models by their names anew, for the rebuild */
void clipper_registry_index_locked(clipper_zone_t *zone);

/* marks rows that the calling worker's configuration names */
void clipper_registry_pin_locked(clipper_zone_t *zone, uint64_t *map,
    uint32_t row);

/* < 0, 0, > 0, number by number: "1.10" is above "1.9", "b" above "a" */
ngx_int_t clipper_registry_compare(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


/* --- replicas: each call but join is for a row of the calling worker --- */

/* a probing replica; 0: the table is full */
uint32_t clipper_registry_replica_join_locked(clipper_zone_t *zone,
    clipper_announcement_t *a, uint64_t now_us);

/*
 * It may get work.  What has joined before with the same token of the same
 * model gets none any more: its container has moved here.  When the container
 * has moved on meanwhile, this one gets none.
 */
void clipper_registry_replica_ready_locked(clipper_zone_t *zone,
    uint32_t replica);

void clipper_registry_replica_leaving_locked(clipper_zone_t *zone,
    uint32_t replica);

/* its leases are the caller's to end before */
void clipper_registry_replica_gone_locked(clipper_zone_t *zone,
    uint32_t replica);

/* its batch is back: into the idle list if it is ready */
void clipper_registry_replica_idle_locked(clipper_zone_t *zone,
    uint32_t replica);

/* out of the idle list */
void clipper_registry_replica_busy_locked(clipper_zone_t *zone,
    uint32_t replica);


/* has a worker woken when the lock is free, if it sleeps or is the caller */
void clipper_registry_wake_locked(clipper_zone_t *zone, uint32_t slot);


#endif /* _CLIPPER_REGISTRY_H_INCLUDED_ */

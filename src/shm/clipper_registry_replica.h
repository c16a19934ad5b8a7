
/*
 * The replicas' rows of the registry.  Each call but join is for a row of the
 * calling worker.
 */


#ifndef _CLIPPER_REGISTRY_REPLICA_H_INCLUDED_
#define _CLIPPER_REGISTRY_REPLICA_H_INCLUDED_


#include "shm/clipper_table.h"


/* what a container announced */

typedef struct {
    uint32_t      model;                /* row */
    uint32_t      input_type;
    uint32_t      rpc_version;
    ngx_str_t     token;                /* 16 bytes, or empty */
    ngx_str_t     digest;               /* up to 64 bytes, or empty */
} clipper_announcement_t;


/* adds a probing replica; 0: the table is full */
uint32_t clipper_registry_replica_join_locked(clipper_zone_t *zone,
    clipper_announcement_t *a, uint64_t now_us);

/* notes where a replica's connection comes from, an address without a port */
void clipper_registry_replica_from_locked(clipper_zone_t *zone,
    uint32_t replica, ngx_str_t *address);

/*
 * The replica may get work from now on.  Older connections with the same token
 * and model get no more work: the container has moved here.  If it has moved
 * on meanwhile, this connection gets none.
 */
void clipper_registry_replica_ready_locked(clipper_zone_t *zone,
    uint32_t replica);

void clipper_registry_replica_leaving_locked(clipper_zone_t *zone,
    uint32_t replica);

/*
 * The caller has ended its leases.  A connection whose place it had taken gets
 * work again; the caller notifies its worker.
 */
void clipper_registry_replica_gone_locked(clipper_zone_t *zone,
    uint32_t replica, uint64_t now_us);

/*
 * When the last replica with the current digest is gone, the digest of the
 * youngest one left becomes current; otherwise its answers would no longer be
 * cached.  The epoch changes, as the cache may have answers of the other model.
 */
void clipper_registry_replica_current_locked(clipper_zone_t *zone,
    uint32_t model);

/* its batch is done: joins the idle list if it is ready */
void clipper_registry_replica_idle_locked(clipper_zone_t *zone,
    uint32_t replica);

/* whether its batch takes longer than batches of its size ever do */
static ngx_inline ngx_uint_t
clipper_registry_replica_stuck(const clipper_replica_row_t *r, uint64_t now_us)
{
    return r->busy && r->stuck_us && now_us >= r->stuck_us;
}

/* leaves the idle list */
void clipper_registry_replica_busy_locked(clipper_zone_t *zone,
    uint32_t replica);


#endif /* _CLIPPER_REGISTRY_REPLICA_H_INCLUDED_ */

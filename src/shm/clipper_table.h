
/*
 * The layout of the shared memory zone that carries queries between workers.
 *
 * Fixed tables hold what must survive the death of a worker anywhere: each row
 * has a `state` word, stored last, and the mark of its owner.  All lists,
 * heaps and counts (marked "derived") follow from the tables, so if a holder
 * of the lock dies during a change, one scan rebuilds the zone
 * (clipper_rebuild.c).  Rows are referred to by index; row 0 of every table is
 * unused and means "none".  Shared memory contains no pointers.
 */


#ifndef _CLIPPER_TABLE_H_INCLUDED_
#define _CLIPPER_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_lock.h"
#include "shm/clipper_row_query.h"
#include "shm/clipper_row_name.h"
#include "base/clipper_hash.h"


#define CLIPPER_CAUSES        64                /* of dropped messages */
#define CLIPPER_REFUSALS      8                 /* causes of them */


typedef struct {
    uint32_t                   offset;          /* in units of 64 bytes */
    uint32_t                   n;               /* rows, with row 0 */
    uint32_t                   free;            /* derived: list */
    uint32_t                   used;            /* derived */
} clipper_table_t;


typedef struct {
    uint64_t                   magic;
    uint64_t                   size;
    clipper_lock_t             lock;

    clipper_table_t            workers;
    clipper_table_t            apps;
    clipper_table_t            models;
    clipper_table_t            replicas;
    clipper_table_t            flights;
    clipper_table_t            waiters;
    clipper_table_t            chunks;
    clipper_table_t            buckets;
    clipper_table_t            metrics;
    clipper_table_t            payload;
    clipper_table_t            states;          /* areas with locks of their */
    clipper_table_t            records;         /* own, measured in bytes */

    uint64_t                   seq;             /* of flights */
    uint64_t                   query_id;        /* next, before scrambling */
    uint64_t                   rebuilds;
    uint32_t                   registry;        /* changes of the registry */
    uint32_t                   cycle;           /* latest in force */
    uint32_t                   cycle_entered;   /* latest with workers */
    uint64_t                   suspect_us;      /* until there may be one */
    clipper_suspect_t suspects[CLIPPER_SUSPECTS];
    uint64_t                   rpc_errors[CLIPPER_CAUSES];
    uint64_t                   refusals[CLIPPER_REFUSALS];
    int64_t                    started;
    clipper_hash_key_t  key;

    uint32_t                   names[CLIPPER_ROWS_MAX];
                                                /* derived: models by name and
                                                   version */
} clipper_header_t;


/* the view of a process on the zone */

typedef struct clipper_zone_s  clipper_zone_t;

struct clipper_zone_s {
    clipper_header_t                *header;
    clipper_worker_t                *workers;
    clipper_app_row_t               *apps;
    clipper_model_row_t             *models;
    clipper_replica_row_t           *replicas;
    clipper_flight_t                *flights;
    clipper_waiter_t                *waiters;
    clipper_chunk_t                 *chunks;
    clipper_bucket_t                *buckets;
    uint64_t                        *metrics;
    u_char                          *payload;
    void                            *states;
    void                            *records;

    clipper_owner_t                  pid;       /* this process */
    uint64_t                         lesson;    /* number of the feedback
                                                   being learned; 0: records
                                                   are consumed at once */
    ngx_uint_t                       notes;     /* the ring of records keeps
                                                   labels that wait */
    uint32_t                         slot;      /* of this worker, or 0 */
    uint32_t                         cycle;     /* of this worker */
    uint64_t                         ring[CLIPPER_WORKERS / 64];
                                                /* workers to wake once the
                                                   lock is free */
    ngx_uint_t                       marked;    /* there are some */
    ngx_uint_t                       held;      /* not yet */
    void                           (*flush)(void);
                                                /* wakes them; NULL: none */
};


#if (CLIPPER_LOCK_CHECK)
#define clipper_zone_locked(zone)                                             \
    clipper_locked(&(zone)->header->lock, (zone)->pid)
#else
#define clipper_zone_locked(zone)
#endif


#endif /* _CLIPPER_TABLE_H_INCLUDED_ */

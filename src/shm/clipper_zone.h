
/*
 * The layout of the shared memory zone that carries queries between workers.
 *
 * Fixed tables hold what must survive the death of a worker anywhere: each
 * row has a `state` word that is stored last, and the mark of its owner.  All
 * lists, heaps and counts (marked "derived") follow from the tables, so that
 * a zone whose holder died in the middle of a change is rebuilt by one scan
 * (clipper_rebuild.c).
 *
 * Rows are named by their index; row 0 of every table is unused and means
 * "none".  No pointer lives in shared memory.
 */


#ifndef _CLIPPER_ZONE_H_INCLUDED_
#define _CLIPPER_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_lock.h"
#include "base/clipper_hash.h"
#include "batch/clipper_batch.h"


#define CLIPPER_WORKERS       128               /* rows, live and retiring */
#define CLIPPER_TEXT          256               /* a name with its NUL */
#define CLIPPER_CHUNK         512               /* bytes of payload */
#define CLIPPER_INLINE        96                /* bytes of a short output */
#define CLIPPER_LEASES        2                 /* replicas of one task */
#define CLIPPER_JOINS         256               /* waiters of one flight */
#define CLIPPER_CAUSES        64                /* of dropped messages */


/* state words; 0 is a free row in every table */

#define CLIPPER_FREE          0

#define CLIPPER_QUEUED        1                 /* flight: waits in the queue */
#define CLIPPER_LEASED        2                 /*         is with a replica */
#define CLIPPER_DONE          3                 /*         has its result */

#define CLIPPER_WAITING       1                 /* waiter: for its flight */
#define CLIPPER_DROPPED       2                 /*         cannot be on time */

#define CLIPPER_USED          1                 /* worker, model, application */

#define CLIPPER_PROBING       1                 /* replica: not yet ready */
#define CLIPPER_READY         2                 /*          may get work */
#define CLIPPER_LEAVING       3                 /*          gets no new work */


/* how a flight ended */

typedef enum {
    CLIPPER_RESULT_OUTPUT = 0,
    CLIPPER_RESULT_ERROR,                       /* the model failed on it */
    CLIPPER_RESULT_LATE,                        /* skipped or infeasible */
    CLIPPER_RESULT_SHED                         /* dropped for others' sake */
} clipper_result_e;


/* owner of a payload chunk: free, on loan to a worker, or a flight's */

#define CLIPPER_CHUNK_LOAN    0x80000000u
#define CLIPPER_CHUNK_ORPHAN  0x40000000u

typedef struct {
    uint32_t                   owner;
    uint32_t                   next;            /* of the chain, or free list */
} clipper_chunk_t;


/* one input on its way to one model, wanted by one or more waiters */

typedef struct {
    uint32_t                   state;
    uint32_t                   gen;
    uint32_t                   model;
    uint32_t                   attempts;        /* replicas lost with it */
    uint32_t                   retried;         /* after a loss, or a suspect */
    uint64_t                   key[2];          /* digest of its input */
    uint32_t                   shared;          /* found by its key */
    uint64_t                   seq;             /* order of equal deadlines */
    uint64_t                   lease[CLIPPER_LEASES];
    uint64_t                   queued_us;
    uint64_t                   sent_us;
    uint64_t                   done_us;
    uint32_t                   input;           /* chunk */
    uint32_t                   input_len;
    uint32_t                   output;          /* chunk, or 0: inline */
    uint32_t                   output_len;
    uint32_t                   result;
    uint32_t                   batch_size;
    uint32_t                   input_type;
    u_char                     data[CLIPPER_INLINE];

    /* derived */
    uint64_t                   deadline_us;     /* earliest of its waiters */
    uint32_t                   left;
    uint32_t                   right;
    uint32_t                   parent;
    uint32_t                   rank;
    uint32_t                   next;            /* hash chain, or free list */
    uint32_t                   waiters;         /* list */
    uint32_t                   nwaiters;
} clipper_flight_t;


/* one ask of a worker: {worker, row, gen} is all that shared memory knows */

typedef struct {
    uint32_t                   state;
    uint32_t                   gen;
    uint32_t                   worker;
    uint32_t                   flight;
    uint64_t                   deadline_us;
    uint32_t                   reason;          /* result, when dropped */
    uint32_t                   joined;

    /* derived */
    uint32_t                   next;            /* of the flight, or free */
    uint32_t                   prev;
    uint32_t                   mail_next;
    uint32_t                   mail_prev;
    uint32_t                   posted;          /* in its worker's mailbox */
} clipper_waiter_t;


typedef struct {
    uint32_t                   state;
    uint32_t                   gen;
    uint32_t                   worker;
    uint32_t                   model;
    uint32_t                   id;              /* replica id of the model */
    uint32_t                   rpc_version;
    uint32_t                   input_type;
    uint32_t                   digest_len;
    u_char                     token[16];
    u_char                     digest[64];
    uint32_t                   epoch;           /* of its model then */

    uint32_t                   busy;            /* inputs in flight */
    uint32_t                   stuck;           /* its batch was given up */
    uint64_t                   sent_us;
    uint64_t                   connected_us;

    uint64_t                   nbatches;
    uint64_t                   ninputs;
    uint64_t                   nerrors;

    clipper_batch_t            batch;

    /* derived */
    uint32_t                   idle;            /* in its model's list */
    uint32_t                   next;            /* idle, or free list */
    uint32_t                   prev;
} clipper_replica_row_t;


typedef struct {
    uint32_t                   state;
    uint32_t                   epoch;           /* part of every cache key */
    uint32_t                   gen;             /* of the name: a row that
                                                   is another's has another */
    u_char                     name[CLIPPER_TEXT];
    u_char                     version[CLIPPER_TEXT];
    uint32_t                   announced;       /* by a replica, once */
    uint32_t                   input_type;      /* as announced last */
    uint32_t                   next_id;         /* of replicas */
    uint32_t                   digest_len;
    u_char                     digest[64];
    uint32_t                   profiled;
    clipper_batch_t            profile;         /* of the last replica */

    /* derived */
    uint32_t                   root;            /* heap of queued flights */
    uint32_t                   last;            /* their last, or 0: unknown */
    uint32_t                   queued;
    uint64_t                   queued_bytes;
    uint64_t                   tail_us;         /* latest deadline queued */
    uint32_t                   flights;         /* not free */
    uint32_t                   idle;            /* list of replicas */
    uint16_t                   idles[CLIPPER_WORKERS];
                                                /* in it, of each worker */
    uint32_t                   replicas;        /* ready ones */
    uint32_t                   members;         /* in any state */
    uint64_t                   probed_us;       /* the latest connection of a
                                                   probing one, 0: none */
    uint32_t                   next;            /* of the name's hash chain */
} clipper_model_row_t;


typedef struct {
    uint32_t                   state;
    u_char                     name[CLIPPER_TEXT];
} clipper_app_row_t;


#define CLIPPER_ROWS_MAX      512               /* models, applications */

typedef struct {
    uint32_t                   state;
    uint32_t                   gen;
    uint32_t                   pid;
    uint32_t                   retiring;
    uint32_t                   waiting;         /* clients that have asked
                                                   nothing yet, retiring */
    uint32_t                   armed;           /* sleeps: ring to wake it */
    uint32_t                   store;           /* which Redis; 0: none */
    uint32_t                   door_len;
    u_char                     door[16];        /* abstract socket name */
    int64_t                    started;         /* seconds since the epoch */
    u_char                     generation[64];
    uint64_t                   models[CLIPPER_ROWS_MAX / 64];
    uint64_t                   apps[CLIPPER_ROWS_MAX / 64];

    /* derived */
    uint32_t                   mail_head;
    uint32_t                   mail_tail;
} clipper_worker_t;


typedef struct {
    uint32_t                   head;
    uint32_t                   settled;         /* flights that ended here */
} clipper_bucket_t;


/* an input that replicas died of, for a minute */

#define CLIPPER_SUSPECTS      64

typedef struct {
    uint64_t                   key[2];
    uint64_t                   until_us;
} clipper_suspect_t;


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
    uint64_t                   suspect_us;      /* until there may be one */
    clipper_suspect_t suspects[CLIPPER_SUSPECTS];
    uint64_t                   rpc_errors[CLIPPER_CAUSES];
    int64_t                    started;
    clipper_hash_key_t  key;

    uint32_t                   names[CLIPPER_ROWS_MAX];
                                                /* derived: models by name and
                                                   version */
} clipper_header_t;


/* a process' view of the zone */

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

    uint32_t                         pid;
    uint32_t                         slot;      /* of this worker, or 0 */
    uint64_t                         ring[CLIPPER_WORKERS / 64];
                                                /* workers to wake once the
                                                   lock is free */
    void                           (*flush)(void);
                                                /* wakes them; NULL: nobody */
};


/* lays out a fresh zone in `size` zeroed bytes; NGX_ERROR: too small */
ngx_int_t clipper_zone_create(void *addr, size_t size, const u_char seed[32],
    int64_t now);

/* rows for applications, and for model versions, with row 0 */
size_t clipper_zone_rows(size_t size);

/* a view of a zone; NGX_ERROR: not a zone of this layout and size */
ngx_int_t clipper_zone_attach(clipper_zone_t *zone, void *addr, size_t size,
    uint32_t pid);

/* pieces of records and states that a death would not have put back */
uint64_t clipper_zone_overflows(clipper_zone_t *zone);

void clipper_zone_lock(clipper_zone_t *zone);

/*
 * Then wakes those whose doorbell was asked for under the lock.  Ringing may
 * find a worker dead and reclaim what it held, under the lock again: what the
 * caller has read of the tables may have changed when this returns.
 */
void clipper_zone_unlock(clipper_zone_t *zone);

/* takes a row from a table's free list; 0: the table is full */
#define clipper_row_take(table, rows, row)                                    \
    do {                                                                      \
        (row) = (table)->free;                                                \
        if (row) {                                                            \
            (table)->free = (rows)[row].next;                                 \
            (table)->used++;                                                  \
        }                                                                     \
    } while (0)

#define clipper_row_give(table, rows, row)                                    \
    do {                                                                      \
        (rows)[row].next = (table)->free;                                     \
        (table)->free = (row);                                                \
        (table)->used--;                                                      \
    } while (0)

/* stores the word that makes a row what it says, after all that it relies on */
#define clipper_publish(word, value)                                          \
    __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

#if (CLIPPER_LOCK_CHECK)
#define clipper_zone_locked(zone)                                             \
    clipper_locked(&(zone)->header->lock, (zone)->pid)
#else
#define clipper_zone_locked(zone)
#endif


/* --- rebuild --- */

/* derives lists, heaps and counts from the tables; frees what nobody owns */
void clipper_rebuild_locked(clipper_zone_t *zone);

/* gives back all that a worker held; its clients are lost, nobody else's */
void clipper_rebuild_reclaim_locked(clipper_zone_t *zone, uint32_t slot);


#endif /* _CLIPPER_ZONE_H_INCLUDED_ */

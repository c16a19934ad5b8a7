
/*
 * Rows for workers, applications, models, and the connections of containers.
 */

#ifndef _CLIPPER_ROW_NAME_H_INCLUDED_
#define _CLIPPER_ROW_NAME_H_INCLUDED_

#include <ngx_config.h>
#include "shm/clipper_lock.h"
#include "shm/clipper_row.h"
#include "batch/clipper_batch.h"

#define CLIPPER_WORKERS       512               /* rows, at most */
#define CLIPPER_TEXT          256               /* a name with its NUL */
#define CLIPPER_ROWS_MAX      512               /* models, applications */


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
    u_char                     address[48];     /* and a NUL */
    uint32_t                   epoch;           /* of its model at that time */
    uint32_t                   busy;            /* inputs in flight */
    uint32_t                   copied;          /* its batch has copies */
    uint32_t                   superseded;      /* another one has its token */
    uint64_t                   sent_us;
    uint64_t                   stuck_us;        /* from then on; 0: idle */
    uint64_t                   connected_us;
    uint64_t                   moved_us;        /* back from a move; 0: none */
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
    uint32_t                   gen;             /* another with each name */
    u_char                     name[CLIPPER_TEXT];
    u_char                     version[CLIPPER_TEXT];
    uint32_t                   announced;       /* by a replica, once */
    uint32_t                   input_type;      /* as announced last */
    uint32_t                   next_id;         /* of replicas */
    uint32_t                   digest_len;
    u_char                     digest[64];
    uint64_t                   hung_us;         /* last batch timeout, or 0 */
    uint64_t                   left_us;         /* its last replica left */
    uint32_t                   profiled;
    clipper_batch_t            profile;         /* of the last replica */
    uint32_t                   turn;            /* replica about to move */
    uint64_t                   turn_us;         /* it is, or away; 0: none */
    uint32_t                   answered;        /* any input, of this epoch */
    uint32_t                   failed;          /* inputs in a row */
    u_char                     error[CLIPPER_TEXT];      /* of the latest */
    int64_t                    error_time;      /* seconds since the epoch */

    /* derived */
    uint32_t                   root;            /* heap of queued flights */
    uint32_t                   last;            /* their last, or 0: unknown */
    uint32_t                   queued;
    uint64_t                   queued_bytes;
    uint64_t                   tail_us;         /* latest deadline queued */
    uint32_t                   flights;         /* not free */
    uint32_t                   idle;            /* list of replicas */
    uint16_t                   idles[CLIPPER_WORKERS];   /* of each worker */
    uint32_t                   replicas;        /* ready ones */
    uint32_t                   members;         /* in any state */
    uint32_t                   fastest;         /* replica, or 0 */
    int32_t                    credit;          /* for copies of late inputs */
    uint32_t                   known;           /* queued as it was rated */
    float                      rate;            /* inputs per us */
    uint64_t                   rated_us;
    uint64_t                   probed_us;       /* the latest; 0: none probes */
    uint32_t                   next;            /* of the name's hash chain */
} clipper_model_row_t;


typedef struct {
    uint32_t                   state;
    u_char                     name[CLIPPER_TEXT];
} clipper_app_row_t;

typedef struct {
    uint32_t                   state;
    uint32_t                   gen;
    clipper_owner_t            pid;             /* its process */
    uint32_t                   cycle;           /* of nginx */
    uint32_t                   retiring;
    uint32_t                   waiting;         /* clients without a query */
    uint32_t                   lacking;         /* names without a row */
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


#endif /* _CLIPPER_ROW_NAME_H_INCLUDED_ */

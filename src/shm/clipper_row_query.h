
/*
 * Rows of the zone for inputs under way: flights, their waiters, and their
 * payload.  Fields marked "derived" follow from the rest.
 */


#ifndef _CLIPPER_ROW_QUERY_H_INCLUDED_
#define _CLIPPER_ROW_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "shm/clipper_row.h"


#define CLIPPER_CHUNK         512               /* bytes of payload */
#define CLIPPER_INLINE        96                /* bytes of a short output */
#define CLIPPER_LEASES        2                 /* replicas of one task */
#define CLIPPER_JOINS         4096              /* waiters of one flight */


/* how a flight ended */

typedef enum {
    CLIPPER_RESULT_OUTPUT = 0,
    CLIPPER_RESULT_ERROR,                       /* the model failed on it */
    CLIPPER_RESULT_LATE,                        /* skipped or infeasible */
    CLIPPER_RESULT_SHED                         /* dropped for others */
} clipper_result_e;


/*
 * Payload.  The first chunk of a chain has its owner (a flight, or a worker
 * that has it on loan), last chunk and length; the others are as free ones.
 */
#define CLIPPER_CHUNK_LOAN  0x80000000u

typedef struct {
    uint32_t                   owner;
    uint32_t                   next;            /* of the chain, or free list */
    uint32_t                   last;
    uint32_t                   n;
} clipper_chunk_t;


/* one input on its way to one model, for one or more waiters */

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
    uint64_t                   hedged_us;       /* queued beside its lease */
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


/* an ask of a worker, known to shared memory as {worker, row, gen} only */

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
    uint32_t                   head;
    uint32_t                   settled;         /* flights that ended here */
} clipper_bucket_t;


/* an input that killed replicas, or that they hung with */
#define CLIPPER_SUSPECTS      256

typedef struct {
    uint64_t                   key[2];
    uint64_t                   until_us;
    uint32_t                   strikes;         /* times it was found */
} clipper_suspect_t;


#endif /* _CLIPPER_ROW_QUERY_H_INCLUDED_ */

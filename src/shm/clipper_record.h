
/*
 * Answered queries that may get feedback: a ring in shared memory.
 *
 * A record is found by the id of its query, or by application, user and input.
 * Getting a record consumes it: no query is learned from twice.  The oldest
 * records are overwritten; everything is O(1).  These functions take the
 * ring's own lock; a worker that dies in one of them leaves the ring as it was
 * before the call.
 *
 * A shared record is in Redis, too, where other instances may get it.  It is
 * claimed there before it is consumed here.  Where records are shared, the ids
 * of consumed ones are known while the ring has them.
 */


#ifndef _CLIPPER_RECORD_H_INCLUDED_
#define _CLIPPER_RECORD_H_INCLUDED_


#include "learn/clipper_policy_view.h"
#include "shm/clipper_table.h"


/* a longer output is not stored and cannot be judged */
#define CLIPPER_RECORD_OUTPUT   64
#define CLIPPER_RECORD_LONG     255

/* the member was to be served and had no output in time */
#define CLIPPER_RECORD_MISSED   254


typedef struct {
    uint64_t            query_id;
    uint64_t            uid[2];                 /* digest; 0, 0: no user */
    uint64_t            input[2];               /* digest of the input alone */
    uint64_t            up;                     /* at the selection */
    uint64_t            seen;                   /* arrived on time, or missed
                                                   by the chosen member */
    double              propensity;
    double              time;                   /* clipper_clock_boot() */
    uint32_t            app;                    /* registry row */
    int32_t             served;                 /* or .._POLICY_ALL */
    uint32_t            n;
    uint32_t            shared;                 /* 1: it may be in Redis */
    clipper_owner_t     owner;                  /* who claims it, or learns
                                                   from it; 0: nobody */
    uint64_t            lesson;                 /* the owner's number of it */
    uint64_t            key[CLIPPER_POLICY_MEMBERS];
    u_char              len[CLIPPER_POLICY_MEMBERS];
                                                /* of outputs, or .._LONG,
                                                   .._MISSED */
    u_char              output[CLIPPER_POLICY_MEMBERS]
                              [CLIPPER_RECORD_OUTPUT];
} clipper_record_t;


/* stores the output of member i, or that it was too long */
void clipper_record_output(clipper_record_t *record, ngx_uint_t i,
    const u_char *data, size_t len);

/* an empty ring in zeroed bytes, with a secret seed; NGX_ERROR: too few */
ngx_int_t clipper_record_create(void *addr, size_t size, const u_char seed[32]);

/* NGX_ERROR: no ring of this version of the module */
ngx_int_t clipper_record_validate(void *addr, size_t size);

typedef struct {
    size_t              size;                   /* bytes of the ring */
    size_t              used;
    size_t              records;                /* that wait for feedback */
    double              span;                   /* seconds since the oldest was
                                                   written; 0: there is none */
    uint64_t            stored;                 /* in Redis, since the start */
    uint64_t            missed;                 /* that should be there */
} clipper_record_usage_t;

void clipper_record_usage(clipper_zone_t *zone, double now,
    clipper_record_usage_t *usage);

/* a record is in Redis, or is not */
void clipper_record_count(clipper_zone_t *zone, ngx_uint_t stored);

/* overwrites the oldest, but no waiting label; NGX_DECLINED: no room for it */
ngx_int_t clipper_record_put(clipper_zone_t *zone,
    const clipper_record_t *record);

/*
 * NGX_OK: *out is the record, which is consumed; if zone->lesson is not 0, it
 * is reserved for that lesson until clipper_record_claim_end().
 * NGX_DECLINED: the ring has none of that id, application and user (any more).
 * NGX_DONE: its lesson is over here: judged, another worker's, shared and older
 * than `since`.  If `since` is not 0, NGX_AGAIN: *out is shared, and for this
 * worker to claim; out->owner is not 0 if a worker died before it did.
 */
ngx_int_t clipper_record_take(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], double since, clipper_record_t *out);

/* the newest with this input that no worker has, or NGX_DECLINED; the same */
ngx_int_t clipper_record_find(clipper_zone_t *zone, uint32_t app,
    const uint64_t uid[2], const uint64_t input[2], double since,
    clipper_record_t *out);

/* a row for a record of Redis; NGX_DONE: the ring has it; NGX_DECLINED: full */
ngx_int_t clipper_record_place(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], double now);

/*
 * Consumes a shared record, *out.  NGX_OK: this call did; NGX_DONE: another
 * one had; NGX_DECLINED: the ring does not have it (any more), nor *out.
 */
ngx_int_t clipper_record_settle(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], clipper_record_t *out);

/* takes a shared record out of the ring, as if it had never been there */
void clipper_record_forget(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2]);


#endif /* _CLIPPER_RECORD_H_INCLUDED_ */

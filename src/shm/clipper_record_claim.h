
/*
 * Who has a record or a label that waits: a worker that claims it in Redis, or
 * learns from it.  The mark is the worker and the number of the lesson: if the
 * worker dies before it has learned, another one may take it.
 */


#ifndef _CLIPPER_RECORD_CLAIM_H_INCLUDED_
#define _CLIPPER_RECORD_CLAIM_H_INCLUDED_


#include "shm/clipper_record.h"


/*
 * What is known of the owners of records: of a dead one, what became of its
 * lesson, and who lives.  The kernel is asked without the lock.
 */

typedef struct {
    clipper_owner_t     owner;                  /* dead; 0: none */
    uint64_t            lesson;                 /* 0: it claimed it only */
    ngx_uint_t          learned;
    ngx_uint_t          n;
    clipper_owner_t     living[CLIPPER_WORKERS];
} clipper_record_claim_fate_t;


/*
 * A claim has succeeded.  NGX_OK: *out is the record, as of .._take; NGX_DONE:
 * it is not this worker's any more; NGX_DECLINED: the ring has lost it.  note:
 * the label that was kept for it, whose record the ring may have lost: then
 * out->n is 0.
 */
ngx_int_t clipper_record_claim_learn(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note,
    clipper_record_t *out);

/* the lesson is over: the record is consumed; keep: its id stays known */
void clipper_record_claim_end(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note, ngx_uint_t keep);

/*
 * Whether a dead process has learned the lesson with this number, which was
 * marked in a record.  NULL: it is taken as learned.
 */
extern ngx_uint_t  (*clipper_record_claim_learned)(clipper_owner_t owner,
    uint64_t lesson);

/*
 * NGX_OK, NGX_DONE and NGX_AGAIN as of clipper_record_take(); NGX_BUSY:
 * out->owner and out->lesson are set, and nothing else; .._fate() is to be
 * asked for them before the next call.
 */
ngx_int_t clipper_record_claim_get_locked(clipper_zone_t *zone, uint32_t pos,
    double since, const clipper_record_claim_fate_t *fate,
    clipper_record_t *out);

/* adds the answer; without any lock, as it asks the kernel */
void clipper_record_claim_fate(const clipper_record_t *record,
    clipper_record_claim_fate_t *fate);

void clipper_record_claim_mark_locked(clipper_zone_t *zone, uint32_t pos,
    uint64_t lesson);

/* consumes a row; of a note nothing stays */
void clipper_record_claim_over_locked(clipper_zone_t *zone, uint32_t pos,
    ngx_uint_t keep);


#endif /* _CLIPPER_RECORD_CLAIM_H_INCLUDED_ */

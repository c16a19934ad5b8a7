
/*
 * Who has a record or a label that waits: a worker that claims it in Redis, or
 * learns from it.  The mark is the worker and the number of the lesson: if the
 * worker dies before it has learned, another one may take it.
 */


#ifndef _CLIPPER_RECORD_CLAIM_H_INCLUDED_
#define _CLIPPER_RECORD_CLAIM_H_INCLUDED_


#include "shm/clipper_record.h"
#include "shm/clipper_record_fate.h"


/*
 * A claim has succeeded.  NGX_OK: *out is the record, as clipper_record_take()
 * gives it; NGX_DONE: it is no longer this worker's; NGX_DECLINED: the ring has
 * lost it.  note: the label that was kept for it, whose record the ring may
 * have lost: then out->n is 0.
 */
ngx_int_t clipper_record_claim_learn(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note,
    clipper_record_t *out);

/* the lesson is over: the record is consumed; keep: its id stays known */
void clipper_record_claim_end(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note, ngx_uint_t keep);

/* this worker gives up its claim of a record or a label: another may take it */
void clipper_record_claim_leave(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note);

/*
 * NGX_OK, NGX_DONE and NGX_AGAIN as those of clipper_record_take(); NGX_BUSY:
 * ask for the fate of its owner before the next call.
 */
ngx_int_t clipper_record_claim_get_locked(clipper_zone_t *zone, uint32_t pos,
    double since, clipper_record_fate_t *fate, clipper_record_t *out);

void clipper_record_claim_mark_locked(clipper_zone_t *zone, uint32_t pos,
    uint64_t lesson);

/* consumes a row; a note is removed */
void clipper_record_claim_over_locked(clipper_zone_t *zone, uint32_t pos,
    ngx_uint_t keep);


#endif /* _CLIPPER_RECORD_CLAIM_H_INCLUDED_ */


/*
 * The ring behind the records: rows of variable length, one after the other,
 * the oldest at the tail.
 *
 * Two keyed hash tables lead to them, newest first.  Consumed records are in
 * neither, settled ones only in the table by id.  With zone->notes the tail
 * passes no waiting label, nor its record, nor what a living worker claims.
 */


#ifndef _CLIPPER_RECORD_RING_H_INCLUDED_
#define _CLIPPER_RECORD_RING_H_INCLUDED_


#include "shm/clipper_record.h"
#include "shm/clipper_journal.h"
#include "shm/clipper_record_fate.h"


#define CLIPPER_RECORD_UNIT   8
#define CLIPPER_RECORD_SEEK   64                /* rows; 4 are usual */

#define CLIPPER_RECORD_ID     1                 /* bits of the tables */
#define CLIPPER_RECORD_INPUT  2
#define CLIPPER_RECORD_BOTH   (CLIPPER_RECORD_ID|CLIPPER_RECORD_INPUT)

/* the common part of all records is stored as a struct */
#define CLIPPER_RECORD_FIXED  offsetof(clipper_record_t, key)


typedef struct {
    clipper_journal_t           journal;
    size_t                      ring;           /* offset of it */
    size_t                      size;           /* of it */
    size_t                      buckets;        /* of a table; power of two */
    uint64_t                    magic;
    uint64_t                    key[2];         /* secret, of the tables */

    struct {
        size_t                  head;
        size_t                  tail;
        size_t                  used;
        size_t                  live;           /* wait for feedback */
    } m;

    uint64_t                    stored;         /* atomic: in Redis */
    uint64_t                    missed;         /* not */

    uint32_t                    bucket[];       /* by id, then by input; units
                                                   from the ring's start plus
                                                   one, 0: none */
} clipper_record_area_t;


typedef struct {
    uint32_t                    size;
    uint16_t                    linked;         /* bit i: in table i; 0:
                                                   consumed or padding */
    uint16_t                    padding;
    uint32_t                    next[2];        /* of both tables */
    uint32_t                    prev[2];        /* 0: it is the first */
    u_char                      data[];
} clipper_record_row_t;


#define clipper_record_row(area, pos)                                         \
    ((clipper_record_row_t *) ((u_char *) (area) + (area)->ring               \
                         + (size_t) (pos) * CLIPPER_RECORD_UNIT))

#define clipper_record_fixed(row)                                             \
    ((clipper_record_t *) (row)->data)

/* a label that waits: found by its query's id, and among all of them */
#define clipper_record_is_note(fixed)                                         \
    ((fixed)->input[0] == CLIPPER_RECORD_NOTE                                 \
     && (fixed)->input[1] == CLIPPER_RECORD_NOTE)

#define CLIPPER_RECORD_NOTE  0x6e6f7465u        /* in both halves */

/* an ordinary record: no note, no place for one of another instance */
#define clipper_record_waits(fixed)                                           \
    (!clipper_record_is_note(fixed) && (fixed)->n)

#define clipper_record_save(area, piece)                                      \
    clipper_journal_save(&(area)->journal, area, &(piece), sizeof(piece))

#define clipper_record_locked(zone)                                           \
    clipper_journal_locked(                                                   \
        &((clipper_record_area_t *) (zone)->records)->journal, (zone)->pid)

/* bytes of a record in the ring */
size_t clipper_record_ring_size(const clipper_record_t *record);

/* of less than half; NGX_DECLINED: kept rows fill it; NGX_BUSY: fate->ask */
ngx_int_t clipper_record_ring_add_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size, clipper_record_fate_t *fate);

/* unlinks a row from those of these tables that it is in */
void clipper_record_ring_unlink_locked(clipper_zone_t *zone, uint32_t pos,
    ngx_uint_t tables);

/* of table 0 by id, application and user, of table 1 by the rest */
uint32_t *clipper_record_ring_bucket(clipper_record_area_t *area,
    ngx_uint_t table, uint64_t query_id, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2]);

/* a position plus one; 0: not in the newest few; note: the label of it */
uint32_t clipper_record_ring_seek_locked(clipper_zone_t *zone,
    uint64_t query_id, uint32_t app, const uint64_t uid[2], ngx_uint_t note);

/* the same, if this worker has marked it and has not used it up; else 0 */
uint32_t clipper_record_ring_mine_locked(clipper_zone_t *zone,
    uint64_t query_id, uint32_t app, const uint64_t uid[2], ngx_uint_t note);

void clipper_record_ring_copy_locked(clipper_zone_t *zone, uint32_t pos,
    clipper_record_t *out);


#endif /* _CLIPPER_RECORD_RING_H_INCLUDED_ */

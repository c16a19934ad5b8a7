
/*
 * Who has a record, see the header.
 */


#include "shm/clipper_record_claim.h"
#include "shm/clipper_record_ring.h"


ngx_int_t
clipper_record_claim_get_locked(clipper_zone_t *zone, uint32_t pos,
    double since, clipper_record_fate_t *fate, clipper_record_t *out)
{
    clipper_owner_t         owner;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, pos);
    fixed = clipper_record_fixed(row);
    owner = fixed->owner;

    if (!(row->linked & CLIPPER_RECORD_INPUT)
        || owner == zone->pid
        || (owner && clipper_record_fate_lives(fate, owner)))
    {
        return NGX_DONE;
    }

    if (owner) {

        if (fate->dead != owner || fate->lesson != fixed->lesson) {
            fate->ask = owner;
            fate->ask_lesson = fixed->lesson;
            return NGX_BUSY;
        }

        if (fate->learned) {
            clipper_record_claim_over_locked(zone, pos, since != 0);
            return NGX_DONE;
        }
    }

    if (since != 0 && fixed->shared && fixed->time < since) {
        clipper_record_ring_unlink_locked(zone, pos, CLIPPER_RECORD_INPUT);
        return NGX_DONE;
    }

    clipper_record_ring_copy_locked(zone, pos, out);

    if (since != 0 && fixed->shared) {
        clipper_record_claim_mark_locked(zone, pos, 0);
        return NGX_AGAIN;
    }

    if (zone->lesson) {
        clipper_record_claim_mark_locked(zone, pos, zone->lesson);

    } else {
        clipper_record_claim_over_locked(zone, pos, since != 0);
    }

    return NGX_OK;
}


void
clipper_record_claim_mark_locked(clipper_zone_t *zone, uint32_t pos,
    uint64_t lesson)
{
    clipper_record_t       *fixed;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    fixed = clipper_record_fixed(clipper_record_row(area, pos));

    clipper_record_save(area, fixed->owner);
    clipper_record_save(area, fixed->lesson);

    fixed->owner = zone->pid;
    fixed->lesson = lesson;
}


void
clipper_record_claim_over_locked(clipper_zone_t *zone, uint32_t pos,
    ngx_uint_t keep)
{
    clipper_record_row_t  *row;

    clipper_record_locked(zone);

    row = clipper_record_row((clipper_record_area_t *) zone->records, pos);

    keep &= !clipper_record_is_note(clipper_record_fixed(row));

    clipper_record_ring_unlink_locked(zone, pos, keep ? CLIPPER_RECORD_INPUT
                                                      : CLIPPER_RECORD_BOTH);
}


ngx_int_t
clipper_record_claim_learn(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note, clipper_record_t *out)
{
    uint32_t                pos;
    ngx_int_t               rc;
    clipper_record_area_t  *area;

    area = zone->records;
    out->n = 0;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = clipper_record_ring_mine_locked(zone, query_id, app, uid, note);

    if (pos && zone->lesson) {
        clipper_record_claim_mark_locked(zone, pos - 1, zone->lesson);

    } else if (pos) {
        clipper_record_claim_over_locked(zone, pos - 1, 1);
    }

    rc = pos ? NGX_OK
         : clipper_record_ring_seek_locked(zone, query_id, app, uid, note)
         ? NGX_DONE : NGX_DECLINED;

    if (note) {
        pos = clipper_record_ring_seek_locked(zone, query_id, app, uid, 0);
    }

    if (rc == NGX_OK && pos) {
        clipper_record_ring_copy_locked(zone, pos - 1, out);
    }

    clipper_journal_end(&area->journal);

    return rc;
}


void
clipper_record_claim_end(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t uid[2], ngx_uint_t note, ngx_uint_t keep)
{
    uint32_t                pos;
    clipper_record_area_t  *area;

    area = zone->records;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = clipper_record_ring_mine_locked(zone, query_id, app, uid, note);

    if (pos) {
        clipper_record_claim_over_locked(zone, pos - 1, keep);
    }

    clipper_journal_end(&area->journal);
}


void
clipper_record_claim_leave(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note)
{
    uint32_t                pos;
    clipper_record_t       *fixed;
    clipper_record_area_t  *area;

    area = zone->records;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = clipper_record_ring_mine_locked(zone, query_id, app, uid, note);

    if (pos) {
        fixed = clipper_record_fixed(clipper_record_row(area, pos - 1));

        clipper_record_save(area, fixed->owner);
        fixed->owner = 0;
    }

    clipper_journal_end(&area->journal);
}

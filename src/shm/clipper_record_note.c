
/*
 * Labels that wait for Redis, see the header.
 *
 * A note is a record with an input of its own, which no feedback finds by
 * that.  Its text is in pieces where a record has the outputs, its lengths
 * where it has the keys.
 */


#include "shm/clipper_record_note.h"
#include "base/clipper_clock.h"
#include "shm/clipper_record_claim.h"
#include "shm/clipper_record_ring.h"


#define CLIPPER_RECORD_NOTE_KEYS  2

/* a bucket of more notes that others have is not searched to its end */
#define CLIPPER_RECORD_NOTE_WALK  4096


static ngx_int_t clipper_record_note_write(clipper_zone_t *zone,
    const clipper_record_t *note);
static ngx_int_t clipper_record_note_write_locked(clipper_zone_t *zone,
    const clipper_record_t *note, size_t size, clipper_record_fate_t *fate);
static ngx_int_t clipper_record_note_pick(clipper_zone_t *zone,
    clipper_record_t *out);


ngx_int_t
clipper_record_note_put(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t key[2], const ngx_str_t *label, const ngx_str_t *uid,
    ngx_uint_t mine)
{
    size_t    i, k, n;
    uint32_t  pieces;

    static clipper_record_t  record;

    n = label->len + uid->len;

    if (n > CLIPPER_RECORD_NOTE_MAX) {
        return NGX_DECLINED;
    }

    pieces = (uint32_t) ((n + CLIPPER_RECORD_OUTPUT - 1)
                         / CLIPPER_RECORD_OUTPUT);

    ngx_memzero(&record, offsetof(clipper_record_t, output));

    record.query_id = query_id;
    record.app = app;
    record.uid[0] = key[0];
    record.uid[1] = key[1];
    record.input[0] = CLIPPER_RECORD_NOTE;
    record.input[1] = CLIPPER_RECORD_NOTE;
    record.shared = 1;
    record.owner = mine ? zone->pid : 0;
    record.time = clipper_clock_boot();
    record.n = ngx_max(pieces, CLIPPER_RECORD_NOTE_KEYS);
    record.key[0] = label->len;
    record.key[1] = uid->len;

    for (i = 0; i < n; i++) {
        k = i / CLIPPER_RECORD_OUTPUT;
        record.output[k][record.len[k]++] = (i < label->len)
                                            ? label->data[i]
                                            : uid->data[i - label->len];
    }

    return clipper_record_note_write(zone, &record);
}


/*
 * The note, and the end of its record, in one; NGX_DONE and NGX_DECLINED as of
 * clipper_record_note_put().
 */

static ngx_int_t
clipper_record_note_write(clipper_zone_t *zone, const clipper_record_t *note)
{
    size_t                  size;
    ngx_int_t               rc;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    area = zone->records;
    size = clipper_record_ring_size(note);
    clipper_record_fate_init(&fate);

    if (size > area->size / 2) {
        return NGX_DECLINED;
    }

    for ( ;; ) {
        clipper_journal_begin(&area->journal, area, zone->pid);

        rc = clipper_record_note_write_locked(zone, note, size, &fate);

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc;
        }

        clipper_record_fate_ask(&fate);
    }
}


/* NGX_DONE: the record was not this worker's */

static ngx_int_t
clipper_record_note_write_locked(clipper_zone_t *zone,
    const clipper_record_t *note, size_t size, clipper_record_fate_t *fate)
{
    uint32_t   pos;
    ngx_int_t  rc;

    clipper_record_locked(zone);

    if (clipper_record_ring_mine_locked(zone, note->query_id, note->app,
                                        note->uid, 0)
        == 0)
    {
        return NGX_DONE;
    }

    rc = clipper_record_ring_add_locked(zone, note, size, fate);

    if (rc != NGX_OK) {
        return rc;
    }

    /* it may have made way for the note: to another place, or altogether */

    pos = clipper_record_ring_mine_locked(zone, note->query_id, note->app,
                                          note->uid, 0);
    if (pos) {
        clipper_record_ring_unlink_locked(zone, pos - 1, CLIPPER_RECORD_INPUT);
    }

    return NGX_OK;
}


ngx_int_t
clipper_record_note_take(clipper_zone_t *zone, clipper_record_note_t *note)
{
    u_char    *p;
    uint32_t   i;

    static clipper_record_t  record;

    if (clipper_record_note_pick(zone, &record) != NGX_OK) {
        return NGX_DECLINED;
    }

    note->query_id = record.query_id;
    note->app = record.app;
    note->key[0] = record.uid[0];
    note->key[1] = record.uid[1];
    note->label = record.key[0];
    note->uid = record.key[1];

    p = note->text;

    for (i = 0; i < record.n; i++) {
        p = ngx_cpymem(p, record.output[i], record.len[i]);
    }

    return NGX_OK;
}


/* NGX_DECLINED: there is no note that this worker could have */

static ngx_int_t
clipper_record_note_pick(clipper_zone_t *zone, clipper_record_t *out)
{
    uint32_t                pos, next;
    ngx_int_t               rc;
    ngx_uint_t              i;
    clipper_record_row_t   *row;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    static const uint64_t   input[2] = {
        CLIPPER_RECORD_NOTE, CLIPPER_RECORD_NOTE
    };

    area = zone->records;
    clipper_record_fate_init(&fate);

    for ( ;; ) {
        rc = NGX_DECLINED;

        clipper_journal_begin(&area->journal, area, zone->pid);

        pos = *clipper_record_ring_bucket(area, 1, 0, 0, input, input);

        for (i = 0; pos && i < CLIPPER_RECORD_NOTE_WALK; i++) {
            row = clipper_record_row(area, pos - 1);
            next = row->next[1];

            if (clipper_record_is_note(clipper_record_fixed(row))) {
                rc = clipper_record_claim_get_locked(zone, pos - 1, 1, &fate,
                                                     out);

                if (rc == NGX_AGAIN || rc == NGX_BUSY) {
                    break;
                }
            }

            pos = next;
        }

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc == NGX_AGAIN ? NGX_OK : NGX_DECLINED;
        }

        clipper_record_fate_ask(&fate);
    }
}

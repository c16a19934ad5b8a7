
/*
 * Labels that wait for Redis, see the header.
 *
 * A note is a record of no application, which no feedback finds.  Its text is
 * in pieces where a record has the outputs, its lengths where it has the keys.
 */


#include "shm/clipper_record_note.h"
#include "base/clipper_clock.h"


#define CLIPPER_RECORD_NOTE_KEYS  3


static const uint64_t  clipper_record_note_uid[2];
static const uint64_t  clipper_record_note_input[2] = {
    0x6e6f7465u, 0x6e6f7465u                                    /* "note" */
};


ngx_int_t
clipper_record_note_put(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const ngx_str_t *label, const ngx_str_t *uid)
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
    record.input[0] = clipper_record_note_input[0];
    record.input[1] = clipper_record_note_input[1];
    record.time = clipper_clock_wall();
    record.n = ngx_max(pieces, CLIPPER_RECORD_NOTE_KEYS);
    record.key[0] = app;
    record.key[1] = label->len;
    record.key[2] = uid->len;

    for (i = 0; i < n; i++) {
        k = i / CLIPPER_RECORD_OUTPUT;
        record.output[k][record.len[k]++] = (i < label->len)
                                            ? label->data[i]
                                            : uid->data[i - label->len];
    }

    return clipper_record_put(zone, &record);
}


ngx_int_t
clipper_record_note_take(clipper_zone_t *zone, clipper_record_note_t *note)
{
    u_char    *p;
    uint32_t   i;

    static clipper_record_t  record;

    if (clipper_record_find(zone, 0, clipper_record_note_uid,
                            clipper_record_note_input, 0, &record)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    note->query_id = record.query_id;
    note->app = (uint32_t) record.key[0];
    note->label = record.key[1];
    note->uid = record.key[2];

    p = note->text;

    for (i = 0; i < record.n; i++) {
        p = ngx_cpymem(p, record.output[i], record.len[i]);
    }

    return NGX_OK;
}


/*
 * The ring behind the records, see the header.
 */


#include "shm/clipper_record_ring.h"
#include "base/clipper_hash.h"


#define CLIPPER_RECORD_MOVES    64              /* of a call */
#define CLIPPER_RECORD_RESERVE  (2 * sizeof(clipper_record_t))


static ngx_int_t clipper_record_ring_room_locked(clipper_zone_t *zone,
    size_t size, clipper_record_fate_t *fate);
static ngx_uint_t clipper_record_ring_fits_locked(clipper_zone_t *zone,
    size_t size, size_t reserve);
static ngx_int_t clipper_record_ring_keep_locked(clipper_zone_t *zone,
    clipper_record_fate_t *fate);
static ngx_uint_t clipper_record_ring_move_locked(clipper_zone_t *zone);
static void clipper_record_ring_place_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size);
static void clipper_record_ring_drop_locked(clipper_zone_t *zone);
static void clipper_record_ring_pad_locked(clipper_zone_t *zone, size_t size);
static void clipper_record_ring_write_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size);
static void clipper_record_ring_link_locked(clipper_zone_t *zone, size_t size);


size_t
clipper_record_ring_size(const clipper_record_t *record)
{
    size_t    size;
    uint32_t  i;

    size = sizeof(clipper_record_row_t)
           + CLIPPER_RECORD_FIXED
           + record->n * (sizeof(uint64_t) + 1);

    for (i = 0; i < record->n; i++) {
        if (record->len[i] <= CLIPPER_RECORD_OUTPUT) {
            size += record->len[i];
        }
    }

    return ngx_align(size, CLIPPER_RECORD_UNIT);
}


ngx_int_t
clipper_record_ring_add_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size, clipper_record_fate_t *fate)
{
    ngx_int_t  rc;

    clipper_record_locked(zone);

    rc = clipper_record_ring_room_locked(zone, size, fate);

    if (rc == NGX_OK) {
        clipper_record_ring_place_locked(zone, record, size);
    }

    return rc;
}


/*
 * What is kept moves on to the new end, some in a call: where it fills the
 * ring, there is no room: NGX_DECLINED.  What stays free is for the moves.
 * NGX_BUSY: fate->ask.
 */

static ngx_int_t
clipper_record_ring_room_locked(clipper_zone_t *zone, size_t size,
    clipper_record_fate_t *fate)
{
    size_t                  reserve;
    ngx_int_t               rc;
    ngx_uint_t              moves;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    moves = 0;
    reserve = zone->notes ? ngx_min(CLIPPER_RECORD_RESERVE, area->size / 4)
                          : 0;

    while (!clipper_record_ring_fits_locked(zone, size, reserve)) {

        rc = clipper_record_ring_keep_locked(zone, fate);

        if (rc == NGX_BUSY) {
            return NGX_BUSY;
        }

        if (rc == NGX_DECLINED) {
            clipper_record_ring_drop_locked(zone);
            continue;
        }

        if (moves++ == CLIPPER_RECORD_MOVES
            || !clipper_record_ring_move_locked(zone))
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* the rest of the ring may be too short for it */

static ngx_uint_t
clipper_record_ring_fits_locked(clipper_zone_t *zone, size_t size,
    size_t reserve)
{
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;

    if (area->m.head + size > area->size) {
        size += area->size - area->m.head;
    }

    return area->size - area->m.used >= size + reserve;
}


/*
 * Labels that wait stay, with their records, as does what a living worker
 * claims.  NGX_OK: the oldest one stays; NGX_DECLINED: it may go; NGX_BUSY:
 * fate->ask.
 */

static ngx_int_t
clipper_record_ring_keep_locked(clipper_zone_t *zone,
    clipper_record_fate_t *fate)
{
    clipper_owner_t         owner;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, area->m.tail / CLIPPER_RECORD_UNIT);
    fixed = clipper_record_fixed(row);

    if (!zone->notes || row->linked == 0) {
        return NGX_DECLINED;
    }

    if (clipper_record_is_note(fixed)) {
        return NGX_OK;
    }

    owner = fixed->owner;

    if (!(row->linked & CLIPPER_RECORD_INPUT)) {
        return clipper_record_ring_seek_locked(zone, fixed->query_id,
                                               fixed->app, fixed->uid, 1)
               ? NGX_OK : NGX_DECLINED;
    }

    if (owner == 0 || owner == fate->dead) {
        return NGX_DECLINED;
    }

    if (owner == zone->pid || clipper_record_fate_lives(fate, owner)) {
        return NGX_OK;
    }

    fate->ask = owner;
    fate->ask_lesson = fixed->lesson;

    return NGX_BUSY;
}


/* the new place and the end of the old one are one change; 0: no room */

static ngx_uint_t
clipper_record_ring_move_locked(clipper_zone_t *zone)
{
    uint16_t                linked;
    uint32_t                pos;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    static clipper_record_t  record;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, area->m.tail / CLIPPER_RECORD_UNIT);

    if (!clipper_record_ring_fits_locked(zone, row->size, 0)) {
        return 0;
    }

    linked = row->linked;
    clipper_record_ring_copy_locked(zone, area->m.tail / CLIPPER_RECORD_UNIT,
                                    &record);
    clipper_record_ring_place_locked(zone, &record, row->size);

    pos = *clipper_record_ring_bucket(area, 0, record.query_id, record.app,
                                      record.uid, record.input) - 1;
    clipper_record_ring_unlink_locked(zone, pos, ~linked
                                      & (CLIPPER_RECORD_ID
                                         |CLIPPER_RECORD_INPUT));
    clipper_record_ring_drop_locked(zone);

    return 1;
}


/* where there is room for it */

static void
clipper_record_ring_place_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size)
{
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;

    if (area->m.head + size > area->size) {
        clipper_record_ring_pad_locked(zone, area->size - area->m.head);
    }

    clipper_record_ring_write_locked(zone, record, size);
    clipper_record_ring_link_locked(zone, size);
}


/*
 * Drops the oldest record.  This is committed at once: what is written in its
 * place cannot be undone.
 */

static void
clipper_record_ring_drop_locked(clipper_zone_t *zone)
{
    uint32_t                pos;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    pos = (uint32_t) (area->m.tail / CLIPPER_RECORD_UNIT);
    row = clipper_record_row(area, pos);

    clipper_record_ring_unlink_locked(zone, pos, CLIPPER_RECORD_BOTH);

    clipper_record_save(area, area->m);

    area->m.used -= row->size;
    area->m.tail += row->size;

    if (area->m.tail == area->size) {
        area->m.tail = 0;
    }

    clipper_journal_commit(&area->journal);
}


/* the rest of the ring is too short for the next record */

static void
clipper_record_ring_pad_locked(clipper_zone_t *zone, size_t size)
{
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;

    row = clipper_record_row(area, area->m.head / CLIPPER_RECORD_UNIT);
    row->size = (uint32_t) size;
    row->linked = 0;
    row->padding = 1;

    clipper_record_save(area, area->m);

    area->m.used += size;
    area->m.head = 0;

    clipper_journal_commit(&area->journal);
}


/* room that nothing refers to yet */

static void
clipper_record_ring_write_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size)
{
    u_char                 *p;
    uint32_t                i;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, area->m.head / CLIPPER_RECORD_UNIT);

    row->size = (uint32_t) size;
    row->linked = CLIPPER_RECORD_BOTH;
    row->padding = 0;

    p = ngx_cpymem(row->data, record, CLIPPER_RECORD_FIXED);
    p = ngx_cpymem(p, record->key, record->n * sizeof(uint64_t));
    p = ngx_cpymem(p, record->len, record->n);

    for (i = 0; i < record->n; i++) {
        if (record->len[i] <= CLIPPER_RECORD_OUTPUT) {
            p = ngx_cpymem(p, record->output[i], record->len[i]);
        }
    }
}


static void
clipper_record_ring_link_locked(clipper_zone_t *zone, size_t size)
{
    uint32_t                pos, *bucket;
    ngx_uint_t              table;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row, *next;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    pos = (uint32_t) (area->m.head / CLIPPER_RECORD_UNIT);
    row = clipper_record_row(area, pos);
    fixed = clipper_record_fixed(row);

    clipper_record_save(area, area->m);

    for (table = 0; table < 2; table++) {
        bucket = clipper_record_ring_bucket(area, table, fixed->query_id,
                                            fixed->app, fixed->uid,
                                            fixed->input);
        clipper_record_save(area, *bucket);

        row->next[table] = *bucket;
        row->prev[table] = 0;

        if (*bucket) {
            next = clipper_record_row(area, *bucket - 1);
            clipper_record_save(area, next->prev[table]);
            next->prev[table] = pos + 1;
        }

        *bucket = pos + 1;
    }

    area->m.live += clipper_record_waits(fixed);
    area->m.used += size;
    area->m.head += size;

    if (area->m.head == area->size) {
        area->m.head = 0;
    }
}


void
clipper_record_ring_unlink_locked(clipper_zone_t *zone, uint32_t pos,
    ngx_uint_t tables)
{
    uint32_t               *p;
    ngx_uint_t              table;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row, *next;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, pos);
    fixed = clipper_record_fixed(row);
    tables &= row->linked;

    for (table = 0; table < 2; table++) {

        if (!((tables >> table) & 1)) {
            continue;
        }

        if (row->prev[table]) {
            p = &clipper_record_row(area, row->prev[table] - 1)
                    ->next[table];
        } else {
            p = clipper_record_ring_bucket(area, table, fixed->query_id,
                                           fixed->app, fixed->uid,
                                           fixed->input);
        }

        clipper_record_save(area, *p);
        *p = row->next[table];

        if (row->next[table]) {
            next = clipper_record_row(area, row->next[table] - 1);
            clipper_record_save(area, next->prev[table]);
            next->prev[table] = row->prev[table];
        }
    }

    if ((tables & CLIPPER_RECORD_INPUT) && clipper_record_waits(fixed)) {
        clipper_record_save(area, area->m.live);
        area->m.live--;
    }

    clipper_record_save(area, row->linked);
    row->linked &= (uint16_t) ~tables;
}


uint32_t *
clipper_record_ring_bucket(clipper_record_area_t *area, ngx_uint_t table,
    uint64_t query_id, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2])
{
    size_t    n;
    uint64_t  h[2], word[5];

    h[0] = 0;

    /* all notes are in one bucket of table 1 */

    if (table == 0
        || input[0] != CLIPPER_RECORD_NOTE || input[1] != CLIPPER_RECORD_NOTE)
    {
        n = 0;
        word[n++] = app;
        word[n++] = uid[0];
        word[n++] = uid[1];

        if (table == 0) {
            word[n++] = query_id;

        } else {
            word[n++] = input[0];
            word[n++] = input[1];
        }

        clipper_hash_siphash(area->key, (u_char *) word,
                             n * sizeof(uint64_t), h);
    }

    return &area->bucket[table * area->buckets + (h[0] & (area->buckets - 1))];
}


uint32_t
clipper_record_ring_seek_locked(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note)
{
    uint32_t                pos;
    ngx_uint_t              i;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    pos = *clipper_record_ring_bucket(area, 0, query_id, app, uid, uid);

    for (i = 0; pos; i++) {

        if (i == CLIPPER_RECORD_SEEK) {
            return 0;
        }

        row = clipper_record_row(area, pos - 1);
        fixed = clipper_record_fixed(row);

        if (fixed->query_id == query_id
            && fixed->app == app
            && fixed->uid[0] == uid[0]
            && fixed->uid[1] == uid[1]
            && clipper_record_is_note(fixed) == note)
        {
            break;
        }

        pos = row->next[0];
    }

    return pos;
}


uint32_t
clipper_record_ring_mine_locked(clipper_zone_t *zone, uint64_t query_id,
    uint32_t app, const uint64_t uid[2], ngx_uint_t note)
{
    uint32_t               pos;
    clipper_record_row_t  *row;

    clipper_record_locked(zone);

    pos = clipper_record_ring_seek_locked(zone, query_id, app, uid, note);

    if (pos == 0) {
        return 0;
    }

    row = clipper_record_row((clipper_record_area_t *) zone->records, pos - 1);

    return (row->linked & CLIPPER_RECORD_INPUT)
           && clipper_record_fixed(row)->owner == zone->pid
           ? pos : 0;
}


void
clipper_record_ring_copy_locked(clipper_zone_t *zone, uint32_t pos,
    clipper_record_t *out)
{
    u_char                *p;
    uint32_t               i;
    clipper_record_row_t  *row;

    clipper_record_locked(zone);

    row = clipper_record_row((clipper_record_area_t *) zone->records, pos);

    ngx_memcpy(out, row->data, CLIPPER_RECORD_FIXED);
    p = row->data + CLIPPER_RECORD_FIXED;

    ngx_memcpy(out->key, p, out->n * sizeof(uint64_t));
    p += out->n * sizeof(uint64_t);

    ngx_memcpy(out->len, p, out->n);
    p += out->n;

    for (i = 0; i < out->n; i++) {
        if (out->len[i] <= CLIPPER_RECORD_OUTPUT) {
            ngx_memcpy(out->output[i], p, out->len[i]);
            p += out->len[i];
        }
    }
}


/*
 * The ring of records, see the header.
 *
 * Records of variable length follow each other; the oldest is at the tail. Two
 * hash tables lead to them, newest first.  A consumed record is in neither,
 * and keeps its place until the tail passes it.
 */


#include "shm/clipper_record.h"
#include "shm/clipper_journal.h"


#define CLIPPER_RECORD_UNIT   8

/* changes with the layout */
#define CLIPPER_RECORD_MAGIC                                                  \
    (0x636c697265637201ull ^ ((uint64_t) sizeof(clipper_record_t) << 32)      \
     ^ sizeof(clipper_record_area_t))

/* a bucket with more other inputs than this is not searched to its end */
#define CLIPPER_RECORD_WALK   512

/* the common part of all records is stored as a struct */
#define CLIPPER_RECORD_FIXED  offsetof(clipper_record_t, key)


typedef struct {
    clipper_journal_t           journal;
    size_t                      ring;           /* offset of it */
    size_t                      size;           /* of it */
    size_t                      buckets;        /* a power of two; of each
                                                   of both tables */
    uint64_t                    magic;

    struct {
        size_t                  head;
        size_t                  tail;
        size_t                  used;
        size_t                  live;           /* not consumed */
    } m;

    uint32_t                    bucket[];       /* first by id, then by
                                                   input; units from the
                                                   start of the ring plus
                                                   one, 0: none */
} clipper_record_area_t;


typedef struct {
    uint32_t                    size;
    uint16_t                    live;           /* 0: consumed or padding */
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

#define clipper_record_save(area, piece)                                      \
    clipper_journal_save(&(area)->journal, area, &(piece),                    \
                         sizeof(piece))


#define clipper_record_locked(zone)                                           \
    clipper_journal_locked(                                                   \
                 &((clipper_record_area_t *) (zone)->records)->journal,       \
                 (zone)->pid)


static size_t clipper_record_size(const clipper_record_t *record);
static void clipper_record_drop_locked(clipper_zone_t *zone);
static void clipper_record_pad_locked(clipper_zone_t *zone,
    size_t size);
static void clipper_record_write_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size);
static void clipper_record_link_locked(clipper_zone_t *zone,
    size_t size);
static void clipper_record_unlink_locked(clipper_zone_t *zone,
    uint32_t pos);
static uint32_t *clipper_record_bucket(clipper_record_area_t *area,
    ngx_uint_t table, uint64_t query_id, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2]);
static void clipper_record_consume_locked(clipper_zone_t *zone,
    uint32_t pos, clipper_record_t *out);


ngx_int_t
clipper_record_create(void *addr, size_t size)
{
    size_t                  n, offset;
    clipper_record_area_t  *area;

    area = addr;

    for (n = 64; n * 2 <= size / 256; n *= 2) { /* void */ }

    offset = ngx_align(sizeof(clipper_record_area_t)
                       + 2 * n * sizeof(uint32_t), 64);

    if (offset + 4 * sizeof(clipper_record_t) > size) {
        return NGX_ERROR;
    }

    area->ring = offset;
    area->size = ngx_min(size - offset, (size_t) 1 << 34)
                 & ~((size_t) CLIPPER_RECORD_UNIT - 1);
    area->buckets = n;
    area->magic = CLIPPER_RECORD_MAGIC;

    return NGX_OK;
}


ngx_int_t
clipper_record_validate(void *addr, size_t size)
{
    clipper_record_area_t  *area;

    area = addr;

    return size > sizeof(clipper_record_area_t)
           && area->magic == CLIPPER_RECORD_MAGIC
           && area->ring + area->size <= size
           ? NGX_OK : NGX_ERROR;
}


/* the oldest ones may be consumed: they tell how far back the ring goes, too */

void
clipper_record_usage(clipper_zone_t *zone, double now,
    clipper_record_usage_t *usage)
{
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    area = zone->records;

    ngx_memzero(usage, sizeof(clipper_record_usage_t));

    clipper_journal_begin(&area->journal, area, zone->pid);

    usage->size = area->size;
    usage->used = area->m.used;
    usage->records = area->m.live;

    row = clipper_record_row(area, area->m.tail / CLIPPER_RECORD_UNIT);

    /* what fills up the end is no record, the next one is at the start */

    if (area->m.used && row->padding) {
        row = (area->m.head > 0) ? clipper_record_row(area, 0) : NULL;
    }

    if (area->m.used && row) {
        usage->span = ngx_max(now - clipper_record_fixed(row)->time, 0);
    }

    clipper_journal_end(&area->journal);
}


ngx_int_t
clipper_record_put(clipper_zone_t *zone, const clipper_record_t *record)
{
    size_t                  size, need;
    clipper_record_area_t  *area;

    area = zone->records;
    size = clipper_record_size(record);

    if (record->n > CLIPPER_POLICY_MEMBERS
        || size > area->size / 2)
    {
        return NGX_DECLINED;
    }

    clipper_journal_begin(&area->journal, area, zone->pid);

    need = size;

    if (area->m.head + size > area->size) {
        need += area->size - area->m.head;
    }

    /* each frees at least as much as an empty record takes */

    while (area->size - area->m.used < need) {
        clipper_record_drop_locked(zone);
    }

    if (need != size) {
        clipper_record_pad_locked(zone, need - size);
    }

    clipper_record_write_locked(zone, record, size);
    clipper_record_link_locked(zone, size);

    clipper_journal_end(&area->journal);

    return NGX_OK;
}


static size_t
clipper_record_size(const clipper_record_t *record)
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


/*
 * Drops the oldest record.  This is committed at once: what is written in its
 * place cannot be undone.
 */

static void
clipper_record_drop_locked(clipper_zone_t *zone)
{
    uint32_t                pos;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    pos = (uint32_t) (area->m.tail / CLIPPER_RECORD_UNIT);
    row = clipper_record_row(area, pos);

    if (row->live) {
        clipper_record_unlink_locked(zone, pos);
    }

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
clipper_record_pad_locked(clipper_zone_t *zone, size_t size)
{
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    if (size) {
        row = clipper_record_row(area,
                                 area->m.head / CLIPPER_RECORD_UNIT);
        row->size = (uint32_t) size;
        row->live = 0;
        row->padding = 1;
    }

    clipper_record_save(area, area->m);

    area->m.used += size;
    area->m.head = 0;

    clipper_journal_commit(&area->journal);
}


/* room that nothing refers to yet */

static void
clipper_record_write_locked(clipper_zone_t *zone,
    const clipper_record_t *record, size_t size)
{
    u_char                 *p;
    uint32_t                i;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area,
                             area->m.head / CLIPPER_RECORD_UNIT);

    row->size = (uint32_t) size;
    row->live = 1;
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
clipper_record_link_locked(clipper_zone_t *zone, size_t size)
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
        bucket = clipper_record_bucket(area, table, fixed->query_id,
                                       fixed->app, fixed->uid, fixed->input);
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

    area->m.live++;
    area->m.used += size;
    area->m.head += size;

    if (area->m.head == area->size) {
        area->m.head = 0;
    }
}


static void
clipper_record_unlink_locked(clipper_zone_t *zone, uint32_t pos)
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

    for (table = 0; table < 2; table++) {

        if (row->prev[table]) {
            p = &clipper_record_row(area, row->prev[table] - 1)
                    ->next[table];
        } else {
            p = clipper_record_bucket(area, table, fixed->query_id, fixed->app,
                                      fixed->uid, fixed->input);
        }

        clipper_record_save(area, *p);
        *p = row->next[table];

        if (row->next[table]) {
            next = clipper_record_row(area, row->next[table] - 1);
            clipper_record_save(area, next->prev[table]);
            next->prev[table] = row->prev[table];
        }
    }

    clipper_record_save(area, area->m.live);
    area->m.live--;

    clipper_record_save(area, row->live);
    row->live = 0;
}


static uint32_t *
clipper_record_bucket(clipper_record_area_t *area, ngx_uint_t table,
    uint64_t query_id, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2])
{
    uint64_t  h;

    h = (table == 0) ? query_id : (uid[0] + app) * 31 + input[0];
    h = (h ^ (h >> 32)) * 0x9e3779b97f4a7c15;
    h ^= h >> 29;

    return &area->bucket[table * area->buckets + (h & (area->buckets - 1))];
}


ngx_int_t
clipper_record_take(clipper_zone_t *zone,
    uint64_t query_id, uint32_t app, const uint64_t uid[2],
    clipper_record_t *out)
{
    uint32_t                pos;
    ngx_int_t               rc;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    area = zone->records;
    rc = NGX_DECLINED;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = *clipper_record_bucket(area, 0, query_id, 0, uid, uid);

    while (pos) {
        row = clipper_record_row(area, pos - 1);
        fixed = clipper_record_fixed(row);

        if (fixed->query_id == query_id) {

            if (fixed->app == app
                && fixed->uid[0] == uid[0]
                && fixed->uid[1] == uid[1])
            {
                clipper_record_consume_locked(zone, pos - 1, out);
                rc = NGX_OK;
            }

            break;
        }

        pos = row->next[0];
    }

    clipper_journal_end(&area->journal);

    return rc;
}


ngx_int_t
clipper_record_find(clipper_zone_t *zone, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2], clipper_record_t *out)
{
    uint32_t                pos;
    ngx_int_t               rc;
    ngx_uint_t              i;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    area = zone->records;
    rc = NGX_DECLINED;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = *clipper_record_bucket(area, 1, 0, app, uid, input);

    for (i = 0; pos && i < CLIPPER_RECORD_WALK; i++) {
        row = clipper_record_row(area, pos - 1);
        fixed = clipper_record_fixed(row);

        if (fixed->app == app
            && fixed->uid[0] == uid[0] && fixed->uid[1] == uid[1]
            && fixed->input[0] == input[0] && fixed->input[1] == input[1])
        {
            clipper_record_consume_locked(zone, pos - 1, out);
            rc = NGX_OK;
            break;
        }

        pos = row->next[1];
    }

    clipper_journal_end(&area->journal);

    return rc;
}


static void
clipper_record_consume_locked(clipper_zone_t *zone, uint32_t pos,
    clipper_record_t *out)
{
    u_char                 *p;
    uint32_t                i;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    clipper_record_locked(zone);

    area = zone->records;
    row = clipper_record_row(area, pos);

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

    clipper_record_unlink_locked(zone, pos);
}

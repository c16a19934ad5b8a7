
/*
 * Records of queries, see the header; clipper_record_ring.h has their ring.
 */


#include "shm/clipper_record.h"
#include "base/clipper_hash.h"
#include "base/clipper_wire.h"
#include "shm/clipper_record_claim.h"
#include "shm/clipper_record_ring.h"


/* changes with the layout */
#define CLIPPER_RECORD_MAGIC                                                  \
    (0x636c697265637204ull ^ ((uint64_t) sizeof(clipper_record_t) << 32)      \
     ^ sizeof(clipper_record_area_t))

/* a bucket with more other inputs than this is not searched to its end */
#define CLIPPER_RECORD_WALK   512


ngx_int_t
clipper_record_create(void *addr, size_t size, const u_char seed[32])
{
    size_t                  n, offset;
    uint64_t                prf[2];
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

    /* not the key of digests, which is in the first half of the seed */

    prf[0] = clipper_wire_get64(seed + 16);
    prf[1] = clipper_wire_get64(seed + 24);
    clipper_hash_siphash(prf, (const u_char *) "records",
                         sizeof("records") - 1, area->key);

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
    usage->stored = __atomic_load_n(&area->stored, __ATOMIC_RELAXED);
    usage->missed = __atomic_load_n(&area->missed, __ATOMIC_RELAXED);

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


void
clipper_record_count(clipper_zone_t *zone, ngx_uint_t stored)
{
    clipper_record_area_t  *area;

    area = zone->records;

    (void) __atomic_fetch_add(stored ? &area->stored : &area->missed, 1,
                              __ATOMIC_RELAXED);
}


void
clipper_record_output(clipper_record_t *record, ngx_uint_t i,
    const u_char *data, size_t len)
{
    if (len > CLIPPER_RECORD_OUTPUT) {
        record->len[i] = CLIPPER_RECORD_LONG;
        return;
    }

    record->len[i] = (u_char) len;

    if (len) {
        ngx_memcpy(record->output[i], data, len);
    }
}


ngx_int_t
clipper_record_put(clipper_zone_t *zone, const clipper_record_t *record)
{
    size_t                  size;
    ngx_int_t               rc;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    area = zone->records;
    size = clipper_record_ring_size(record);
    clipper_record_fate_init(&fate);

    if (record->n > CLIPPER_POLICY_MEMBERS
        || size > area->size / 2)
    {
        return NGX_DECLINED;
    }

    for ( ;; ) {
        clipper_journal_begin(&area->journal, area, zone->pid);

        rc = clipper_record_ring_add_locked(zone, record, size, &fate);

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc;
        }

        clipper_record_fate_ask(&fate);
    }
}


ngx_int_t
clipper_record_take(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t uid[2], double since, clipper_record_t *out)
{
    uint32_t                pos;
    ngx_int_t               rc;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    area = zone->records;
    clipper_record_fate_init(&fate);

    for ( ;; ) {
        clipper_journal_begin(&area->journal, area, zone->pid);

        pos = clipper_record_ring_seek_locked(zone, query_id, app, uid, 0);

        rc = pos ? clipper_record_claim_get_locked(zone, pos - 1, since, &fate,
                                                   out)
                 : NGX_DECLINED;

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc;
        }

        clipper_record_fate_ask(&fate);
    }
}


/* only one worker may learn from a record: another one gets the next */

ngx_int_t
clipper_record_find(clipper_zone_t *zone, uint32_t app, const uint64_t uid[2],
    const uint64_t input[2], double since, clipper_record_t *out)
{
    uint32_t                pos, next;
    ngx_int_t               rc;
    ngx_uint_t              i;
    clipper_record_t       *fixed;
    clipper_record_row_t   *row;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    area = zone->records;
    clipper_record_fate_init(&fate);

    for ( ;; ) {
        rc = NGX_DECLINED;

        clipper_journal_begin(&area->journal, area, zone->pid);

        pos = *clipper_record_ring_bucket(area, 1, 0, app, uid, input);

        for (i = 0; pos && i < CLIPPER_RECORD_WALK; i++) {
            row = clipper_record_row(area, pos - 1);
            fixed = clipper_record_fixed(row);
            next = row->next[1];

            if (fixed->app == app
                && fixed->uid[0] == uid[0] && fixed->uid[1] == uid[1]
                && fixed->input[0] == input[0] && fixed->input[1] == input[1])
            {
                rc = clipper_record_claim_get_locked(zone, pos - 1, since,
                                                     &fate, out);
                if (rc != NGX_DONE) {
                    break;
                }
            }

            pos = next;
        }

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc;
        }

        clipper_record_fate_ask(&fate);
    }
}


ngx_int_t
clipper_record_place(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t uid[2], double now)
{
    ngx_int_t               rc;
    clipper_record_fate_t   fate;
    clipper_record_area_t  *area;

    static clipper_record_t  record;

    record.query_id = query_id;
    record.app = app;
    record.uid[0] = uid[0];
    record.uid[1] = uid[1];
    record.time = now;
    record.shared = 1;
    record.owner = zone->pid;

    area = zone->records;
    clipper_record_fate_init(&fate);

    for ( ;; ) {
        rc = NGX_DONE;

        clipper_journal_begin(&area->journal, area, zone->pid);

        /* the ring may have passed the record, and still have its label */

        if (clipper_record_ring_seek_locked(zone, query_id, app, uid, 0) == 0
            && clipper_record_ring_seek_locked(zone, query_id, app, uid, 1)
               == 0)
        {
            rc = clipper_record_ring_add_locked(zone, &record,
                                          clipper_record_ring_size(&record),
                                          &fate);
        }

        clipper_journal_end(&area->journal);

        if (rc != NGX_BUSY) {
            return rc;
        }

        clipper_record_fate_ask(&fate);
    }
}


ngx_int_t
clipper_record_settle(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t uid[2], clipper_record_t *out)
{
    uint32_t                pos;
    ngx_int_t               rc;
    clipper_record_row_t   *row;
    clipper_record_area_t  *area;

    area = zone->records;
    rc = NGX_DECLINED;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = clipper_record_ring_seek_locked(zone, query_id, app, uid, 0);

    if (pos) {
        row = clipper_record_row(area, pos - 1);
        rc = (row->linked & CLIPPER_RECORD_INPUT) ? NGX_OK : NGX_DONE;

        clipper_record_ring_copy_locked(zone, pos - 1, out);

        if (rc == NGX_OK) {
            clipper_record_ring_unlink_locked(zone, pos - 1,
                                              CLIPPER_RECORD_INPUT);
        }
    }

    clipper_journal_end(&area->journal);

    return rc;
}


void
clipper_record_forget(clipper_zone_t *zone, uint64_t query_id, uint32_t app,
    const uint64_t uid[2])
{
    uint32_t                pos;
    clipper_record_area_t  *area;

    area = zone->records;

    clipper_journal_begin(&area->journal, area, zone->pid);

    pos = clipper_record_ring_seek_locked(zone, query_id, app, uid, 0);

    if (pos) {
        clipper_record_ring_unlink_locked(zone, pos - 1, CLIPPER_RECORD_BOTH);
    }

    clipper_journal_end(&area->journal);
}

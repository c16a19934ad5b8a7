
/*
 * The longest time for a batch, see the header.
 *
 * The timer is not moved with each batch: it is set when none is, and looks at
 * the batch of that time when it fires.
 */


#include "replica/ngx_http_clipper_replica_limit.h"
#include "batch/clipper_batch_limit.h"
#include "shm/clipper_zone.h"
#include "worker/ngx_http_clipper_process.h"


/*
 * us: a timer that fires so late did not run, as on a machine that was
 * suspended; replies that have come meanwhile are read first
 */
#define NGX_HTTP_CLIPPER_LIMIT_LATE   500000
#define NGX_HTTP_CLIPPER_LIMIT_AGAIN  200000


void
ngx_http_clipper_replica_limit_begin_locked(
    ngx_http_clipper_replica_t *replica, uint64_t now_us)
{
    uint64_t                limit_us;
    clipper_replica_row_t  *row;

    clipper_zone_locked(ngx_http_clipper_process.zone);

    row = &ngx_http_clipper_process.zone->replicas[replica->row];
    limit_us = (uint64_t) replica->tuning->batch_timeout * 1000;

    if (limit_us == 0) {
        limit_us = clipper_batch_limit_us(&row->batch, replica->nleases,
                                          row->nbatches != 0);
    }

    replica->limit_us = limit_us;
    row->stuck_us = now_us
                    + clipper_batch_limit_stuck_us(&row->batch,
                                                   replica->nleases, limit_us);
}


void
ngx_http_clipper_replica_limit_watch(ngx_http_clipper_replica_t *replica)
{
    uint64_t  at_us;

    at_us = replica->sent_us + replica->limit_us;

    if (!replica->limit.set || (uint64_t) replica->limit.node.key > at_us) {
        ngx_http_clipper_timer_add(&replica->limit, at_us);
    }
}


ngx_uint_t
ngx_http_clipper_replica_limit_passed(ngx_http_clipper_replica_t *replica)
{
    uint64_t  now_us, at_us;

    if (!replica->in_flight || replica->probing) {
        return 0;
    }

    now_us = clipper_clock_us();
    at_us = replica->sent_us + replica->limit_us;

    if (now_us < at_us) {
        ngx_http_clipper_timer_add(&replica->limit, at_us);
        return 0;
    }

    if (now_us > at_us + NGX_HTTP_CLIPPER_LIMIT_LATE && !replica->reread) {
        replica->reread = 1;
        ngx_http_clipper_timer_add(&replica->limit,
                                   now_us + NGX_HTTP_CLIPPER_LIMIT_AGAIN);
        return 0;
    }

    return 1;
}


/*
 * Batches to replicas and back, see the header.
 */


#include "base/clipper_utf8.h"
#include "base/clipper_plain.h"
#include "replica/ngx_http_clipper_dispatch.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_loan.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_process.h"
#include "replica/ngx_http_clipper_replica_limit.h"
#include "replica/ngx_http_clipper_request.h"
#include "base/clipper_limiter.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue_peer.h"
#include "shm/clipper_registry_failure.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_queue.h"


#define NGX_HTTP_CLIPPER_DISPATCH_ROOM  64          /* leases at first */
#define NGX_HTTP_CLIPPER_DISPATCH_TEXT  256         /* bytes, of an error */


static void ngx_http_clipper_dispatch_watch(
    ngx_http_clipper_replica_t *replica, const clipper_take_t *take);
static void ngx_http_clipper_dispatch_late(ngx_http_clipper_replica_t *replica,
    clipper_hedge_t *hedge, uint64_t now_us);
static ngx_int_t ngx_http_clipper_dispatch_room(
    ngx_http_clipper_replica_t *replica, ngx_uint_t n);
static void ngx_http_clipper_dispatch_take_locked(
    ngx_http_clipper_replica_t *replica, clipper_take_t *take);
static ngx_int_t ngx_http_clipper_dispatch_taken(
    ngx_http_clipper_replica_t *replica, clipper_take_t *take);
static clipper_output_t *ngx_http_clipper_dispatch_outputs(
    ngx_http_clipper_replica_t *replica, clipper_proto_message_t *m);
static void ngx_http_clipper_dispatch_long(clipper_output_t *outputs,
    ngx_uint_t n);
static void ngx_http_clipper_dispatch_cache(
    ngx_http_clipper_replica_t *replica, clipper_output_t *outputs,
    uint64_t now_us);
static void ngx_http_clipper_dispatch_settle_locked(
    ngx_http_clipper_replica_t *replica, clipper_output_t *outputs,
    uint64_t now_us);
static void ngx_http_clipper_dispatch_failed(
    ngx_http_clipper_replica_t *replica, clipper_proto_output_t *output);


/* of the reply being settled */

static clipper_output_t  *ngx_http_clipper_dispatch_buf;
static ngx_uint_t         ngx_http_clipper_dispatch_size;
static ngx_str_t          ngx_http_clipper_dispatch_error;   /* of the reply */


ngx_uint_t
ngx_http_clipper_dispatch_due_locked(ngx_http_clipper_replica_t *replica)
{
    clipper_zone_t  *zone;

    clipper_zone_locked(ngx_http_clipper_process.zone);

    zone = ngx_http_clipper_process.zone;

    return zone->replicas[replica->row].idle
           && zone->models[replica->model].root
           && !replica->wait.set;
}


ngx_int_t
ngx_http_clipper_dispatch_one(ngx_http_clipper_replica_t *replica)
{
    clipper_take_t   take;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    /* checked without the lock: whoever adds work later rings the doorbell */

    if (replica->in_flight || zone->models[replica->model].root == 0) {
        return NGX_OK;
    }

    clipper_zone_lock(zone);
    ngx_http_clipper_dispatch_take_locked(replica, &take);
    clipper_zone_unlock(zone);

    return ngx_http_clipper_dispatch_taken(replica, &take);
}


static void
ngx_http_clipper_dispatch_take_locked(ngx_http_clipper_replica_t *replica,
    clipper_take_t *take)
{
    ngx_uint_t              limit;
    clipper_zone_t         *zone;
    clipper_replica_row_t  *row;

    clipper_zone_locked(ngx_http_clipper_process.zone);

    zone = ngx_http_clipper_process.zone;
    row = &zone->replicas[replica->row];

    limit = clipper_batch_most(&row->batch, &replica->batch);
    limit = ngx_min(limit, zone->models[replica->model].queued);

    take->conf = &replica->batch;
    take->now_us = clipper_clock_us();
    take->margin_us = CLIPPER_MARGIN;
    take->once = (replica->tuning->hedge == 0
                  && !replica->tuning->hedge_auto);
    take->wait_us = 0;
    take->copies = 0;
    take->late_us = 0;

    replica->nleases = 0;

    if (limit == 0
        || ngx_http_clipper_dispatch_room(replica, limit) != NGX_OK)
    {
        return;
    }

    take->max = replica->room;
    replica->nleases = clipper_queue_lease_take_locked(zone, replica->row,
                                                       take,
                                                       replica->leases);

    if (replica->nleases) {
        ngx_http_clipper_replica_limit_begin_locked(replica, take->now_us);
    }
}


/* the rest of a take, after the lock is released */

static ngx_int_t
ngx_http_clipper_dispatch_taken(ngx_http_clipper_replica_t *replica,
    clipper_take_t *take)
{
    uint64_t   *counters;
    ngx_int_t   rc;

    ngx_http_clipper_timer_del(&replica->wait);

    if (replica->nleases == 0) {
        if (take->wait_us) {
            ngx_http_clipper_timer_add(&replica->wait,
                                       take->now_us + take->wait_us);
        }

        return NGX_OK;
    }

    replica->sent_us = take->now_us;
    replica->reread = 0;
    ngx_http_clipper_replica_limit_watch(replica);

    if (take->copies) {
        counters = clipper_metrics_model(ngx_http_clipper_process.zone,
                                         replica->model);
        clipper_metrics_add(&counters[CLIPPER_M_HEDGES], take->copies);
    }

    rc = ngx_http_clipper_request_send(replica, CLIPPER_PROTO_PREDICT);

    if (rc == NGX_OK) {
        ngx_http_clipper_dispatch_watch(replica, take);

    } else {
        replica->unsent = 1;
    }

    return rc;
}


/* the clock of a batch that may become late */

static void
ngx_http_clipper_dispatch_watch(ngx_http_clipper_replica_t *replica,
    const clipper_take_t *take)
{
    clipper_hedge_t  hedge;

    if (replica->tuning->hedge == 0 && !replica->tuning->hedge_auto) {
        return;
    }

    ngx_http_clipper_dispatch_late(replica, &hedge, take->now_us);
    hedge.late_us = take->late_us;
    clipper_queue_hedge_begin(ngx_http_clipper_process.zone, replica->leases,
                              replica->nleases, &hedge);

    if (hedge.next_us) {
        ngx_http_clipper_timer_add(&replica->hedge, hedge.next_us);
    }
}


static void
ngx_http_clipper_dispatch_late(ngx_http_clipper_replica_t *replica,
    clipper_hedge_t *hedge, uint64_t now_us)
{
    hedge->after_us = (uint64_t) replica->tuning->hedge * 1000;
    hedge->late_us = 0;
    hedge->margin_us = CLIPPER_MARGIN;
    hedge->sent_us = replica->sent_us;
    hedge->now_us = now_us;
    hedge->next_us = 0;
}


void
ngx_http_clipper_dispatch_hedge(void *data)
{
    clipper_zone_t              *zone;
    clipper_hedge_t              hedge;
    ngx_http_clipper_replica_t  *replica;

    replica = data;
    zone = ngx_http_clipper_process.zone;

    ngx_http_clipper_dispatch_late(replica, &hedge, clipper_clock_us());

    clipper_zone_lock(zone);
    (void) clipper_queue_hedge_locked(zone, replica->row, replica->leases,
                                      replica->nleases, &hedge);
    clipper_zone_unlock(zone);

    if (hedge.next_us) {
        ngx_http_clipper_timer_add(&replica->hedge, hedge.next_us);
    }
}


static ngx_int_t
ngx_http_clipper_dispatch_room(ngx_http_clipper_replica_t *replica,
    ngx_uint_t n)
{
    ngx_uint_t        room;
    clipper_lease_t  *leases;

    if (n <= replica->room) {
        return NGX_OK;
    }

    /* nothing is on lease now */

    room = ngx_max(n, ngx_max(replica->room * 2,
                              NGX_HTTP_CLIPPER_DISPATCH_ROOM));
    leases = ngx_alloc(room * sizeof(clipper_lease_t),
                       ngx_http_clipper_process.log);

    if (leases == NULL) {
        return replica->room ? NGX_OK : NGX_ERROR;
    }

    ngx_free(replica->leases);
    replica->leases = leases;
    replica->room = room;

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_dispatch_probe(ngx_http_clipper_replica_t *replica)
{
    replica->nleases = 0;
    replica->probing = 1;

    return ngx_http_clipper_request_send(replica, CLIPPER_PROTO_PROBE);
}


/* --- replies --- */


ngx_int_t
ngx_http_clipper_dispatch_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *reply)
{
    uint64_t           now_us;
    clipper_take_t     take;
    clipper_zone_t    *zone;
    clipper_output_t  *outputs;

    zone = ngx_http_clipper_process.zone;
    now_us = clipper_clock_us();

    ngx_http_clipper_timer_del(&replica->hedge);

    outputs = ngx_http_clipper_dispatch_outputs(replica, reply);

    if (outputs == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_dispatch_cache(replica, outputs, now_us);

    clipper_zone_lock(zone);

    ngx_http_clipper_dispatch_settle_locked(replica, outputs, now_us);

    replica->in_flight = 0;
    clipper_registry_replica_idle_locked(zone, replica->row);
    ngx_http_clipper_dispatch_take_locked(replica, &take);

    clipper_zone_unlock(zone);

    return ngx_http_clipper_dispatch_taken(replica, &take);
}


/* the result of each lease; NULL: out of memory */

static clipper_output_t *
ngx_http_clipper_dispatch_outputs(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *m)
{
    ngx_uint_t              i, n, longs;
    clipper_output_t       *outputs;
    clipper_proto_output_t  out;

    n = replica->nleases;

    if (n > ngx_http_clipper_dispatch_size) {
        outputs = ngx_alloc(replica->room * sizeof(clipper_output_t),
                            ngx_http_clipper_process.log);
        if (outputs == NULL) {
            return NULL;
        }

        ngx_free(ngx_http_clipper_dispatch_buf);
        ngx_http_clipper_dispatch_buf = outputs;
        ngx_http_clipper_dispatch_size = replica->room;
    }

    outputs = ngx_http_clipper_dispatch_buf;
    longs = 0;
    ngx_http_clipper_dispatch_error.len = 0;

    for (i = 0; i < n; i++) {
        outputs[i].result = CLIPPER_RESULT_ERROR;
        outputs[i].chunk = 0;
        outputs[i].data = NULL;
        outputs[i].len = 0;

        if (m == NULL
            || clipper_proto_output_next(m, &out) != NGX_OK)
        {
            continue;
        }

        if (out.status == CLIPPER_PROTO_OUTPUT) {
            outputs[i].result = CLIPPER_RESULT_OUTPUT;
            outputs[i].data = out.data;
            outputs[i].len = out.len;
            longs += out.len > CLIPPER_INLINE;

        } else if (out.status == CLIPPER_PROTO_SKIPPED) {
            outputs[i].result = CLIPPER_RESULT_LATE;

        } else {
            ngx_http_clipper_dispatch_failed(replica, &out);

            if (ngx_http_clipper_process.conf->explain) {
                outputs[i].data = out.data;
                outputs[i].len = clipper_utf8_cut(out.data, out.len,
                                                  CLIPPER_TEXT - 1);
                longs += outputs[i].len > CLIPPER_INLINE;
            }
        }
    }

    if (longs) {
        ngx_http_clipper_dispatch_long(outputs, n);
    }

    return outputs;
}


/*
 * copies long outputs before it takes the lock; an error goes on without its
 * text when there is no room
 */

static void
ngx_http_clipper_dispatch_long(clipper_output_t *outputs, ngx_uint_t n)
{
    size_t           len;
    ngx_uint_t       i;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    len = 0;
    clipper_zone_lock(zone);

    for (i = 0; i < n; i++) {
        if (outputs[i].len <= CLIPPER_INLINE) {
            continue;
        }

        len += outputs[i].len;

        if (len <= CLIPPER_LOAN_BITE) {
            outputs[i].chunk = clipper_chunk_borrow_locked(zone,
                                                           outputs[i].len);
            continue;
        }

        /* other processes may take the lock now */

        clipper_zone_unlock(zone);
        outputs[i].chunk = clipper_loan(zone, outputs[i].len);
        clipper_zone_lock(zone);
        len = 0;
    }

    clipper_zone_unlock(zone);

    for (i = 0; i < n; i++) {

        if (outputs[i].len <= CLIPPER_INLINE) {
            continue;
        }

        if (outputs[i].chunk == 0) {

            if (outputs[i].result == CLIPPER_RESULT_OUTPUT) {
                outputs[i].result = CLIPPER_RESULT_SHED;
            }

            outputs[i].len = 0;
            continue;
        }

        clipper_chunk_write(zone, outputs[i].chunk, outputs[i].data,
                            outputs[i].len);
    }
}


/*
 * Writes the outputs to the cache before the flights end, so that a query
 * always finds one or the other.  The lease keeps the flight and its key.  A
 * replica that registered before another digest of the model was announced goes
 * on serving, but its answers are not kept.
 */

static void
ngx_http_clipper_dispatch_cache(ngx_http_clipper_replica_t *replica,
    clipper_output_t *outputs, uint64_t now_us)
{
    uint64_t          *counters;
    ngx_uint_t         i, evicted;
    clipper_zone_t    *zone;
    clipper_flight_t  *f;

    zone = ngx_http_clipper_process.zone;
    evicted = 0;

    if (!clipper_cache_enabled()
        || zone->replicas[replica->row].epoch
           != zone->models[replica->model].epoch)
    {
        return;
    }

    for (i = 0; i < replica->nleases; i++) {
        f = &zone->flights[replica->leases[i].flight];

        if (outputs[i].result == CLIPPER_RESULT_OUTPUT
            && f->gen == replica->leases[i].gen
            && f->shared)
        {
            evicted += clipper_cache_put(f->key, now_us,
                                         outputs[i].data, outputs[i].len);
        }
    }

    if (evicted) {
        counters = clipper_metrics_model(zone, replica->model);
        clipper_metrics_add(&counters[CLIPPER_M_EVICTIONS], evicted);
    }
}


static void
ngx_http_clipper_dispatch_settle_locked(ngx_http_clipper_replica_t *replica,
    clipper_output_t *outputs, uint64_t now_us)
{
    uint64_t               *counters, latency_us;
    ngx_uint_t              i, n, on_time, errors;
    clipper_zone_t         *zone;
    clipper_flight_t       *f;
    clipper_replica_row_t  *row;

    clipper_zone_locked(ngx_http_clipper_process.zone);

    zone = ngx_http_clipper_process.zone;
    row = &zone->replicas[replica->row];
    n = replica->nleases;
    latency_us = now_us - replica->sent_us;
    on_time = 1;
    errors = 0;

    for (i = 0; i < n; i++) {
        f = &zone->flights[replica->leases[i].flight];

        if (f->gen == replica->leases[i].gen && f->deadline_us < now_us) {
            on_time = 0;
        }

        errors += outputs[i].result == CLIPPER_RESULT_ERROR;

        (void) clipper_queue_lease_settle_locked(zone, replica->row,
                                 &replica->leases[i], &outputs[i], now_us);
    }

    clipper_queue_peer_observe_locked(zone, replica->row, &replica->batch,
                                      now_us, n, latency_us, on_time);

    row->nbatches++;
    row->ninputs += n;
    row->nerrors += errors;

    clipper_registry_failure_note_locked(zone,
                                         &zone->models[replica->model], n,
                                         errors,
                                         &ngx_http_clipper_dispatch_error,
                                         ngx_time());

    counters = clipper_metrics_model(zone, replica->model);

    clipper_metrics_time(&counters[CLIPPER_M_BATCH_TIME], latency_us);
    clipper_metrics_size(&counters[CLIPPER_M_BATCH_SIZE], n);

    if (errors) {
        clipper_metrics_add(&counters[CLIPPER_M_ERRORS], errors);
    }
}


/*
 * keeps the text of the latest error, and logs each text of a model once a
 * minute: texts do not hide each other, nor models
 */

static void
ngx_http_clipper_dispatch_failed(ngx_http_clipper_replica_t *replica,
    clipper_proto_output_t *output)
{
    ngx_str_t                *text;
    ngx_uint_t                told;
    clipper_limiter_t        *limiter;
    clipper_model_row_t      *model;

    static u_char             buf[NGX_HTTP_CLIPPER_DISPATCH_TEXT];
    static uint32_t           gens[CLIPPER_ROWS_MAX];
    static clipper_limiter_t  limiters[CLIPPER_ROWS_MAX];

    text = &ngx_http_clipper_dispatch_error;
    text->data = (u_char *) output->data;
    text->len = output->len;
    clipper_plain_text(text, buf, sizeof(buf));

    model = &ngx_http_clipper_process.zone->models[replica->model];
    limiter = &limiters[replica->model];

    if (gens[replica->model] != model->gen) {
        gens[replica->model] = model->gen;
        ngx_memzero(limiter, sizeof(clipper_limiter_t));
    }

    told = clipper_limiter(limiter, ngx_hash_key(text->data, text->len),
                           clipper_clock_us());
    if (!told) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "model \"%s:%s\" failed: %V%s", model->name, model->version,
                  text, clipper_limiter_end(told));
}

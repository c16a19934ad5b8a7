
/*
 * One input on its way to one model, see the header.
 */


#include "query/ngx_http_clipper_ask.h"
#include "base/clipper_plain.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_loan.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_letter.h"
#include "shm/clipper_queue.h"


#define NGX_HTTP_CLIPPER_ASK_SHORT  256         /* size of a cached output */
#define NGX_HTTP_CLIPPER_ASK_LOG    60000000    /* us between two lines */
#define NGX_HTTP_CLIPPER_ASK_ERROR  1024        /* size of a model's error */


static void ngx_http_clipper_ask_key(ngx_http_clipper_ask_t *ask,
    const u_char *data, size_t len, uint64_t key[2]);
static ngx_uint_t ngx_http_clipper_ask_lost(ngx_http_clipper_ask_t *ask);
static ngx_int_t ngx_http_clipper_ask_cached(ngx_http_clipper_ask_t *ask,
    const uint64_t key[2]);
static ngx_int_t ngx_http_clipper_ask_submit(ngx_http_clipper_ask_t *ask,
    clipper_task_t *task);
static void ngx_http_clipper_ask_fail(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_reason_e reason);
static void ngx_http_clipper_ask_count(ngx_http_clipper_ask_t *ask,
    ngx_uint_t counter);
static void ngx_http_clipper_ask_error(ngx_http_clipper_ask_t *ask,
    clipper_mail_t *mail);
static void ngx_http_clipper_ask_answer(ngx_http_clipper_ask_t *ask,
    clipper_mail_t *mail);
static void ngx_http_clipper_ask_log(ngx_http_clipper_query_t *query,
    size_t len);


/* the asks of this worker, by the row of their waiter */

static ngx_http_clipper_ask_t  **ngx_http_clipper_ask_waiting;


ngx_int_t
ngx_http_clipper_ask_init(ngx_cycle_t *cycle)
{
    ngx_http_clipper_ask_waiting = ngx_calloc(
                      ngx_http_clipper_process.zone->header->waiters.n
                      * sizeof(ngx_http_clipper_ask_t *), cycle->log);

    return ngx_http_clipper_ask_waiting ? NGX_OK : NGX_ERROR;
}


/* NGX_OK: answered; NGX_AGAIN: it waits */

ngx_int_t
ngx_http_clipper_ask_start(ngx_http_clipper_ask_t *ask, const u_char *data,
    size_t len)
{
    ngx_int_t                         rc;
    clipper_task_t                    task;
    ngx_http_clipper_query_t         *query;
    const ngx_http_clipper_tuning_t  *tuning;

    query = ask->query;

    if (ask->row == 0) {
        ngx_http_clipper_ask_fail(ask, NGX_HTTP_CLIPPER_NO_REPLICA);
        return NGX_OK;
    }

    tuning = ngx_http_clipper_model_row_tuning(ask->row);

    task.model = (uint32_t) ask->row;
    task.input_type = (uint32_t) query->app->opt.input_type;
    task.shared = query->app->opt.cache && clipper_cache_enabled();
    task.deadline_us = query->deadline_us;
    task.data = data;
    task.len = len;
    task.chunk = 0;
    task.joined = 0;
    task.queue_max = (uint32_t) tuning->queue;
    task.queue_size_max = tuning->queue_size
                          ? tuning->queue_size
                          : ngx_http_clipper_process.zone->header->size / 4;

    ngx_http_clipper_ask_key(ask, data, len, task.key);

    if (ngx_http_clipper_ask_lost(ask)) {
        ngx_http_clipper_ask_fail(ask, NGX_HTTP_CLIPPER_NO_REPLICA);
        return NGX_OK;
    }

    for ( ;; ) {

        if (task.shared) {
            task.settled = clipper_queue_settled(
                                     ngx_http_clipper_process.zone, task.key);

            if (ngx_http_clipper_ask_cached(ask, task.key) == NGX_OK) {
                return NGX_OK;
            }
        }

        /* a worker without a row has no mailbox for another answer */

        if (ngx_http_clipper_process.slot == 0) {
            ngx_http_clipper_ask_fail(ask, NGX_HTTP_CLIPPER_NO_REPLICA);
            return NGX_OK;
        }

        rc = ngx_http_clipper_ask_submit(ask, &task);

        /* NGX_BUSY: another answer may have reached the cache meanwhile */

        if (rc != NGX_BUSY) {
            break;
        }
    }

    if (task.shared && ask->row) {
        ngx_http_clipper_ask_count(ask, CLIPPER_M_CACHE
                                        + (task.joined ? 2 : 1));
    }

    return rc;
}


/* version and epoch are in the salt of the row, so no old answer is found */

static void
ngx_http_clipper_ask_key(ngx_http_clipper_ask_t *ask,
    const u_char *data, size_t len, uint64_t key[2])
{
    uint64_t         salt[3];
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    salt[0] = ask->row;
    salt[1] = __atomic_load_n(&zone->models[ask->row].epoch,
                              __ATOMIC_ACQUIRE);
    salt[2] = ask->query->app->opt.input_type;

    clipper_hash_digest(&zone->header->key, salt, data, len, key);
}


/*
 * Whether the last replica of the model left after the query began, and the row
 * now belongs to another model.
 */

static ngx_uint_t
ngx_http_clipper_ask_lost(ngx_http_clipper_ask_t *ask)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    if (ask->row_gen == __atomic_load_n(&zone->models[ask->row].gen,
                                        __ATOMIC_ACQUIRE))
    {
        return 0;
    }

    ask->row = 0;

    return 1;
}


/* NGX_OK: answered; NGX_DECLINED: not from the cache */

static ngx_int_t
ngx_http_clipper_ask_cached(ngx_http_clipper_ask_t *ask,
    const uint64_t key[2])
{
    u_char                     *p, buf[NGX_HTTP_CLIPPER_ASK_SHORT];
    size_t                      len, size;
    uint64_t                    now_us, valid_us;
    ngx_int_t                   rc;
    ngx_http_clipper_query_t   *query;

    query = ask->query;
    now_us = clipper_clock_us();
    valid_us = (uint64_t) query->app->opt.cache_valid * 1000;

    rc = clipper_cache_get(key, now_us, valid_us, buf, sizeof(buf), &len);
    p = NULL;

    if (rc == NGX_OK) {
        p = ngx_pnalloc(query->pool, len + 1);

        if (p) {
            ngx_memcpy(p, buf, len);
        }

    } else if (rc == NGX_ABORT) {
        size = len;
        p = ngx_pnalloc(query->pool, size);

        if (p && clipper_cache_get(key, now_us, valid_us, p, size, &len)
                 != NGX_OK)
        {
            p = NULL;
        }
    }

    if (p == NULL || len > query->app->opt.limits.output) {
        return NGX_DECLINED;
    }

    ngx_http_clipper_ask_count(ask, CLIPPER_M_CACHE);

    ask->outcome = NGX_HTTP_CLIPPER_CACHED;
    ask->output.data = p;
    ask->output.len = len;

    return NGX_OK;
}


/* NGX_OK: the default; NGX_AGAIN: it waits; NGX_BUSY: check the cache again */

static ngx_int_t
ngx_http_clipper_ask_submit(ngx_http_clipper_ask_t *ask, clipper_task_t *task)
{
    uint64_t                   now_us;
    ngx_int_t                  rc;
    clipper_zone_t            *zone;
    ngx_http_clipper_reason_e  reason;

    zone = ngx_http_clipper_process.zone;
    now_us = clipper_clock_us();
    reason = NGX_HTTP_CLIPPER_QUEUE_FULL;

    if (task->len > CLIPPER_COPY_MAX && task->chunk == 0) {
        task->chunk = clipper_loan(zone, task->len);

        if (task->chunk == 0) {
            ngx_http_clipper_ask_fail(ask, reason);
            return NGX_OK;
        }

        clipper_chunk_write(zone, task->chunk, task->data,
                            task->len);
    }

    clipper_zone_lock(zone);

    rc = ngx_http_clipper_ask_lost(ask)
         ? NGX_DECLINED
         : clipper_queue_submit_locked(zone, task, now_us);

    if (rc != NGX_OK && task->chunk) {
        clipper_chunk_free_locked(zone, task->chunk);
        task->chunk = 0;
    }

    clipper_zone_unlock(zone);

    if (rc == NGX_BUSY) {
        return NGX_BUSY;
    }

    if (rc == NGX_OK) {
        ask->waiter = task->waiter;
        ask->gen = task->gen;
        ngx_http_clipper_ask_waiting[task->waiter] = ask;
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        reason = NGX_HTTP_CLIPPER_NO_REPLICA;

    } else if (rc == NGX_DONE) {
        reason = NGX_HTTP_CLIPPER_MODEL_ERROR;
    }

    ngx_http_clipper_ask_fail(ask, reason);

    return NGX_OK;
}


static void
ngx_http_clipper_ask_fail(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_reason_e reason)
{
    ask->outcome = NGX_HTTP_CLIPPER_DEFAULT;
    ask->reason = reason;

    if (ask->row && reason != NGX_HTTP_CLIPPER_REASON_NONE) {
        ngx_http_clipper_ask_count(ask, CLIPPER_M_DROPPED + reason);
    }
}


/* increments a counter of its model */

static void
ngx_http_clipper_ask_count(ngx_http_clipper_ask_t *ask, ngx_uint_t counter)
{
    uint64_t  *counters;

    counters = clipper_metrics_model(ngx_http_clipper_process.zone, ask->row);

    clipper_metrics_add(&counters[counter], 1);
}


ngx_http_clipper_ask_t *
ngx_http_clipper_ask_deliver(clipper_mail_t *mail)
{
    ngx_http_clipper_ask_t  *ask;
    clipper_zone_t          *zone;

    zone = ngx_http_clipper_process.zone;
    ask = ngx_http_clipper_ask_waiting[mail->waiter];

    if (ask && ask->gen != mail->gen) {
        ask = NULL;
    }

    if (ask) {
        ngx_http_clipper_ask_waiting[mail->waiter] = NULL;
        ask->waiter = 0;
        ngx_http_clipper_ask_answer(ask, mail);
    }

    if (mail->held) {
        clipper_zone_lock(zone);
        clipper_queue_leave_locked(zone, mail->waiter, mail->gen);
        clipper_zone_unlock(zone);
    }

    return ask;
}


static void
ngx_http_clipper_ask_answer(ngx_http_clipper_ask_t *ask, clipper_mail_t *mail)
{
    u_char                     *p;
    ngx_http_clipper_query_t   *query;

    static ngx_http_clipper_reason_e  reasons[] = {
        NGX_HTTP_CLIPPER_REASON_NONE,
        NGX_HTTP_CLIPPER_MODEL_ERROR,
        NGX_HTTP_CLIPPER_DEADLINE,
        NGX_HTTP_CLIPPER_SHEDDING
    };

    query = ask->query;

    ask->queue_us = mail->queue_us;
    ask->model_us = mail->model_us;
    ask->batch_size = mail->batch_size;

    if (mail->result != CLIPPER_RESULT_OUTPUT) {
        ngx_http_clipper_ask_fail(ask, reasons[mail->result]);

        if (mail->result == CLIPPER_RESULT_ERROR && query->app->opt.explain) {
            ngx_http_clipper_ask_error(ask, mail);
        }

        return;
    }

    if (mail->len > query->app->opt.limits.output) {
        ngx_http_clipper_ask_log(query, mail->len);
        ngx_http_clipper_ask_fail(ask, NGX_HTTP_CLIPPER_MODEL_ERROR);
        return;
    }

    p = ngx_pnalloc(query->pool, mail->len + 1);

    if (p == NULL) {
        ngx_http_clipper_ask_fail(ask, NGX_HTTP_CLIPPER_MODEL_ERROR);
        return;
    }

    if (mail->held) {
        clipper_chunk_read(ngx_http_clipper_process.zone,
                           mail->chunk, p, mail->len);
    } else {
        ngx_memcpy(p, mail->data, mail->len);
    }

    ask->outcome = mail->joined ? NGX_HTTP_CLIPPER_JOINED
                                   : NGX_HTTP_CLIPPER_ANSWER;
    ask->output.data = p;
    ask->output.len = mail->len;
}


/* keeps what the model failed with, as one line; no memory: without it */

static void
ngx_http_clipper_ask_error(ngx_http_clipper_ask_t *ask, clipper_mail_t *mail)
{
    size_t                len;
    u_char               *p, *last, text[CLIPPER_TEXT];
    clipper_zone_t       *zone;
    clipper_model_row_t  *model;

    zone = ngx_http_clipper_process.zone;
    model = &zone->models[ask->row];
    len = ngx_min(mail->len, CLIPPER_TEXT);

    if (len == 0 || model->gen != ask->row_gen) {
        return;
    }

    p = ngx_pnalloc(ask->query->pool, NGX_HTTP_CLIPPER_ASK_ERROR);
    if (p == NULL) {
        return;
    }

    if (mail->held) {
        clipper_chunk_read(zone, mail->chunk, text, len);
    } else {
        ngx_memcpy(text, mail->data, len);
    }

    ask->error.data = p;

    last = p + NGX_HTTP_CLIPPER_ASK_ERROR;
    p = ngx_slprintf(p, last, "%s:%s: ", model->name, model->version);
    p = clipper_plain(p, last, text, len);

    ask->error.len = p - ask->error.data;
}


/* logs an output that is too long, once a minute */

static void
ngx_http_clipper_ask_log(ngx_http_clipper_query_t *query, size_t len)
{
    uint64_t  now_us;

    static uint64_t  logged_us;

    now_us = clipper_clock_us();

    if (logged_us && now_us - logged_us < NGX_HTTP_CLIPPER_ASK_LOG) {
        return;
    }

    logged_us = now_us;

    ngx_log_error(NGX_LOG_ERR, ngx_http_clipper_process.log, 0,
                  "an output of %uz bytes for application \"%V\" exceeds "
                  "output=%uz of \"clipper_limits\": the default was sent",
                  len, &query->app->name, query->app->opt.limits.output);
}


void
ngx_http_clipper_ask_leave(ngx_http_clipper_ask_t *asks, ngx_uint_t n,
    ngx_http_clipper_reason_e reason)
{
    ngx_uint_t               i;
    ngx_http_clipper_ask_t  *ask;
    clipper_zone_t          *zone;

    zone = ngx_http_clipper_process.zone;

    if (zone == NULL) {
        return;
    }

    clipper_zone_lock(zone);

    for (i = 0; i < n; i++) {
        ask = &asks[i];

        if (ask->waiter) {
            clipper_queue_leave_locked(zone, ask->waiter, ask->gen);
            ngx_http_clipper_ask_waiting[ask->waiter] = NULL;
            ask->waiter = 0;
            ngx_http_clipper_ask_fail(ask, reason);
        }
    }

    clipper_zone_unlock(zone);
}

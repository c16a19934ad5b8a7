
/*
 * The life of a query, see the header.
 */


#include "ngx_http_clipper_query.h"
#include "ngx_http_clipper_cache.h"
#include "ngx_http_clipper_chunk.h"
#include "ngx_http_clipper_metrics.h"
#include "ngx_http_clipper_model.h"
#include "ngx_http_clipper_process.h"
#include "ngx_http_clipper_registry.h"
#include "ngx_http_clipper_wake.h"


#define NGX_HTTP_CLIPPER_QUERY_SHORT  256       /* bytes of a cached output */


/* one input on its way to one model */

struct ngx_http_clipper_ask_s {
    ngx_http_clipper_query_t   *query;
    ngx_http_clipper_answer_t  *answer;
    uint32_t                    waiter;         /* 0: none */
    uint32_t                    gen;
};


static ngx_int_t ngx_http_clipper_query_ask(ngx_http_clipper_ask_t *ask,
    const u_char *data, size_t len);
static void ngx_http_clipper_query_key(ngx_http_clipper_query_t *query,
    const u_char *data, size_t len, uint64_t key[2]);
static ngx_int_t ngx_http_clipper_query_cached(ngx_http_clipper_ask_t *ask,
    const uint64_t key[2]);
static ngx_int_t ngx_http_clipper_query_submit(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_task_t *task);
static void ngx_http_clipper_query_default(ngx_http_clipper_answer_t *answer,
    ngx_http_clipper_query_t *query, ngx_http_clipper_reason_e reason);
static void ngx_http_clipper_query_answer(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_mail_t *mail);
static void ngx_http_clipper_query_expire(void *data);
static void ngx_http_clipper_query_leave(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_query_finish(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_query_count(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_query_cleanup(void *data);


ngx_str_t  ngx_http_clipper_outcome_names[] = {
    ngx_string("answer"),
    ngx_string("cached"),
    ngx_string("joined"),
    ngx_string("default"),
    ngx_string("error"),
    ngx_string("aborted")
};


ngx_str_t  ngx_http_clipper_reason_names[] = {
    ngx_string("-"),
    ngx_string("no_replica"),
    ngx_string("deadline"),
    ngx_string("queue_full"),
    ngx_string("low_confidence"),
    ngx_string("model_error"),
    ngx_string("shedding")
};


/* who of this worker waits in which row of the waiters' table */

static ngx_http_clipper_ask_t  **ngx_http_clipper_query_asks;


ngx_int_t
ngx_http_clipper_query_init(ngx_cycle_t *cycle)
{
    ngx_http_clipper_query_asks = ngx_calloc(
                      ngx_http_clipper_process.zone->header->waiters.n
                      * sizeof(ngx_http_clipper_ask_t *), cycle->log);

    return ngx_http_clipper_query_asks ? NGX_OK : NGX_ERROR;
}


ngx_http_clipper_query_t *
ngx_http_clipper_query_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_http_clipper_app_t *app, uint64_t start_us)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_clipper_query_t  *query;

    query = ngx_pcalloc(pool, sizeof(ngx_http_clipper_query_t));

    if (query == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, 0);

    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_clipper_query_cleanup;
    cln->data = query;

    query->app = app;
    query->pool = pool;
    query->log = log;
    query->start_us = start_us;
    query->deadline_us = start_us + (uint64_t) app->slo * 1000;
    query->timer.handler = ngx_http_clipper_query_expire;
    query->timer.data = query;

    return query;
}


ngx_int_t
ngx_http_clipper_query_resolve(ngx_http_clipper_query_t *query,
    ngx_str_t *version)
{
    ngx_http_clipper_link_t  *link;

    if (query->app->links.nelts == 0) {
        return version ? NGX_DECLINED : NGX_OK;
    }

    link = query->app->links.elts;

    if (version == NULL) {
        query->model = ngx_http_clipper_model_current(link);
        return NGX_OK;
    }

    query->model = ngx_http_clipper_model_version(link, version);

    return query->model ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_clipper_query_start(ngx_http_clipper_query_t *query,
    ngx_http_clipper_item_t *items, u_char *data, ngx_uint_t n)
{
    uint64_t                     id, margin_us;
    ngx_uint_t                   i;
    ngx_http_clipper_ask_t      *ask;
    ngx_http_clipper_zone_t     *zone;

    zone = ngx_http_clipper_process.zone;

    query->answers = ngx_pcalloc(query->pool,
                                 n * sizeof(ngx_http_clipper_answer_t) + 1);
    query->asks = ngx_pcalloc(query->pool,
                              n * sizeof(ngx_http_clipper_ask_t) + 1);

    if (query->answers == NULL || query->asks == NULL) {
        return NGX_ERROR;
    }

    query->n = n;
    query->nasks = n;
    id = __atomic_fetch_add(&zone->header->query_id, n, __ATOMIC_RELAXED);

    for (i = 0; i < n; i++) {
        query->answers[i].query_id =
                     ngx_http_clipper_scramble(&zone->header->key, id + i);

        ask = &query->asks[i];
        ask->query = query;
        ask->answer = &query->answers[i];

        if (ngx_http_clipper_query_ask(ask, data + items[i].offset,
                                       items[i].len)
            == NGX_AGAIN)
        {
            query->pending++;
        }
    }

    ngx_http_clipper_wake_flush();

    if (query->pending == 0) {
        ngx_http_clipper_query_finish(query);
        return NGX_OK;
    }

    margin_us = ngx_min(NGX_HTTP_CLIPPER_MARGIN,
                        (uint64_t) query->app->slo * 100);

    ngx_http_clipper_timer_add(&query->timer, query->deadline_us - margin_us);

    return NGX_OK;
}


/* NGX_OK: answered; NGX_AGAIN: waits */

static ngx_int_t
ngx_http_clipper_query_ask(ngx_http_clipper_ask_t *ask, const u_char *data,
    size_t len)
{
    ngx_int_t                         rc;
    ngx_http_clipper_task_t           task;
    ngx_http_clipper_query_t         *query;
    const ngx_http_clipper_tuning_t  *tuning;

    query = ask->query;

    if (query->model == 0) {
        ngx_http_clipper_query_default(ask->answer, query,
                                       NGX_HTTP_CLIPPER_NO_REPLICA);
        return NGX_OK;
    }

    tuning = ngx_http_clipper_model_row_tuning(query->model);

    task.model = (uint32_t) query->model;
    task.shared = query->app->cache && ngx_http_clipper_cache_enabled();
    task.deadline_us = query->deadline_us;
    task.data = data;
    task.len = len;
    task.chunk = 0;
    task.queue_max = (uint32_t) tuning->queue;
    task.queue_size_max = tuning->queue_size
                          ? tuning->queue_size
                          : ngx_http_clipper_process.zone->header->size / 4;

    ngx_http_clipper_query_key(query, data, len, task.key);

    for ( ;; ) {

        if (task.shared) {
            task.settled = ngx_http_clipper_queue_settled(
                                     ngx_http_clipper_process.zone, task.key);

            if (ngx_http_clipper_query_cached(ask, task.key) == NGX_OK) {
                return NGX_OK;
            }
        }

        rc = ngx_http_clipper_query_submit(ask, &task);

        /* NGX_BUSY: somebody else's answer may have reached the cache */

        if (rc != NGX_BUSY) {
            return rc;
        }
    }
}


/* version and epoch are in the row's salt, so no old answer is found */

static void
ngx_http_clipper_query_key(ngx_http_clipper_query_t *query,
    const u_char *data, size_t len, uint64_t key[2])
{
    uint64_t                  salt[3];
    ngx_http_clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    salt[0] = query->model;
    salt[1] = zone->models[query->model].epoch;
    salt[2] = query->app->input_type;

    ngx_http_clipper_digest(&zone->header->key, salt, data, len, key);
}


static ngx_int_t
ngx_http_clipper_query_cached(ngx_http_clipper_ask_t *ask,
    const uint64_t key[2])
{
    u_char                     *p, buf[NGX_HTTP_CLIPPER_QUERY_SHORT];
    size_t                      len, size;
    uint64_t                   *counters, now_us, valid_us;
    ngx_int_t                   rc;
    ngx_http_clipper_query_t   *query;

    query = ask->query;
    now_us = ngx_http_clipper_now_us();
    valid_us = (uint64_t) query->app->cache_valid * 1000;

    rc = ngx_http_clipper_cache_get(key, now_us, valid_us, buf, sizeof(buf),
                                    &len);
    p = NULL;

    if (rc == NGX_OK) {
        p = ngx_pnalloc(query->pool, len + 1);

        if (p) {
            ngx_memcpy(p, buf, len);
        }

    } else if (rc == NGX_AGAIN) {
        size = len;
        p = ngx_pnalloc(query->pool, size);

        if (p && ngx_http_clipper_cache_get(key, now_us, valid_us, p, size,
                                            &len)
                 != NGX_OK)
        {
            p = NULL;
        }
    }

    counters = ngx_http_clipper_metrics_model(ngx_http_clipper_process.zone,
                                              query->model)
               + NGX_HTTP_CLIPPER_M_CACHE;

    if (p == NULL || len > query->app->limits.output) {
        ngx_http_clipper_metrics_add(&counters[1], 1);
        return NGX_DECLINED;
    }

    ngx_http_clipper_metrics_add(&counters[0], 1);

    ask->answer->outcome = NGX_HTTP_CLIPPER_CACHED;
    ask->answer->output.data = p;
    ask->answer->output.len = len;
    ask->answer->model = query->model;

    return NGX_OK;
}


/* NGX_OK: the default; NGX_AGAIN: waits; NGX_BUSY: look in the cache again */

static ngx_int_t
ngx_http_clipper_query_submit(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_task_t *task)
{
    uint64_t                    now_us;
    ngx_int_t                   rc;
    ngx_http_clipper_zone_t    *zone;
    ngx_http_clipper_reason_e   reason;

    zone = ngx_http_clipper_process.zone;
    now_us = ngx_http_clipper_now_us();
    reason = NGX_HTTP_CLIPPER_QUEUE_FULL;

    if (task->len > NGX_HTTP_CLIPPER_COPY_MAX && task->chunk == 0) {
        ngx_http_clipper_zone_lock(zone);
        task->chunk = ngx_http_clipper_chunk_borrow_locked(zone, task->len);
        ngx_http_clipper_zone_unlock(zone);

        if (task->chunk == 0) {
            ngx_http_clipper_query_default(ask->answer, ask->query, reason);
            return NGX_OK;
        }

        ngx_http_clipper_chunk_write(zone, task->chunk, task->data,
                                     task->len);
    }

    ngx_http_clipper_zone_lock(zone);

    rc = ngx_http_clipper_queue_submit_locked(zone, task, now_us);

    if (rc != NGX_OK && task->chunk) {
        ngx_http_clipper_chunk_free_locked(zone, task->chunk);
        task->chunk = 0;
    }

    ngx_http_clipper_zone_unlock(zone);

    if (rc == NGX_AGAIN) {
        return NGX_BUSY;
    }

    if (rc == NGX_OK) {
        ask->waiter = task->waiter;
        ask->gen = task->gen;
        ngx_http_clipper_query_asks[task->waiter] = ask;
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        reason = NGX_HTTP_CLIPPER_NO_REPLICA;
    }

    ngx_http_clipper_query_default(ask->answer, ask->query, reason);

    return NGX_OK;
}


static void
ngx_http_clipper_query_default(ngx_http_clipper_answer_t *answer,
    ngx_http_clipper_query_t *query, ngx_http_clipper_reason_e reason)
{
    answer->outcome = NGX_HTTP_CLIPPER_DEFAULT;
    answer->reason = reason;
    answer->output = query->app->output;
}


/* --- answers --- */


void
ngx_http_clipper_query_deliver(ngx_http_clipper_mail_t *mail)
{
    ngx_http_clipper_ask_t    *ask;
    ngx_http_clipper_zone_t   *zone;
    ngx_http_clipper_query_t  *query;

    zone = ngx_http_clipper_process.zone;
    ask = ngx_http_clipper_query_asks[mail->waiter];

    if (ask && ask->gen != mail->gen) {
        ask = NULL;
    }

    if (ask) {
        ngx_http_clipper_query_asks[mail->waiter] = NULL;
        ask->waiter = 0;
        ngx_http_clipper_query_answer(ask, mail);
    }

    if (mail->held) {
        ngx_http_clipper_zone_lock(zone);
        ngx_http_clipper_queue_leave_locked(zone, mail->waiter, mail->gen);
        ngx_http_clipper_zone_unlock(zone);
    }

    if (ask == NULL) {
        return;
    }

    query = ask->query;

    if (--query->pending == 0) {
        ngx_http_clipper_query_finish(query);
    }
}


static void
ngx_http_clipper_query_answer(ngx_http_clipper_ask_t *ask,
    ngx_http_clipper_mail_t *mail)
{
    u_char                     *p;
    ngx_http_clipper_query_t   *query;
    ngx_http_clipper_answer_t  *answer;

    static ngx_http_clipper_reason_e  reasons[] = {
        NGX_HTTP_CLIPPER_REASON_NONE,
        NGX_HTTP_CLIPPER_MODEL_ERROR,
        NGX_HTTP_CLIPPER_DEADLINE,
        NGX_HTTP_CLIPPER_SHEDDING
    };

    query = ask->query;
    answer = ask->answer;

    answer->queue_us = mail->queue_us;
    answer->model_us = mail->model_us;
    answer->batch_size = mail->batch_size;

    if (mail->result != NGX_HTTP_CLIPPER_RESULT_OUTPUT) {
        ngx_http_clipper_query_default(answer, query, reasons[mail->result]);
        return;
    }

    p = NULL;

    if (mail->len <= query->app->limits.output) {
        p = ngx_pnalloc(query->pool, mail->len + 1);
    }

    if (p == NULL) {
        ngx_http_clipper_query_default(answer, query,
                                       NGX_HTTP_CLIPPER_MODEL_ERROR);
        return;
    }

    if (mail->held) {
        ngx_http_clipper_chunk_read(ngx_http_clipper_process.zone,
                                    mail->chunk, p, mail->len);
    } else {
        ngx_memcpy(p, mail->data, mail->len);
    }

    answer->outcome = mail->joined ? NGX_HTTP_CLIPPER_JOINED
                                   : NGX_HTTP_CLIPPER_ANSWER;
    answer->output.data = p;
    answer->output.len = mail->len;
    answer->model = query->model;
}


/* the deadline: what has no answer gets the default */

static void
ngx_http_clipper_query_expire(void *data)
{
    ngx_uint_t                 i;
    ngx_http_clipper_query_t  *query;

    query = data;

    for (i = 0; i < query->nasks; i++) {
        if (query->asks[i].waiter) {
            ngx_http_clipper_query_default(query->asks[i].answer, query,
                                           NGX_HTTP_CLIPPER_DEADLINE);
        }
    }

    ngx_http_clipper_query_leave(query);
    ngx_http_clipper_query_finish(query);
}


static void
ngx_http_clipper_query_leave(ngx_http_clipper_query_t *query)
{
    ngx_uint_t                i;
    ngx_http_clipper_ask_t   *ask;
    ngx_http_clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    if (zone == NULL || query->pending == 0) {
        return;
    }

    ngx_http_clipper_zone_lock(zone);

    for (i = 0; i < query->nasks; i++) {
        ask = &query->asks[i];

        if (ask->waiter) {
            ngx_http_clipper_queue_leave_locked(zone, ask->waiter, ask->gen);
            ngx_http_clipper_query_asks[ask->waiter] = NULL;
            ask->waiter = 0;
        }
    }

    ngx_http_clipper_zone_unlock(zone);

    query->pending = 0;
}


static void
ngx_http_clipper_query_finish(ngx_http_clipper_query_t *query)
{
    ngx_http_clipper_timer_del(&query->timer);

    query->done = 1;
    ngx_http_clipper_query_count(query);

    query->handler(query);
}


static void
ngx_http_clipper_query_count(ngx_http_clipper_query_t *query)
{
    uint64_t                   *counters, duration_us;
    ngx_uint_t                  i;
    ngx_http_clipper_answer_t  *answer;

    if (query->app->row == 0) {
        return;
    }

    duration_us = ngx_http_clipper_now_us() - query->start_us;
    counters = ngx_http_clipper_metrics_app(ngx_http_clipper_process.zone,
                                            query->app->row);

    for (i = 0; i < query->n; i++) {
        answer = &query->answers[i];

        ngx_http_clipper_metrics_add(
            &counters[NGX_HTTP_CLIPPER_M_OUTCOME + answer->outcome], 1);

        if (answer->outcome == NGX_HTTP_CLIPPER_DEFAULT) {
            ngx_http_clipper_metrics_add(
                &counters[NGX_HTTP_CLIPPER_M_DEFAULT + answer->reason], 1);
        }

        ngx_http_clipper_metrics_time(
            &counters[NGX_HTTP_CLIPPER_M_DURATION], duration_us);
    }
}


/* the request is over; if it was not answered the client went away */

static void
ngx_http_clipper_query_cleanup(void *data)
{
    ngx_uint_t                 i;
    ngx_http_clipper_query_t  *query;

    query = data;

    if (query->done || query->answers == NULL) {
        return;
    }

    ngx_http_clipper_timer_del(&query->timer);
    ngx_http_clipper_query_leave(query);

    for (i = 0; i < query->n; i++) {
        query->answers[i].outcome = NGX_HTTP_CLIPPER_ABORTED;
    }

    if (ngx_http_clipper_process.zone) {
        ngx_http_clipper_query_count(query);
    }
}

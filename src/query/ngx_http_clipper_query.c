
/*
 * The life of a query, see the header.
 */


#include "query/ngx_http_clipper_query.h"
#include "query/ngx_http_clipper_ask.h"
#include "shm/clipper_metrics.h"
#include "shm/clipper_door.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "query/ngx_http_clipper_select.h"
#include "shm/clipper_queue.h"
#include "query/ngx_http_clipper_select_merge.h"
#include "query/ngx_http_clipper_state_id.h"


static ngx_int_t ngx_http_clipper_query_keep(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data);
static void ngx_http_clipper_query_ask(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data);
static void ngx_http_clipper_query_chosen(ngx_http_clipper_query_t *query);
static ngx_int_t ngx_http_clipper_query_run(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data);
static void ngx_http_clipper_query_expire(void *data);
static void ngx_http_clipper_query_finish(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_query_count(ngx_http_clipper_query_t *query);
static void ngx_http_clipper_query_cleanup(void *data);


ngx_str_t  ngx_http_clipper_query_outcomes[] = {
    ngx_string("answer"),
    ngx_string("cached"),
    ngx_string("joined"),
    ngx_string("default"),
    ngx_string("error"),
    ngx_string("aborted")
};


ngx_str_t  ngx_http_clipper_query_reasons[] = {
    ngx_string("-"),
    ngx_string("no_replica"),
    ngx_string("deadline"),
    ngx_string("queue_full"),
    ngx_string("low_confidence"),
    ngx_string("model_error"),
    ngx_string("shedding")
};


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

    ngx_http_clipper_model_find();

    query->app = app;
    query->pool = pool;
    query->log = log;
    query->start_us = start_us;
    query->deadline_us = start_us + (uint64_t) app->opt.slo * 1000;
    query->timer.handler = ngx_http_clipper_query_expire;
    query->timer.data = query;

    return query;
}


ngx_int_t
ngx_http_clipper_query_resolve(ngx_http_clipper_query_t *query,
    ngx_str_t *version)
{
    return ngx_http_clipper_select_init(query, version);
}


ngx_int_t
ngx_http_clipper_query_start(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data, ngx_uint_t n)
{
    ngx_int_t   rc;
    ngx_uint_t  i, links;

    links = query->selection->n;

    query->answers = ngx_pcalloc(query->pool,
                                 n * sizeof(ngx_http_clipper_answer_t) + 1);
    query->asks = ngx_pcalloc(query->pool,
                              n * links * sizeof(ngx_http_clipper_ask_t) + 1);

    if (query->answers == NULL || query->asks == NULL) {
        return NGX_ERROR;
    }

    query->n = n;
    query->nasks = n * links;

    for (i = 0; i < n; i++) {
        query->answers[i].query_id =
              ngx_http_clipper_state_id_next(ngx_http_clipper_process.zone);
    }

    rc = ngx_http_clipper_select_choose(query, items, data,
                                        ngx_http_clipper_query_chosen);
    switch (rc) {

    case NGX_OK:
        return ngx_http_clipper_query_run(query, items, data);

    case NGX_AGAIN:
        return ngx_http_clipper_query_keep(query, items, data);

    default: /* NGX_ERROR */
        return rc;
    }
}


/* NGX_AGAIN: the inputs are copied, until the state of the user arrives */

static ngx_int_t
ngx_http_clipper_query_keep(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data)
{
    size_t      size;
    ngx_uint_t  n;

    n = query->n;
    size = n ? items[n - 1].offset + items[n - 1].len : 0;

    query->inputs = ngx_pnalloc(query->pool, size + 1);
    query->items = ngx_palloc(query->pool, n * sizeof(clipper_item_t) + 1);

    if (query->inputs == NULL || query->items == NULL) {
        ngx_http_clipper_select_cancel(query);
        return NGX_ERROR;
    }

    ngx_memcpy(query->inputs, data, size);
    ngx_memcpy(query->items, items, n * sizeof(clipper_item_t));

    return NGX_AGAIN;
}


static void
ngx_http_clipper_query_chosen(ngx_http_clipper_query_t *query)
{
    if (ngx_http_clipper_query_run(query, query->items, query->inputs)
        == NGX_OK)
    {
        query->handler(query);
    }
}


/* NGX_OK: every input has its answer; NGX_AGAIN: some are waited for */

static ngx_int_t
ngx_http_clipper_query_run(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data)
{
    uint64_t  margin_us;

    ngx_http_clipper_query_ask(query, items, data);

    if (query->pending == 0) {
        ngx_http_clipper_query_finish(query);
        return NGX_OK;
    }

    margin_us = ngx_min(CLIPPER_MARGIN, (uint64_t) query->app->opt.slo * 100);

    ngx_http_clipper_timer_add(&query->timer, query->deadline_us - margin_us);

    return NGX_AGAIN;
}


/* sends each input to the models that the policy chooses */

static void
ngx_http_clipper_query_ask(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data)
{
    ngx_uint_t                     i, k;
    ngx_http_clipper_ask_t        *ask;
    ngx_http_clipper_answer_t     *answer;
    ngx_http_clipper_selection_t  *sel;

    sel = query->selection;

    /* a replica that is told of the first input would not wait for the next */

    clipper_door_hold(ngx_http_clipper_process.zone);

    for (i = 0; i < query->n; i++) {
        answer = &query->answers[i];

        for (k = 0; k < sel->n; k++) {

            if (!((answer->asked >> k) & 1)) {
                continue;
            }

            ask = &query->asks[i * sel->n + k];
            ask->query = query;
            ask->row = sel->rows[k];
            ask->row_gen = sel->gens[k];

            if (ngx_http_clipper_ask_start(ask, data + items[i].offset,
                                           items[i].len)
                == NGX_AGAIN)
            {
                query->pending++;
            }
        }
    }

    clipper_door_release(ngx_http_clipper_process.zone);
}


void
ngx_http_clipper_query_deliver(clipper_mail_t *mail)
{
    ngx_http_clipper_ask_t    *ask;
    ngx_http_clipper_query_t  *query;

    ask = ngx_http_clipper_ask_deliver(mail);

    if (ask == NULL) {
        return;
    }

    query = ask->query;

    if (--query->pending == 0) {
        ngx_http_clipper_query_finish(query);
        query->handler(query);
    }
}


/* the deadline: answers with what has arrived */

static void
ngx_http_clipper_query_expire(void *data)
{
    ngx_http_clipper_query_t *query = data;

    ngx_http_clipper_ask_leave(query->asks, query->nasks,
                               NGX_HTTP_CLIPPER_DEADLINE);
    query->pending = 0;

    ngx_http_clipper_query_finish(query);
    query->handler(query);
}


static void
ngx_http_clipper_query_finish(ngx_http_clipper_query_t *query)
{
    ngx_http_clipper_timer_del(&query->timer);

    query->done = 1;

    ngx_http_clipper_select_merge(query);
    ngx_http_clipper_query_count(query);
}


static void
ngx_http_clipper_query_count(ngx_http_clipper_query_t *query)
{
    uint64_t                   *counters, duration_us;
    ngx_uint_t                  i;
    ngx_http_clipper_answer_t  *answer;

    if (query->app->row == 0 || query->quiet) {
        return;
    }

    duration_us = clipper_clock_us() - query->start_us;
    counters = clipper_metrics_app(ngx_http_clipper_process.zone,
                                   query->app->row);

    for (i = 0; i < query->n; i++) {
        answer = &query->answers[i];

        clipper_metrics_add(
            &counters[CLIPPER_M_OUTCOME + answer->outcome], 1);

        if (answer->outcome == NGX_HTTP_CLIPPER_DEFAULT) {
            clipper_metrics_add(
                &counters[CLIPPER_M_DEFAULT + answer->reason], 1);
        }

        clipper_metrics_time(
            &counters[CLIPPER_M_DURATION], duration_us);
    }
}


/* the request ends; without an answer the client has gone away */

static void
ngx_http_clipper_query_cleanup(void *data)
{
    ngx_uint_t                 i;
    ngx_http_clipper_query_t  *query;

    query = data;

    if (ngx_http_clipper_process.zone == NULL) {
        return;
    }

    if (!query->done && query->answers) {
        ngx_http_clipper_timer_del(&query->timer);
        ngx_http_clipper_select_cancel(query);

        ngx_http_clipper_ask_leave(query->asks, query->nasks,
                                   NGX_HTTP_CLIPPER_REASON_NONE);

        for (i = 0; i < query->n; i++) {
            query->answers[i].outcome = NGX_HTTP_CLIPPER_ABORTED;
        }

        ngx_http_clipper_query_count(query);
    }

    ngx_http_clipper_select_release(query);
}


/*
 * Feedback, see the header.
 */


#include "query/ngx_http_clipper_feedback.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_record.h"
#include "query/ngx_http_clipper_select.h"
#include "shm/clipper_record_claim.h"


/* an id that no query has */
#define NGX_HTTP_CLIPPER_FEEDBACK_ID    ((uint64_t) 1 << CLIPPER_SCRAMBLE_BITS)


static ngx_int_t ngx_http_clipper_feedback_find(
    ngx_http_clipper_feedback_t *feedback, u_char *input, size_t len,
    double since, clipper_record_t *record);
static ngx_http_clipper_feedback_e ngx_http_clipper_feedback_lesson(
    ngx_http_clipper_feedback_t *feedback, clipper_record_t *record,
    double since);
static ngx_int_t ngx_http_clipper_feedback_place(
    ngx_http_clipper_feedback_t *feedback);
static ngx_int_t ngx_http_clipper_feedback_get(
    ngx_http_clipper_feedback_t *feedback, uint64_t query_id,
    ngx_http_clipper_claim_e mode, ngx_uint_t place);
static void ngx_http_clipper_feedback_got(void *data,
    ngx_http_clipper_feedback_e result);
static void ngx_http_clipper_feedback_cleanup(void *data);
static ngx_int_t ngx_http_clipper_feedback_ask(
    ngx_http_clipper_feedback_t *feedback, u_char *input, size_t len);
static void ngx_http_clipper_feedback_answered(
    ngx_http_clipper_query_t *query);
static void ngx_http_clipper_feedback_asked(
    ngx_http_clipper_feedback_t *feedback);
static ngx_int_t ngx_http_clipper_feedback_end(
    ngx_http_clipper_feedback_t *feedback, ngx_http_clipper_feedback_e result);


ngx_str_t  ngx_http_clipper_feedback_names[] = {
    ngx_string("learned"),
    ngx_string("ignored"),
    ngx_string("unknown"),
    ngx_string("useless"),
    ngx_string("dropped"),
    ngx_string("kept"),
    ngx_string("full"),
    ngx_string("away")
};


/* records are long: there is one buffer, for one record at a time */

static clipper_record_t  ngx_http_clipper_feedback_record;


ngx_int_t
ngx_http_clipper_feedback_start(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len, uint64_t start_us)
{
    double                     since;
    ngx_int_t                  rc;
    clipper_record_t          *record;
    const clipper_policy_t    *policy;
    ngx_http_clipper_query_t  *query;

    policy = feedback->app->opt.select.policy;

    if (policy->observe == NULL) {
        return ngx_http_clipper_feedback_end(feedback,
                                           NGX_HTTP_CLIPPER_FEEDBACK_IGNORED);
    }

    query = ngx_http_clipper_query_create(feedback->pool, feedback->log,
                                          feedback->app, start_us);
    if (query == NULL) {
        return NGX_ERROR;
    }

    /* without a row its records cannot be told from others */

    if (feedback->app->row == 0) {
        return ngx_http_clipper_feedback_end(feedback,
                                           NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
    }

    feedback->query = query;

    query->uid = feedback->uid;
    query->quiet = 1;
    query->handler = ngx_http_clipper_feedback_answered;
    query->data = feedback;

    if (ngx_http_clipper_query_resolve(query, NULL) == NGX_ERROR
        || ngx_http_clipper_select_load(query) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    /* a state that is not here is added to all the same */

    record = &ngx_http_clipper_feedback_record;

    since = ngx_http_clipper_record_redis_since();
    ngx_http_clipper_process.zone->lesson = ngx_http_clipper_state_number();

    rc = ngx_http_clipper_feedback_find(feedback, input, len, since, record);

    if (rc == NGX_OK) {
        return ngx_http_clipper_feedback_end(feedback,
               ngx_http_clipper_feedback_lesson(feedback, record, since));
    }

    if (rc == NGX_AGAIN) {
        return ngx_http_clipper_feedback_get(feedback, record->query_id,
                                             record->owner == 0 && record->n
                                             ? NGX_HTTP_CLIPPER_CLAIM_HERE
                                             : NGX_HTTP_CLIPPER_CLAIM_AGAIN,
                                             record->n == 0);
    }

    if (rc == NGX_DECLINED && feedback->has_id && since != 0) {
        return ngx_http_clipper_feedback_place(feedback);
    }

    if (!feedback->has_id && (policy->flags & CLIPPER_POLICY_ASKS)
        && query->selection->up)
    {
        return ngx_http_clipper_feedback_ask(feedback, input, len);
    }

    return ngx_http_clipper_feedback_end(feedback,
                                         NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
}


static ngx_int_t
ngx_http_clipper_feedback_find(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len, double since, clipper_record_t *record)
{
    uint64_t                       key[2];
    clipper_zone_t                *zone;
    ngx_http_clipper_selection_t  *sel;

    zone = ngx_http_clipper_process.zone;
    sel = feedback->query->selection;

    if (feedback->has_id) {
        return clipper_record_take(zone, feedback->query_id,
                                   (uint32_t) feedback->app->row,
                                   sel->user_key, since, record);
    }

    ngx_http_clipper_select_input(feedback->query, input, len, key);

    return clipper_record_find(zone, (uint32_t) feedback->app->row,
                               sel->user_key, key, since, record);
}


/* once and for all: a death leaves the record, or what was learned from it */

static ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_lesson(ngx_http_clipper_feedback_t *feedback,
    clipper_record_t *record, double since)
{
    clipper_zone_t               *zone;
    ngx_http_clipper_feedback_e   result;

    zone = ngx_http_clipper_process.zone;

    result = ngx_http_clipper_feedback_learn(feedback->query,
                                             &feedback->label, record);
    if (zone->lesson) {
        clipper_record_claim_end(zone, record->query_id, record->app,
                                 record->uid, 0, since != 0);
    }

    return result;
}


/* Redis may have it, of another instance or from before a restart */

static ngx_int_t
ngx_http_clipper_feedback_place(ngx_http_clipper_feedback_t *feedback)
{
    ngx_int_t  rc;

    if (feedback->query_id >= NGX_HTTP_CLIPPER_FEEDBACK_ID) {
        return ngx_http_clipper_feedback_end(feedback,
                                           NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
    }

    rc = clipper_record_place(ngx_http_clipper_process.zone,
                              feedback->query_id,
                              (uint32_t) feedback->app->row,
                              feedback->query->selection->user_key,
                              clipper_clock_boot());

    if (rc != NGX_OK) {
        return ngx_http_clipper_feedback_end(feedback,
                                        rc == NGX_DECLINED
                                        ? NGX_HTTP_CLIPPER_FEEDBACK_FULL
                                        : NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
    }

    return ngx_http_clipper_feedback_get(feedback, feedback->query_id,
                                         NGX_HTTP_CLIPPER_CLAIM_FRESH, 1);
}


/* learns from a record that has to be claimed in Redis, within one SLO */

static ngx_int_t
ngx_http_clipper_feedback_get(ngx_http_clipper_feedback_t *feedback,
    uint64_t query_id, ngx_http_clipper_claim_e mode, ngx_uint_t place)
{
    ngx_int_t                          rc;
    ngx_pool_cleanup_t                *cln;
    ngx_http_clipper_feedback_label_t  label;

    cln = ngx_pool_cleanup_add(feedback->pool, 0);

    if (cln) {
        cln->handler = ngx_http_clipper_feedback_cleanup;
        cln->data = feedback;
    }

    label.app = feedback->app;
    label.uid = feedback->uid;
    label.label = feedback->label;
    label.query_id = query_id;
    label.mode = mode;
    label.place = place;
    label.until_us = feedback->query->deadline_us;
    label.handler = ngx_http_clipper_feedback_got;
    label.data = feedback;

    rc = cln ? ngx_http_clipper_feedback_claim(&label, &feedback->claim)
             : NGX_ERROR;

    if (rc == NGX_ERROR) {
        clipper_record_claim_leave(ngx_http_clipper_process.zone, query_id,
                                   (uint32_t) feedback->app->row,
                                   feedback->query->selection->user_key, 0);
    }

    return rc == NGX_OK ? ngx_http_clipper_feedback_end(feedback, label.result)
                        : rc;
}


static void
ngx_http_clipper_feedback_got(void *data, ngx_http_clipper_feedback_e result)
{
    ngx_http_clipper_feedback_t *feedback = data;

    feedback->claim = NULL;

    (void) ngx_http_clipper_feedback_end(feedback, result);

    feedback->handler(feedback);
}


static void
ngx_http_clipper_feedback_cleanup(void *data)
{
    ngx_http_clipper_feedback_t *feedback = data;

    if (feedback->claim) {
        ngx_http_clipper_feedback_claim_detach(feedback->claim);
        feedback->claim = NULL;
    }
}


/* no record of the query: asks all members, within one SLO */

static ngx_int_t
ngx_http_clipper_feedback_ask(ngx_http_clipper_feedback_t *feedback,
    u_char *input, size_t len)
{
    ngx_int_t        rc;
    clipper_item_t   item;

    feedback->query->everybody = 1;

    item.offset = 0;
    item.len = len;

    rc = ngx_http_clipper_query_start(feedback->query, &item, input, 1);

    if (rc == NGX_OK) {
        ngx_http_clipper_feedback_asked(feedback);
    }

    return rc;
}


static void
ngx_http_clipper_feedback_answered(ngx_http_clipper_query_t *query)
{
    ngx_http_clipper_feedback_t  *feedback;

    feedback = query->data;

    ngx_http_clipper_feedback_asked(feedback);

    feedback->handler(feedback);
}


/* the answers have left a record, like those of every query */

static void
ngx_http_clipper_feedback_asked(ngx_http_clipper_feedback_t *feedback)
{
    ngx_int_t                  rc;
    clipper_record_t          *record;
    ngx_http_clipper_query_t  *query;

    query = feedback->query;
    record = &ngx_http_clipper_feedback_record;

    ngx_http_clipper_process.zone->lesson = ngx_http_clipper_state_number();

    rc = clipper_record_take(ngx_http_clipper_process.zone,
                             query->answers[0].query_id,
                             (uint32_t) feedback->app->row,
                             query->selection->user_key, 0, record);

    (void) ngx_http_clipper_feedback_end(feedback,
                       rc == NGX_OK
                       ? ngx_http_clipper_feedback_lesson(feedback, record, 0)
                       : NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN);
}


static ngx_int_t
ngx_http_clipper_feedback_end(ngx_http_clipper_feedback_t *feedback,
    ngx_http_clipper_feedback_e result)
{
    feedback->result = result;

    ngx_http_clipper_feedback_learn_count(feedback->app, result);

    return NGX_OK;
}

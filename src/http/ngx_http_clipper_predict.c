
/*
 * How a request passes through the location of an application.
 *
 * The handler runs when the header is read, the body handler when the last
 * byte of the body is: the clock of the SLO starts there.  From then on the
 * request waits for its query only and holds one reference (r->main->count),
 * which its finalization releases.  A client that goes away finalizes the
 * request, and the cleanup of the pool ends the query.
 */


#include "http/ngx_http_clipper_predict.h"
#include "http/ngx_http_clipper_body.h"
#include "http/ngx_http_clipper_coding.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_process.h"
#include "http/ngx_http_clipper_response.h"
#include "http/ngx_http_clipper_update.h"


#define NGX_HTTP_CLIPPER_JSON_ERROR   "Json error"
#define NGX_HTTP_CLIPPER_BODY_ERROR   "Body error"
#define NGX_HTTP_CLIPPER_QUERY_ERROR  "Query processing error"


static ngx_uint_t ngx_http_clipper_predict_path(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx);
static ngx_int_t ngx_http_clipper_predict_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *error, const char *cause);
static void ngx_http_clipper_predict_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_clipper_predict_query(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx);
static ngx_int_t ngx_http_clipper_predict_ask(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, clipper_input_t *in);
static ngx_int_t ngx_http_clipper_predict_scan_error(ngx_http_request_t *r,
    clipper_input_t *in);
static ngx_int_t ngx_http_clipper_predict_uid(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_loc_conf_t *lcf,
    clipper_member_t *uid);
static ngx_int_t ngx_http_clipper_predict_resolve(ngx_http_request_t *r,
    ngx_http_clipper_query_t *query, clipper_member_t *version,
    ngx_str_t *cause);
static ngx_int_t ngx_http_clipper_predict_start(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_query_t *query,
    clipper_input_t *in);
static void ngx_http_clipper_predict_answered(ngx_http_clipper_query_t *query);
static ngx_int_t ngx_http_clipper_predict_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *error, ngx_str_t *cause);
static void ngx_http_clipper_predict_count(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx);


ngx_int_t
ngx_http_clipper_predict_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc, coding;
    ngx_http_clipper_ctx_t       *ctx;
    ngx_http_clipper_loc_conf_t  *lcf;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_clipper_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_clipper_module);

    if (!ngx_http_clipper_predict_path(r, ctx)) {
        return ngx_http_clipper_predict_refuse(r, NGX_HTTP_NOT_FOUND,
                                   "Not found",
                                   ctx->outside
                                   ? "There is no application at this path"
                                   : "The application has only the paths "
                                     "/predict and /update");
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_clipper_predict_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                   "Not found", "Only POST is allowed here");
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);
    coding = ngx_http_clipper_coding(r);

    if (coding && (coding == NGX_DECLINED || !lcf->app->opt.decompress)) {
        return ngx_http_clipper_predict_refuse(r,
                                   NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                   "Unsupported media type",
                                   lcf->app->opt.decompress
                                   ? "The Content-Encoding must be gzip, "
                                     "deflate or identity"
                                   : "The body must not have a "
                                     "Content-Encoding, as clipper_decompress "
                                     "is off");
    }

    ctx->coding = coding;
    ctx->own = (r->request_body == NULL);

    rc = ngx_http_read_client_request_body(r, ngx_http_clipper_predict_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* what follows the location's name; 0: no path that is served */

static ngx_uint_t
ngx_http_clipper_predict_path(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx)
{
    size_t                     skip;
    ngx_str_t                  rest;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    skip = clcf->name.len;

    if (skip && clcf->name.data[skip - 1] == '/') {
        skip--;
    }

    if (r->uri.len <= skip) {
        return 0;
    }

    /* a prefix of nginx may end inside a word: "/sum" has "/summary", too */

    if (r->uri.data[skip] != '/') {
        ctx->outside = 1;
        return 0;
    }

    rest.data = r->uri.data + skip;
    rest.len = r->uri.len - skip;

    if (rest.data[rest.len - 1] == '/') {
        rest.len--;
    }

    if (rest.len == sizeof("/predict") - 1
        && ngx_strncmp(rest.data, "/predict", rest.len) == 0)
    {
        return 1;
    }

    if (rest.len == sizeof("/update") - 1
        && ngx_strncmp(rest.data, "/update", rest.len) == 0)
    {
        ctx->update = 1;
        return 1;
    }

    return 0;
}


/* an error that is known before the body is read */

static ngx_int_t
ngx_http_clipper_predict_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *cause)
{
    ngx_int_t         rc;
    ngx_str_t         text;
    ngx_table_elt_t  *allow;

    /* sends no "100 Continue" for a body that is not read */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (status == NGX_HTTP_NOT_ALLOWED) {
        allow = ngx_list_push(&r->headers_out.headers);
        if (allow == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        allow->hash = 1;
        ngx_str_set(&allow->key, "Allow");
        ngx_str_set(&allow->value, "POST");
    }

    text.data = (u_char *) cause;
    text.len = ngx_strlen(cause);

    return ngx_http_clipper_predict_error(r, status, error, &text);
}


static void
ngx_http_clipper_predict_body(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_clipper_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    ctx->read_us = clipper_clock_us();

    rc = ngx_http_clipper_predict_query(r, ctx);

    if (rc != NGX_AGAIN) {
        if (!ctx->update && !ctx->failed && rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_clipper_predict_count(r, ctx);
        }

        ngx_http_finalize_request(r, rc);
        return;
    }

    r->connection->log->action = "waiting for a prediction";

    if (r != r->main) {
        return;
    }

    if (ctx->own) {
        ngx_http_clipper_body_free(r);
    }

    r->read_event_handler = ngx_http_test_reading;

    /* an event that came before the handler was set is not reported again */

    if (r->connection->read->pending_eof) {
        ngx_http_test_reading(r);
    }
}


/* NGX_AGAIN: the query waits; otherwise finalize the request with it */

static ngx_int_t
ngx_http_clipper_predict_query(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx)
{
    ngx_int_t                     rc;
    clipper_input_t              *in;
    ngx_http_clipper_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);

    in = ngx_http_clipper_body_scan(r, lcf->app, ctx->update
                                    ? CLIPPER_INPUT_UPDATE
                                    : CLIPPER_INPUT_PREDICT, ctx->coding);
    if (in == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (in->error.code != CLIPPER_INPUT_SYNTAX
        && in->error.code != CLIPPER_INPUT_NOMEM
        && ngx_http_clipper_predict_uid(r, ctx, lcf, &in->uid) != NGX_OK)
    {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        goto done;
    }

    if (ctx->update) {
        rc = ngx_http_clipper_update(r, ctx, in);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_clipper_predict_scan_error(r, in);
        }

        goto done;
    }

    rc = ngx_http_clipper_predict_ask(r, ctx, in);

done:

    ngx_http_clipper_body_release(in);

    return rc;
}


/* makes a query of what was read; results as above */

static ngx_int_t
ngx_http_clipper_predict_ask(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, clipper_input_t *in)
{
    ngx_str_t                     cause;
    ngx_http_clipper_query_t     *query;
    ngx_http_clipper_loc_conf_t  *lcf;

    if (in->error.code == CLIPPER_INPUT_SYNTAX
        || in->error.code == CLIPPER_INPUT_NOMEM)
    {
        return ngx_http_clipper_predict_scan_error(r, in);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);

    query = ngx_http_clipper_query_create(r->pool, r->connection->log,
                                          lcf->app, ctx->read_us);
    if (query == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    query->uid = ctx->uid;

    switch (ngx_http_clipper_predict_resolve(r, query, &in->version, &cause)) {

    case NGX_OK:
        return in->error.code
               ? ngx_http_clipper_predict_scan_error(r, in)
               : ngx_http_clipper_predict_start(r, ctx, query, in);

    case NGX_DECLINED:
        return ngx_http_clipper_predict_error(r, NGX_HTTP_BAD_REQUEST,
                                              NGX_HTTP_CLIPPER_QUERY_ERROR,
                                              &cause);

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_clipper_predict_scan_error(ngx_http_request_t *r, clipper_input_t *in)
{
    u_char     text[CLIPPER_INPUT_CAUSE];
    ngx_str_t  cause;

    if (in->error.code == CLIPPER_INPUT_NOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cause.data = text;
    cause.len = clipper_input_error_cause(&in->error, in->mode, text) - text;

    if (in->error.code == CLIPPER_INPUT_LIMIT) {
        return ngx_http_clipper_predict_error(r,
                                              NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                              "Request too large", &cause);
    }

    return ngx_http_clipper_predict_error(r, NGX_HTTP_BAD_REQUEST,
                                          in->error.code == CLIPPER_INPUT_SCHEMA
                                          && in->error.what
                                             == CLIPPER_INPUT_BODY
                                          ? NGX_HTTP_CLIPPER_BODY_ERROR
                                          : NGX_HTTP_CLIPPER_JSON_ERROR,
                                          &cause);
}


/*
 * Finds the user of the query: from clipper_uid, or, without the directive or
 * where it allows that, from the body.
 */

static ngx_int_t
ngx_http_clipper_predict_uid(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_loc_conf_t *lcf,
    clipper_member_t *uid)
{
    if (lcf->uid && ngx_http_complex_value(r, lcf->uid, &ctx->uid) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->uid.len
        || (lcf->uid && !lcf->uid_body)
        || (uid->kind != CLIPPER_KIND_STRING
            && uid->kind != CLIPPER_KIND_INTEGER)
        || uid->text.len == 0)
    {
        return NGX_OK;
    }

    ctx->uid.len = uid->text.len;
    ctx->uid.data = ngx_pstrdup(r->pool, &uid->text);

    return ctx->uid.data ? NGX_OK : NGX_ERROR;
}


/* NGX_DECLINED: it cannot have the version that it asks for, *cause says why */

static ngx_int_t
ngx_http_clipper_predict_resolve(ngx_http_request_t *r,
    ngx_http_clipper_query_t *query, clipper_member_t *version,
    ngx_str_t *cause)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 model, *requested;
    ngx_http_clipper_link_t  *links;

    links = query->app->links.elts;

    if (version->kind != CLIPPER_KIND_STRING) {
        return ngx_http_clipper_query_resolve(query, NULL);
    }

    requested = &version->text;

    if (query->app->links.nelts > 1) {
        p = ngx_pnalloc(r->pool, sizeof("Too many models linked to application "
                        "") - 1 + query->app->name.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        cause->data = p;
        cause->len = ngx_sprintf(p, "Too many models linked to application %V",
                                 &query->app->name)
                     - p;

        return NGX_DECLINED;
    }

    rc = ngx_http_clipper_query_resolve(query, requested);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_str_null(&model);

    if (query->app->links.nelts) {
        model = links[0].model->name;
    }

    p = ngx_pnalloc(r->pool, sizeof("Requested version:  does not exist for "
                                    "model: ")
                             + requested->len + model.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    cause->data = p;
    cause->len = ngx_sprintf(p, "Requested version: %V does not exist for "
                             "model: %V", requested, &model)
                 - p;

    return NGX_DECLINED;
}


/* what the request is finalized with; NGX_AGAIN: the handler does it later */

static ngx_int_t
ngx_http_clipper_predict_start(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_query_t *query,
    clipper_input_t *in)
{
    ctx->query = query;
    ctx->batch = in->batch;

    if (in->nitems == 0) {
        return ngx_http_clipper_response_answers(r, query, 1);
    }

    query->handler = ngx_http_clipper_predict_answered;
    query->data = r;

    switch (ngx_http_clipper_query_start(query, in->items, in->data,
                                         in->nitems))
    {
    case NGX_OK:
        ctx->finished = 1;
        return ngx_http_clipper_response_answers(r, query, ctx->batch);

    case NGX_AGAIN:
        return NGX_AGAIN;

    default: /* NGX_ERROR */
        ctx->query = NULL;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static void
ngx_http_clipper_predict_answered(ngx_http_clipper_query_t *query)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_clipper_ctx_t  *ctx;

    r = query->data;
    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    ctx->finished = 1;

    ngx_http_set_log_request(c->log, r);

    rc = ngx_http_clipper_response_answers(r, query, ctx->batch);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_clipper_predict_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, ngx_str_t *cause)
{
    ngx_http_clipper_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);
    ctx->failed = 1;

    /* before the response: the client may look at the counters next */

    if (ctx->read_us && !ctx->update) {
        ngx_http_clipper_predict_count(r, ctx);
    }

    return ngx_http_clipper_response_error(r, status, error, cause);
}


/* counts a prediction that ends before it has a query */

static void
ngx_http_clipper_predict_count(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx)
{
    uint64_t                     *counters;
    clipper_zone_t               *zone;
    ngx_http_clipper_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);
    zone = ngx_http_clipper_process.zone;

    if (zone == NULL || lcf->app->row == 0) {
        return;
    }

    counters = clipper_metrics_app(zone, lcf->app->row);
    clipper_metrics_add(&counters[CLIPPER_M_OUTCOME
                                  + NGX_HTTP_CLIPPER_ERROR], 1);
    clipper_metrics_time(&counters[CLIPPER_M_DURATION],
                         clipper_clock_us() - ctx->read_us);
}

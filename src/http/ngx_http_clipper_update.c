
/*
 * Feedback over HTTP, see the header.
 */


#include "http/ngx_http_clipper_update.h"
#include "query/ngx_http_clipper_feedback.h"
#include "http/ngx_http_clipper_response.h"


static uint64_t ngx_http_clipper_update_id(clipper_member_t *member);
static void ngx_http_clipper_update_done(
    ngx_http_clipper_feedback_t *feedback);
static ngx_int_t ngx_http_clipper_update_send(ngx_http_request_t *r,
    ngx_http_clipper_feedback_t *feedback);


ngx_int_t
ngx_http_clipper_update(ngx_http_request_t *r, ngx_http_clipper_ctx_t *ctx,
    clipper_input_t *in)
{
    ngx_int_t                     rc;
    ngx_http_clipper_feedback_t  *feedback;
    ngx_http_clipper_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);

    /* feedback names a query by its id, or by user and input */

    if (in->error.code == CLIPPER_INPUT_OK
        && in->query_id.kind == CLIPPER_KIND_ABSENT
        && lcf->uid == NULL
        && in->uid.kind != CLIPPER_KIND_INTEGER
        && in->uid.kind != CLIPPER_KIND_STRING)
    {
        clipper_input_error_require(&in->error, "uid");
    }

    if (in->error.code) {
        return NGX_DECLINED;
    }

    feedback = ngx_pcalloc(r->pool, sizeof(ngx_http_clipper_feedback_t));
    if (feedback == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    feedback->app = lcf->app;
    feedback->pool = r->pool;
    feedback->log = r->connection->log;
    feedback->uid = ctx->uid;
    feedback->handler = ngx_http_clipper_update_done;
    feedback->data = r;

    feedback->label.len = in->label.text.len;
    feedback->label.data = ngx_pstrdup(r->pool, &in->label.text);

    if (feedback->label.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (in->query_id.kind != CLIPPER_KIND_ABSENT) {
        feedback->query_id = ngx_http_clipper_update_id(&in->query_id);
        feedback->has_id = 1;
    }

    rc = ngx_http_clipper_feedback_start(feedback,
                             in->nitems ? in->data + in->items[0].offset : NULL,
                             in->nitems ? in->items[0].len : 0, ctx->read_us);

    switch (rc) {

    case NGX_OK:
        return ngx_http_clipper_update_send(r, feedback);

    case NGX_AGAIN:
        return NGX_AGAIN;

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* an invalid id becomes the largest number, which no query has */

static uint64_t
ngx_http_clipper_update_id(clipper_member_t *member)
{
    return (uint64_t) ngx_atoi(member->text.data, member->text.len);
}


static void
ngx_http_clipper_update_done(ngx_http_clipper_feedback_t *feedback)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = feedback->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_clipper_update_send(r, feedback));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_clipper_update_send(ngx_http_request_t *r,
    ngx_http_clipper_feedback_t *feedback)
{
    ngx_buf_t  *b;
    ngx_str_t  *text, *cause;

    static ngx_str_t  received = ngx_string("Feedback received? 1");
    static ngx_str_t  refused = ngx_string("Feedback received? 0");
    static ngx_str_t  full = ngx_string("The memory of queries has no room "
                                        "for a label that waits for Redis");
    static ngx_str_t  away = ngx_string("Redis is away, and no one else "
                                        "remembers the query");

    cause = feedback->result == NGX_HTTP_CLIPPER_FEEDBACK_FULL ? &full
            : feedback->result == NGX_HTTP_CLIPPER_FEEDBACK_AWAY ? &away
            : NULL;

    if (cause) {
        return ngx_http_clipper_response_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               "Feedback not kept", cause);
    }

    text = feedback->result == NGX_HTTP_CLIPPER_FEEDBACK_LEARNED
           || feedback->result == NGX_HTTP_CLIPPER_FEEDBACK_KEPT
           || feedback->result == NGX_HTTP_CLIPPER_FEEDBACK_IGNORED
           ? &received : &refused;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;

    return ngx_http_clipper_response_send(r, NGX_HTTP_OK, b);
}


/*
 * Variables of the module.  Each has a function that writes the value of one
 * answer; the handler joins the values, as for $upstream_status.  Values that
 * are all equal are one, and a list that is too long ends in "...".
 */


#include "base/clipper_plain.h"
#include "http/ngx_http_clipper_variables.h"
#include "http/ngx_http_clipper_predict.h"
#include "query/ngx_http_clipper_select.h"


/* the longest value of one answer: all models and versions that were asked */

#define NGX_HTTP_CLIPPER_VALUE_MAX                                            \
    (2 * CLIPPER_TEXT * CLIPPER_POLICY_MEMBERS)


/* of a list: it may become a header, and those of a proxy's peer have 4 kB */

#define NGX_HTTP_CLIPPER_LIST_MAX  1500


/* writes at dst, or returns dst if the answer has no such value */

typedef u_char *(*ngx_http_clipper_value_pt)(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);


static ngx_int_t ngx_http_clipper_variable_app(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_clipper_variable_uid(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_clipper_variable_list(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_clipper_variable_fit(ngx_http_clipper_ctx_t *ctx,
    ngx_uint_t n, ngx_http_clipper_value_pt write, size_t *len,
    ngx_uint_t *cut);
static u_char *ngx_http_clipper_variable_one(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_uint_t i,
    ngx_http_clipper_value_pt write);
static ngx_int_t ngx_http_clipper_variable_absent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_uint_t outcome);

static u_char *ngx_http_clipper_value_query_id(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_outcome(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_reason(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_models(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_model(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_propensity(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_confidence(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_queue_time(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_model_time(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);
static u_char *ngx_http_clipper_value_batch_size(u_char *dst,
    ngx_http_clipper_ctx_t *ctx, ngx_http_clipper_answer_t *answer);


static ngx_http_variable_t  ngx_http_clipper_variables[] = {

    { ngx_string("clipper_app"), NULL,
      ngx_http_clipper_variable_app,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_query_id"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_query_id,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_outcome"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_outcome,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_default_reason"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_reason,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_models"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_models,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_model"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_model,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_propensity"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_propensity,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_confidence"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_confidence,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_uid"), NULL,
      ngx_http_clipper_variable_uid,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_queue_time"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_queue_time,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_model_time"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_model_time,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("clipper_batch_size"), NULL,
      ngx_http_clipper_variable_list,
      (uintptr_t) ngx_http_clipper_value_batch_size,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_clipper_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_clipper_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_variable_app(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_clipper_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);

    if (lcf->app == NULL) {
        return ngx_http_clipper_variable_absent(r, v, 0);
    }

    v->len = lcf->app->name.len;
    v->data = lcf->app->name.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_variable_uid(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                   size;
    ngx_http_clipper_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    if (ctx == NULL || ctx->uid.len == 0) {
        return ngx_http_clipper_variable_absent(r, v, 0);
    }

    v->len = ctx->uid.len;
    v->data = ctx->uid.data;

    /* it may become a header, where a line break would begin another one */

    if (!clipper_plain_is(v->data, v->len)) {
        size = ctx->uid.len * CLIPPER_PLAIN_MAX;

        v->data = ngx_pnalloc(r->pool, size);
        if (v->data == NULL) {
            return NGX_ERROR;
        }

        v->len = clipper_plain(v->data, v->data + size, ctx->uid.data,
                               ctx->uid.len)
                 - v->data;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_variable_list(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                     *p;
    size_t                      len;
    ngx_uint_t                  i, n, cut;
    ngx_http_clipper_ctx_t     *ctx;
    ngx_http_clipper_value_pt   write;

    write = (ngx_http_clipper_value_pt) data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    n = (ctx && ctx->query && !ctx->failed) ? ctx->query->n : 0;

    if (n == 0) {
        return ngx_http_clipper_variable_absent(r, v, ctx && ctx->failed
                                   && write == ngx_http_clipper_value_outcome);
    }

    n = ngx_http_clipper_variable_fit(ctx, n, write, &len, &cut);

    p = ngx_pnalloc(r->pool, len + sizeof(", ...") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    for (i = 0; i < n; i++) {
        if (i) {
            *p++ = ',';
            *p++ = ' ';
        }

        p = ngx_http_clipper_variable_one(p, ctx, i, write);
    }

    if (cut) {
        p = ngx_cpymem(p, ", ...", sizeof(", ...") - 1);
    }

    v->len = p - v->data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * How many of the values are shown, and their length: one if all are equal,
 * else as many as fit, at least one.
 */

static ngx_uint_t
ngx_http_clipper_variable_fit(ngx_http_clipper_ctx_t *ctx, ngx_uint_t n,
    ngx_http_clipper_value_pt write, size_t *len, ngx_uint_t *cut)
{
    u_char      first[NGX_HTTP_CLIPPER_VALUE_MAX];
    u_char      one[NGX_HTTP_CLIPPER_VALUE_MAX];
    size_t      size, begin;
    ngx_uint_t  i, fit, equal;

    begin = ngx_http_clipper_variable_one(first, ctx, 0, write) - first;

    *len = begin;
    fit = 1;
    equal = 1;

    for (i = 1; i < n && (equal || fit == i); i++) {
        size = ngx_http_clipper_variable_one(one, ctx, i, write) - one;

        if (size != begin || ngx_memcmp(one, first, size) != 0) {
            equal = 0;
        }

        if (fit == i && *len + 2 + size <= NGX_HTTP_CLIPPER_LIST_MAX) {
            *len += 2 + size;
            fit++;
        }
    }

    if (equal) {
        fit = 1;
    }

    *cut = (!equal && fit < n);

    return fit;
}


static u_char *
ngx_http_clipper_variable_one(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_uint_t i, ngx_http_clipper_value_pt write)
{
    u_char  *last;

    last = write(dst, ctx, &ctx->query->answers[i]);

    if (last == dst) {
        *last++ = '-';
    }

    return last;
}


/* "-", or the outcome of a request that failed */

static ngx_int_t
ngx_http_clipper_variable_absent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_uint_t outcome)
{
    ngx_str_t  *text;

    static ngx_str_t  absent = ngx_string("-");

    text = outcome ? &ngx_http_clipper_query_outcomes[NGX_HTTP_CLIPPER_ERROR]
                   : &absent;

    v->len = text->len;
    v->data = text->data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static u_char *
ngx_http_clipper_value_query_id(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    return ngx_sprintf(dst, "%uL", answer->query_id);
}


static u_char *
ngx_http_clipper_value_outcome(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    ngx_str_t  *name;

    name = &ngx_http_clipper_query_outcomes[ctx->finished
                                            ? answer->outcome
                                            : NGX_HTTP_CLIPPER_ABORTED];

    return ngx_cpymem(dst, name->data, name->len);
}


static u_char *
ngx_http_clipper_value_reason(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    ngx_str_t  *name;

    if (!ctx->finished || answer->reason == NGX_HTTP_CLIPPER_REASON_NONE) {
        return dst;
    }

    name = &ngx_http_clipper_query_reasons[answer->reason];

    return ngx_cpymem(dst, name->data, name->len);
}


/* the models that were asked, joined by "|" */

static u_char *
ngx_http_clipper_value_models(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    u_char      *p;
    ngx_str_t   *name;
    ngx_uint_t   i;

    p = dst;

    for (i = 0; i < CLIPPER_POLICY_MEMBERS; i++) {
        if ((answer->asked >> i) & 1) {
            if (p != dst) {
                *p++ = '|';
            }

            name = &ctx->query->selection->names[i];
            p = ngx_cpymem(p, name->data, name->len);
        }
    }

    return p;
}


static u_char *
ngx_http_clipper_value_model(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    ngx_str_t  *name;

    if (!ctx->finished || answer->served < 0
        || answer->outcome == NGX_HTTP_CLIPPER_DEFAULT)
    {
        return dst;
    }

    name = &ctx->query->selection->names[answer->served];

    return ngx_cpymem(dst, name->data, name->len);
}


static u_char *
ngx_http_clipper_value_propensity(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    double  propensity;

    propensity = ngx_http_clipper_select_propensity(ctx->query, answer);

    return propensity < 0 ? dst : ngx_sprintf(dst, "%.9f", propensity);
}


static u_char *
ngx_http_clipper_value_confidence(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    return !ctx->finished || answer->confidence < 0
           ? dst : ngx_sprintf(dst, "%.6f", answer->confidence);
}


static u_char *
ngx_http_clipper_value_queue_time(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    if (!ctx->finished || answer->batch_size == 0) {
        return dst;
    }

    return ngx_sprintf(dst, "%uL.%06uL", answer->queue_us / 1000000,
                       answer->queue_us % 1000000);
}


static u_char *
ngx_http_clipper_value_model_time(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    if (!ctx->finished || answer->batch_size == 0) {
        return dst;
    }

    return ngx_sprintf(dst, "%uL.%06uL", answer->model_us / 1000000,
                       answer->model_us % 1000000);
}


static u_char *
ngx_http_clipper_value_batch_size(u_char *dst, ngx_http_clipper_ctx_t *ctx,
    ngx_http_clipper_answer_t *answer)
{
    if (!ctx->finished || answer->batch_size == 0) {
        return dst;
    }

    return ngx_sprintf(dst, "%ui", answer->batch_size);
}


/*
 * The filters run before all others.  ngx_http_special_response_handler()
 * leaves its mark in r->err_status.  Responses of the module, of "return", and
 * of an "error_page" elsewhere have no mark or are in another location.
 */


#include "http/ngx_http_clipper_filter.h"
#include "http/ngx_http_clipper_predict.h"
#include "http/ngx_http_clipper_response.h"


/* the body of an error page */

typedef struct {
    ngx_uint_t    status;
    const char   *error;
    ngx_str_t     cause;
} ngx_http_clipper_page_t;


static ngx_int_t ngx_http_clipper_filter_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_clipper_filter_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_buf_t *ngx_http_clipper_filter_page(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_http_clipper_page_t  ngx_http_clipper_pages[] = {

    { NGX_HTTP_UNAUTHORIZED, "Unauthorized",
      ngx_string("Credentials are required") },

    { NGX_HTTP_FORBIDDEN, "Forbidden",
      ngx_string("Access is not allowed") },

    { NGX_HTTP_NOT_FOUND, "Not found",
      ngx_string("There is nothing at this path") },

    { NGX_HTTP_NOT_ALLOWED, "Not found",
      ngx_string("The method is not allowed here") },

    { NGX_HTTP_REQUEST_TIME_OUT, "Timeout",
      ngx_string("The request did not arrive in time") },

    { NGX_HTTP_LENGTH_REQUIRED, "Length required",
      ngx_string("The body needs a Content-Length") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "Request too large",
      ngx_string("The body is larger than client_max_body_size") },

    { NGX_HTTP_TOO_MANY_REQUESTS, "Too many requests",
      ngx_string("The request exceeded the allowed rate") },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, "Internal error",
      ngx_string("An unexpected error occurred!") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "Unavailable",
      ngx_string("The server cannot answer this request now") },

    { 0, "Request error",
      ngx_string("The request cannot be answered") }
};


ngx_int_t
ngx_http_clipper_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_clipper_filter_header;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_clipper_filter_body;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_filter_header(ngx_http_request_t *r)
{
    ngx_http_clipper_ctx_t       *ctx;
    ngx_http_clipper_loc_conf_t  *lcf;

    /* nginx closes the connection next, without telling the client */

    if (ngx_exiting) {
        r->keepalive = 0;
    }

    if (r->err_status < NGX_HTTP_BAD_REQUEST || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_clipper_module);

    if (lcf->app == NULL && !lcf->operator) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_clipper_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ngx_http_set_ctx(r, ctx, ngx_http_clipper_module);
    }

    ctx->failed = 1;
    ctx->page = ngx_http_clipper_filter_page(r);

    if (ctx->page == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_response_type(r, ctx->page->last - ctx->page->pos);

    return ngx_http_next_header_filter(r);
}


static ngx_buf_t *
ngx_http_clipper_filter_page(ngx_http_request_t *r)
{
    ngx_str_t                  cause;
    ngx_http_clipper_page_t   *page;
    ngx_http_core_loc_conf_t  *clcf;
    u_char                     text[sizeof("The body is larger than the  bytes "
                                           "of client_max_body_size")
                                    + NGX_OFF_T_LEN];

    for (page = ngx_http_clipper_pages; page->status; page++) {
        if (page->status == r->err_status) {
            break;
        }
    }

    cause = page->cause;

    if (page->status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        cause.data = text;
        cause.len = ngx_sprintf(text, "The body is larger than the %O bytes of "
                                "client_max_body_size",
                                clcf->client_max_body_size)
                    - text;
    }

    return ngx_http_clipper_response_error_buf(r->pool, page->error, &cause);
}


static ngx_int_t
ngx_http_clipper_filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t              out, *cl;
    ngx_http_clipper_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_clipper_module);

    if (ctx == NULL || ctx->page == NULL || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    /* drops nginx's own text */

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
    }

    if (ctx->replaced) {
        return ngx_http_next_body_filter(r, NULL);
    }

    ctx->replaced = 1;

    ctx->page->last_buf = 1;
    ctx->page->last_in_chain = 1;

    out.buf = ctx->page;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


/*
 * Health, see the header.
 */


#include "http/ngx_http_clipper_health.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "http/ngx_http_clipper_document.h"
#include "http/ngx_http_clipper_failure.h"
#include "http/ngx_http_clipper_response.h"
#include "shm/clipper_registry_replica.h"


static ngx_uint_t ngx_http_clipper_health_replicas(
    ngx_http_clipper_app_t *app, ngx_uint_t *stuck);
static ngx_uint_t ngx_http_clipper_health_stuck(clipper_zone_t *zone,
    ngx_uint_t model);
static ngx_int_t ngx_http_clipper_health_send(ngx_http_request_t *r,
    const char *cause);


ngx_int_t
ngx_http_clipper_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                name, cause;
    ngx_buf_t               *document;
    ngx_uint_t               stuck, all;
    ngx_http_clipper_app_t  *app;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "app", 3, &name) != NGX_OK) {
        return ngx_http_clipper_health_send(r, NULL);
    }

    app = ngx_http_clipper_conf_table_app(
              ngx_http_get_module_main_conf(r, ngx_http_clipper_module), &name);

    if (app == NULL) {
        ngx_str_set(&cause, "There is no application with this name");

        return ngx_http_clipper_response_error(r, NGX_HTTP_NOT_FOUND,
                                               "Not found", &cause);
    }

    stuck = 0;

    if (ngx_http_clipper_health_replicas(app, &stuck) == stuck) {
        return ngx_http_clipper_health_send(r, stuck
                   ? "All replicas of the application's models are stuck in a "
                     "batch"
                   : "No model of the application has a live replica");
    }

    rc = ngx_http_clipper_failure_health(r->pool, app, &document, &all);

    if (rc == NGX_OK) {
        return ngx_http_clipper_response_send(r,
                                              all ? NGX_HTTP_SERVICE_UNAVAILABLE
                                                  : NGX_HTTP_OK, document);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_health_send(r, NULL);
}


/*
 * The ready replicas of the models, and how many of them are stuck.  Read
 * without the mutex: the answer may be out of date anyway.
 */

static ngx_uint_t
ngx_http_clipper_health_replicas(ngx_http_clipper_app_t *app,
    ngx_uint_t *stuck)
{
    ngx_uint_t                i, n, row;
    ngx_http_clipper_link_t  *links;
    clipper_zone_t           *zone;

    zone = ngx_http_clipper_process.zone;
    links = app->links.elts;
    n = 0;

    if (zone == NULL) {
        return 0;
    }

    for (i = 0; i < app->links.nelts; i++) {
        row = ngx_http_clipper_model_current(&links[i]);

        if (row) {
            n += zone->models[row].replicas;
            *stuck += ngx_http_clipper_health_stuck(zone, row);
        }
    }

    *stuck = ngx_min(*stuck, n);

    return n;
}


static ngx_uint_t
ngx_http_clipper_health_stuck(clipper_zone_t *zone, ngx_uint_t model)
{
    uint64_t                now_us;
    ngx_uint_t              i, n;
    clipper_replica_row_t  *r;

    now_us = clipper_clock_us();
    n = 0;

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        n += r->state == CLIPPER_READY
             && r->model == model
             && clipper_registry_replica_stuck(r, now_us);
    }

    return n;
}


/* cause: why the application is unavailable, or NULL */

static ngx_int_t
ngx_http_clipper_health_send(ngx_http_request_t *r, const char *cause)
{
    ngx_buf_t                   *b;
    ngx_http_clipper_document_t  d;

    ngx_http_clipper_document_init(&d, r->pool);
    ngx_http_clipper_document_open(&d, NULL, '{');
    ngx_http_clipper_document_text(&d, "status", cause ? "unavailable" : "ok");

    if (cause) {
        ngx_http_clipper_document_text(&d, "cause", cause);
    }

    ngx_http_clipper_document_close(&d);

    b = ngx_http_clipper_document_end(&d);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_response_send(r,
                                          cause ? NGX_HTTP_SERVICE_UNAVAILABLE
                                                : NGX_HTTP_OK, b);
}

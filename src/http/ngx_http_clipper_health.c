
/*
 * Health, see the header.
 */


#include "http/ngx_http_clipper_health.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "http/ngx_http_clipper_failure.h"
#include "http/ngx_http_clipper_response.h"
#include "shm/clipper_registry_replica.h"


static ngx_http_clipper_app_t *ngx_http_clipper_health_app(
    ngx_http_request_t *r, ngx_str_t *name);
static ngx_uint_t ngx_http_clipper_health_replicas(
    ngx_http_clipper_app_t *app, ngx_uint_t *stuck);
static ngx_uint_t ngx_http_clipper_health_stuck(clipper_zone_t *zone,
    ngx_uint_t model);
static ngx_int_t ngx_http_clipper_health_send(ngx_http_request_t *r,
    ngx_uint_t status, const char *text);


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
        return ngx_http_clipper_health_send(r, NGX_HTTP_OK,
                                            "{\"status\":\"ok\"}\n");
    }

    app = ngx_http_clipper_health_app(r, &name);

    if (app == NULL) {
        ngx_str_set(&cause, "There is no application of this name");

        return ngx_http_clipper_response_error(r, NGX_HTTP_NOT_FOUND,
                                               "Not found", &cause);
    }

    stuck = 0;

    if (ngx_http_clipper_health_replicas(app, &stuck) == stuck) {
        return ngx_http_clipper_health_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   stuck
                                   ? "{\"status\":\"unavailable\",\"cause\":"
                                     "\"All replicas of the application's "
                                     "models are stuck in a batch\"}\n"
                                   : "{\"status\":\"unavailable\",\"cause\":"
                                     "\"No model of the application has a live "
                                     "replica\"}\n");
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

    return ngx_http_clipper_health_send(r, NGX_HTTP_OK,
                                        "{\"status\":\"ok\"}\n");
}


static ngx_http_clipper_app_t *
ngx_http_clipper_health_app(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_clipper_app_t       **apps;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_clipper_module);
    apps = mcf->apps.elts;

    for (i = 0; i < mcf->apps.nelts; i++) {
        if (apps[i]->name.len == name->len
            && ngx_memcmp(apps[i]->name.data, name->data, name->len) == 0)
        {
            return apps[i];
        }
    }

    return NULL;
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


static ngx_int_t
ngx_http_clipper_health_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *text)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = (u_char *) text;
    b->last = b->pos + ngx_strlen(text);
    b->memory = 1;

    return ngx_http_clipper_response_send(r, status, b);
}

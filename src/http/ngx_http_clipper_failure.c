
#include "http/ngx_http_clipper_failure.h"
#include "http/ngx_http_clipper_document.h"
#include "shm/clipper_registry_failure.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"


static clipper_model_row_t *ngx_http_clipper_failure_model(
    ngx_http_clipper_app_t *app, ngx_uint_t i);
static void ngx_http_clipper_failure_row(ngx_http_clipper_document_t *d,
    clipper_model_row_t *model);


ngx_int_t
ngx_http_clipper_failure_health(ngx_pool_t *pool, ngx_http_clipper_app_t *app,
    ngx_buf_t **document, ngx_uint_t *all)
{
    ngx_uint_t                   i, alive, failing, always;
    clipper_model_row_t         *model;
    ngx_http_clipper_document_t  d;

    alive = 0;
    failing = 0;
    always = 0;

    for (i = 0; i < app->links.nelts; i++) {
        model = ngx_http_clipper_failure_model(app, i);

        if (model && model->replicas) {
            alive++;
            failing += clipper_registry_failure_is(model);
            always += clipper_registry_failure_always(model);
        }
    }

    if (failing == 0) {
        return NGX_DECLINED;
    }

    *all = (always == alive);

    ngx_http_clipper_document_init(&d, pool);
    ngx_http_clipper_document_open(&d, NULL, '{');
    ngx_http_clipper_document_text(&d, "status", *all ? "unavailable" : "ok");

    if (*all) {
        ngx_http_clipper_document_text(&d, "cause", "The application's models "
                                       "have failed on all their inputs");
    }

    ngx_http_clipper_document_open(&d, "failing", '[');

    for (i = 0; i < app->links.nelts; i++) {
        model = ngx_http_clipper_failure_model(app, i);

        if (model && model->replicas && clipper_registry_failure_is(model)) {
            ngx_http_clipper_failure_row(&d, model);
        }
    }

    ngx_http_clipper_document_close(&d);
    ngx_http_clipper_document_close(&d);

    *document = ngx_http_clipper_document_end(&d);

    return *document ? NGX_OK : NGX_ERROR;
}


static clipper_model_row_t *
ngx_http_clipper_failure_model(ngx_http_clipper_app_t *app, ngx_uint_t i)
{
    ngx_uint_t                row;
    clipper_zone_t           *zone;
    ngx_http_clipper_link_t  *links;

    zone = ngx_http_clipper_process.zone;
    links = app->links.elts;

    if (zone == NULL) {
        return NULL;
    }

    row = ngx_http_clipper_model_current(&links[i]);

    return row ? &zone->models[row] : NULL;
}


static void
ngx_http_clipper_failure_row(ngx_http_clipper_document_t *d,
    clipper_model_row_t *model)
{
    u_char  error[CLIPPER_TEXT];

    (void) clipper_registry_failure_text(model, error);

    ngx_http_clipper_document_open(d, NULL, '{');
    ngx_http_clipper_document_text(d, "model", model->name);
    ngx_http_clipper_document_text(d, "version", model->version);
    ngx_http_clipper_document_number(d, "failed", model->failed);
    ngx_http_clipper_document_text(d, "last_error", error);
    ngx_http_clipper_document_close(d);
}


/*
 * The tables of the configuration, see the header.
 */


#include "conf/ngx_http_clipper_conf_table.h"
#include "base/clipper_name.h"
#include "conf/ngx_http_clipper_conf_select.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "shm/clipper_registry.h"


static void ngx_http_clipper_conf_unset_tuning(ngx_http_clipper_tuning_t *t);
static void ngx_http_clipper_conf_merge_tuning(ngx_http_clipper_tuning_t *t,
    ngx_http_clipper_tuning_t *from);
static ngx_http_clipper_app_t *ngx_http_clipper_conf_new_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location);
static ngx_uint_t ngx_http_clipper_conf_same_links(ngx_array_t *a,
    ngx_array_t *b);
static ngx_int_t ngx_http_clipper_conf_check_types(ngx_conf_t *cf,
    ngx_http_clipper_app_t *app);


ngx_http_clipper_model_conf_t *
ngx_http_clipper_conf_table_model(ngx_http_clipper_main_conf_t *mcf,
    const ngx_str_t *name)
{
    ngx_uint_t                       i;
    ngx_http_clipper_model_conf_t  **models;

    models = mcf->models.elts;

    for (i = 0; i < mcf->models.nelts; i++) {
        if (clipper_name_equal(&models[i]->name, name)) {
            return models[i];
        }
    }

    return NULL;
}


ngx_http_clipper_version_conf_t *
ngx_http_clipper_conf_table_version(ngx_http_clipper_model_conf_t *model,
    const ngx_str_t *version)
{
    ngx_uint_t                         i;
    ngx_http_clipper_version_conf_t  **versions;

    versions = model->versions.elts;

    for (i = 0; i < model->versions.nelts; i++) {
        if (clipper_name_equal(&versions[i]->version, version)) {
            return versions[i];
        }
    }

    return NULL;
}


ngx_http_clipper_model_conf_t *
ngx_http_clipper_conf_table_get_model(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_str_t *name)
{
    ngx_http_clipper_model_conf_t  *model, **slot;

    model = ngx_http_clipper_conf_table_model(mcf, name);
    if (model) {
        return model;
    }

    model = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_model_conf_t));
    if (model == NULL) {
        return NULL;
    }

    model->name = *name;
    ngx_http_clipper_conf_unset_tuning(&model->tuning);

    if (ngx_array_init(&model->versions, cf->pool, 2,
                       sizeof(ngx_http_clipper_version_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    slot = ngx_array_push(&mcf->models);
    if (slot == NULL) {
        return NULL;
    }

    *slot = model;

    return model;
}


ngx_http_clipper_version_conf_t *
ngx_http_clipper_conf_table_get_version(ngx_conf_t *cf,
    ngx_http_clipper_model_conf_t *model, ngx_str_t *version)
{
    ngx_http_clipper_version_conf_t  *v, **slot;

    v = ngx_http_clipper_conf_table_version(model, version);
    if (v) {
        return v;
    }

    v = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_version_conf_t));
    if (v == NULL) {
        return NULL;
    }

    v->version = *version;
    v->input_type = NGX_CONF_UNSET;
    ngx_http_clipper_conf_unset_tuning(&v->tuning);

    slot = ngx_array_push(&model->versions);
    if (slot == NULL) {
        return NULL;
    }

    *slot = v;

    return v;
}


static void
ngx_http_clipper_conf_unset_tuning(ngx_http_clipper_tuning_t *t)
{
    t->batch = NGX_CONF_UNSET;
    t->batch_max = NGX_CONF_UNSET;
    t->batch_wait = NGX_CONF_UNSET_MSEC;
    t->batch_timeout = NGX_CONF_UNSET_MSEC;
    t->queue = NGX_CONF_UNSET;
    t->queue_size = NGX_CONF_UNSET_SIZE;
    t->replica_timeout = NGX_CONF_UNSET_MSEC;
    t->hedge = NGX_CONF_UNSET_MSEC;
}


static void
ngx_http_clipper_conf_merge_tuning(ngx_http_clipper_tuning_t *t,
    ngx_http_clipper_tuning_t *from)
{
    ngx_conf_merge_value(t->batch, from->batch,
                         NGX_HTTP_CLIPPER_BATCH_ADAPTIVE);
    ngx_conf_merge_value(t->batch_max, from->batch_max,
                         NGX_HTTP_CLIPPER_DEFAULT_BATCH_MAX);
    ngx_conf_merge_msec_value(t->batch_wait, from->batch_wait, 0);
    ngx_conf_merge_msec_value(t->batch_timeout, from->batch_timeout, 0);
    ngx_conf_merge_value(t->queue, from->queue,
                         NGX_HTTP_CLIPPER_DEFAULT_QUEUE);
    ngx_conf_merge_size_value(t->queue_size, from->queue_size, 0);
    ngx_conf_merge_msec_value(t->replica_timeout, from->replica_timeout,
                              NGX_HTTP_CLIPPER_DEFAULT_REPLICA_TIMEOUT);

    if (t->hedge == NGX_CONF_UNSET_MSEC) {
        if (from->hedge == NGX_CONF_UNSET_MSEC) {
            t->hedge = 0;
            t->hedge_auto = 1;

        } else {
            t->hedge = from->hedge;
            t->hedge_auto = from->hedge_auto;
        }
    }
}


void
ngx_http_clipper_conf_table_finish_models(ngx_http_clipper_main_conf_t *mcf)
{
    ngx_uint_t                         i, n;
    ngx_http_clipper_tuning_t          unset;
    ngx_http_clipper_model_conf_t    **models;
    ngx_http_clipper_version_conf_t  **versions;

    ngx_http_clipper_conf_unset_tuning(&unset);

    models = mcf->models.elts;

    for (i = 0; i < mcf->models.nelts; i++) {

        ngx_http_clipper_conf_merge_tuning(&models[i]->tuning, &unset);

        versions = models[i]->versions.elts;

        for (n = 0; n < models[i]->versions.nelts; n++) {
            ngx_http_clipper_conf_merge_tuning(&versions[n]->tuning,
                                               &models[i]->tuning);
        }
    }
}


ngx_http_clipper_version_conf_t *
ngx_http_clipper_conf_table_current(ngx_http_clipper_model_conf_t *model)
{
    ngx_uint_t                         i;
    ngx_http_clipper_version_conf_t   *current, **versions;

    if (model->version.len) {
        return ngx_http_clipper_conf_table_version(model, &model->version);
    }

    current = NULL;
    versions = model->versions.elts;

    for (i = 0; i < model->versions.nelts; i++) {

        if (versions[i]->declared
            && (current == NULL
                || clipper_registry_compare(
                       versions[i]->version.data, versions[i]->version.len,
                       current->version.data, current->version.len)
                   > 0))
        {
            current = versions[i];
        }
    }

    return current;
}


/* --- applications --- */


ngx_http_clipper_app_t *
ngx_http_clipper_conf_table_app(ngx_http_clipper_main_conf_t *mcf,
    const ngx_str_t *name)
{
    ngx_uint_t                i;
    ngx_http_clipper_app_t  **apps;

    apps = mcf->apps.elts;

    for (i = 0; i < mcf->apps.nelts; i++) {
        if (clipper_name_equal(&apps[i]->name, name)) {
            return apps[i];
        }
    }

    return NULL;
}


ngx_http_clipper_app_t *
ngx_http_clipper_conf_table_get_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location)
{
    const char              *what;
    ngx_http_clipper_app_t  *app;

    app = ngx_http_clipper_conf_table_app(mcf, &lcf->name);

    if (app == NULL) {
        return ngx_http_clipper_conf_new_app(cf, mcf, lcf, location);
    }

    what = ngx_http_clipper_conf_opt_differs(&app->opt, &lcf->opt);

    if (what == NULL
        && !ngx_http_clipper_conf_same_links(&app->links, lcf->links))
    {
        what = "\"clipper_link\"";
    }

    if (what == NULL) {
        return app;
    }

    ngx_http_clipper_conf_value_error(cf, lcf->file, lcf->line,
                       "application \"%V\" has a different %s than in %s:%ui",
                       &lcf->name, what, app->file, app->line);

    return NULL;
}


static ngx_http_clipper_app_t *
ngx_http_clipper_conf_new_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location)
{
    ngx_http_clipper_app_t  *app, **slot;

    app = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_app_t));
    if (app == NULL) {
        return NULL;
    }

    app->name = lcf->name;
    app->index = mcf->apps.nelts;
    app->opt = lcf->opt;
    app->location = *location;
    app->file = lcf->file;
    app->line = lcf->line;

    if (lcf->links) {
        app->links = *lcf->links;
    }

    if (ngx_http_clipper_conf_select_links(cf, app) != NGX_OK
        || ngx_http_clipper_conf_check_types(cf, app) != NGX_OK)
    {
        return NULL;
    }

    slot = ngx_array_push(&mcf->apps);
    if (slot == NULL) {
        return NULL;
    }

    *slot = app;

    return app;
}


static ngx_uint_t
ngx_http_clipper_conf_same_links(ngx_array_t *a, ngx_array_t *b)
{
    ngx_uint_t                i;
    ngx_http_clipper_link_t  *p, *q;

    if (a->nelts != (b ? b->nelts : 0)) {
        return 0;
    }

    p = a->elts;
    q = b ? b->elts : NULL;

    for (i = 0; i < a->nelts; i++) {
        if (p[i].model != q[i].model
            || p[i].version != q[i].version
            || p[i].weight != q[i].weight)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_clipper_conf_check_types(ngx_conf_t *cf, ngx_http_clipper_app_t *app)
{
    ngx_uint_t                        i;
    ngx_http_clipper_link_t          *links;
    ngx_http_clipper_version_conf_t  *version;

    links = app->links.elts;

    for (i = 0; i < app->links.nelts; i++) {

        version = links[i].version;

        if (version == NULL) {
            version = ngx_http_clipper_conf_table_current(links[i].model);
        }

        if (version == NULL
            || version->input_type == NGX_CONF_UNSET
            || version->input_type == app->opt.input_type)
        {
            continue;
        }

        ngx_http_clipper_conf_value_error(cf, links[i].file, links[i].line,
                       "application \"%V\" has the input type \"%V\", but "
                       "model \"%V:%V\" is declared with \"%V\"",
                       &app->name,
                       clipper_input_type_name(app->opt.input_type),
                       &links[i].model->name, &version->version,
                       clipper_input_type_name(version->input_type));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Applications after the merge: the one object per application that all
 * locations with its name share, and what must agree between it, its
 * locations and its models.
 */


#include "conf/ngx_http_clipper_conf.h"


static ngx_http_clipper_app_t *ngx_http_clipper_conf_new_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location);
static const char *ngx_http_clipper_conf_differs(ngx_http_clipper_app_t *app,
    ngx_http_clipper_loc_conf_t *lcf);
static ngx_uint_t ngx_http_clipper_conf_same_links(ngx_array_t *a,
    ngx_array_t *b);
static ngx_int_t ngx_http_clipper_conf_check_types(ngx_conf_t *cf,
    ngx_http_clipper_app_t *app);


ngx_http_clipper_app_t *
ngx_http_clipper_conf_check_add_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location)
{
    const char               *what;
    ngx_uint_t                i;
    ngx_http_clipper_app_t  **apps;

    apps = mcf->apps.elts;

    for (i = 0; i < mcf->apps.nelts; i++) {

        if (apps[i]->name.len != lcf->name.len
            || ngx_memcmp(apps[i]->name.data, lcf->name.data, lcf->name.len)
               != 0)
        {
            continue;
        }

        what = ngx_http_clipper_conf_differs(apps[i], lcf);

        if (what == NULL) {
            return apps[i];
        }

        ngx_http_clipper_conf_error(cf, lcf->file, lcf->line,
                                    "application \"%V\" has another %s here "
                                    "than in %s:%ui",
                                    &lcf->name, what, apps[i]->file,
                                    apps[i]->line);
        return NULL;
    }

    return ngx_http_clipper_conf_new_app(cf, mcf, lcf, location);
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
    app->input_type = lcf->input_type;
    app->strict = lcf->strict;
    app->slo = lcf->slo;
    app->output = lcf->output;
    app->cache = lcf->cache;
    app->cache_valid = lcf->cache_valid;
    app->limits = lcf->limits;
    app->location = *location;
    app->file = lcf->file;
    app->line = lcf->line;

    if (lcf->links) {
        app->links = *lcf->links;
    }

    if (ngx_http_clipper_conf_select_app(cf, app, lcf) != NGX_OK
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


/* NULL: the location says the same; else what it says differently */

static const char *
ngx_http_clipper_conf_differs(ngx_http_clipper_app_t *app,
    ngx_http_clipper_loc_conf_t *lcf)
{
    if (app->input_type != lcf->input_type || app->strict != lcf->strict) {
        return "\"clipper_input\"";
    }

    if (app->slo != lcf->slo) {
        return "\"clipper_slo\"";
    }

    if (app->output.len != lcf->output.len
        || ngx_memcmp(app->output.data, lcf->output.data, app->output.len)
           != 0)
    {
        return "\"clipper_default\"";
    }

    if (app->cache != lcf->cache || app->cache_valid != lcf->cache_valid) {
        return "\"clipper_cache\"";
    }

    if (app->limits.batch != lcf->limits.batch
        || app->limits.elements != lcf->limits.elements
        || app->limits.depth != lcf->limits.depth
        || app->limits.output != lcf->limits.output)
    {
        return "\"clipper_limits\"";
    }

    if (!ngx_http_clipper_conf_same_links(&app->links, lcf->links)) {
        return "\"clipper_link\"";
    }

    return ngx_http_clipper_conf_select_differs(app, lcf);
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
            || version->input_type == app->input_type)
        {
            continue;
        }

        ngx_http_clipper_conf_error(cf, links[i].file, links[i].line,
                       "application \"%V\" has the input type \"%V\", but "
                       "model \"%V:%V\" is declared with \"%V\"",
                       &app->name,
                       clipper_input_type_name(app->input_type),
                       &links[i].model->name, &version->version,
                       clipper_input_type_name(version->input_type));
        return NGX_ERROR;
    }

    return NGX_OK;
}

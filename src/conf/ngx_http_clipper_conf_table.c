
/*
 * The table of models and versions that blocks and links name.  A version
 * takes what its block leaves open from its model, the model from the
 * defaults, once everything is read.
 */


#include "conf/ngx_http_clipper_conf.h"
#include "shm/clipper_registry.h"


static void ngx_http_clipper_conf_unset_tuning(ngx_http_clipper_tuning_t *t);
static void ngx_http_clipper_conf_merge_tuning(ngx_http_clipper_tuning_t *t,
    ngx_http_clipper_tuning_t *from);


ngx_http_clipper_model_conf_t *
ngx_http_clipper_conf_table_get_model(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_str_t *name)
{
    ngx_uint_t                       i;
    ngx_http_clipper_model_conf_t   *model, **models;

    models = mcf->models.elts;

    for (i = 0; i < mcf->models.nelts; i++) {
        if (models[i]->name.len == name->len
            && ngx_memcmp(models[i]->name.data, name->data, name->len) == 0)
        {
            return models[i];
        }
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

    models = ngx_array_push(&mcf->models);
    if (models == NULL) {
        return NULL;
    }

    *models = model;

    return model;
}


ngx_http_clipper_version_conf_t *
ngx_http_clipper_conf_table_get_version(ngx_conf_t *cf,
    ngx_http_clipper_model_conf_t *model, ngx_str_t *version)
{
    ngx_uint_t                         i;
    ngx_http_clipper_version_conf_t   *v, **versions;

    versions = model->versions.elts;

    for (i = 0; i < model->versions.nelts; i++) {
        if (versions[i]->version.len == version->len
            && ngx_memcmp(versions[i]->version.data, version->data,
                          version->len)
               == 0)
        {
            return versions[i];
        }
    }

    v = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_version_conf_t));
    if (v == NULL) {
        return NULL;
    }

    v->version = *version;
    v->input_type = NGX_CONF_UNSET;
    ngx_http_clipper_conf_unset_tuning(&v->tuning);

    versions = ngx_array_push(&model->versions);
    if (versions == NULL) {
        return NULL;
    }

    *versions = v;

    return v;
}


static void
ngx_http_clipper_conf_unset_tuning(ngx_http_clipper_tuning_t *t)
{
    t->batch = NGX_CONF_UNSET;
    t->batch_max = NGX_CONF_UNSET;
    t->batch_wait = NGX_CONF_UNSET_MSEC;
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

    current = NULL;
    versions = model->versions.elts;

    for (i = 0; i < model->versions.nelts; i++) {

        if (model->version.len) {
            if (model->version.len == versions[i]->version.len
                && ngx_memcmp(model->version.data, versions[i]->version.data,
                              model->version.len)
                   == 0)
            {
                return versions[i];
            }

            continue;
        }

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

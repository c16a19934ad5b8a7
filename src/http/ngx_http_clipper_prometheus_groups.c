
/*
 * The data of a scrape: the counters of each application and of each model
 * version, with their labels.
 */


#include "http/ngx_http_clipper_prometheus_groups.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_zone.h"
#include "http/ngx_http_clipper_prometheus_text.h"


/* rows copied under the mutex at a time */

#define NGX_HTTP_CLIPPER_PROMETHEUS_BITE  16


/* of a model's row */

typedef struct {
    uint32_t    state;
    uint32_t    queued;
    uint32_t    replicas;
    u_char      name[CLIPPER_TEXT];
    u_char      version[CLIPPER_TEXT];
} ngx_http_clipper_prometheus_row_t;


static ngx_int_t ngx_http_clipper_prometheus_read_apps(
    ngx_http_clipper_prometheus_t *p);
static ngx_int_t ngx_http_clipper_prometheus_read_models(
    ngx_http_clipper_prometheus_t *p);
static void ngx_http_clipper_prometheus_copy_locked(clipper_zone_t *zone,
    ngx_uint_t row, ngx_http_clipper_prometheus_row_t *copy);
static ngx_int_t ngx_http_clipper_prometheus_add(
    ngx_http_clipper_prometheus_t *p, ngx_uint_t row,
    ngx_http_clipper_prometheus_row_t *copy);
static ngx_uint_t ngx_http_clipper_prometheus_named(
    ngx_http_clipper_prometheus_t *p, ngx_uint_t row,
    ngx_http_clipper_prometheus_row_t *copy, ngx_uint_t *version);
static ngx_http_clipper_prometheus_group_t *ngx_http_clipper_prometheus_group(
    ngx_http_clipper_prometheus_t *p, ngx_str_t *model, ngx_str_t *version);


ngx_int_t
ngx_http_clipper_prometheus_groups_read(ngx_http_clipper_prometheus_t *p)
{
    if (ngx_array_init(&p->apps, p->pool, p->conf->apps.nelts + 1,
                       sizeof(ngx_http_clipper_prometheus_group_t))
            != NGX_OK
        || ngx_array_init(&p->models, p->pool, p->conf->models.nelts + 1,
                          sizeof(ngx_http_clipper_prometheus_group_t))
            != NGX_OK
        || ngx_http_clipper_prometheus_read_apps(p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_clipper_prometheus_read_models(p);
}


static ngx_int_t
ngx_http_clipper_prometheus_read_apps(ngx_http_clipper_prometheus_t *p)
{
    ngx_str_t                             *name;
    ngx_uint_t                             i;
    ngx_http_clipper_app_t               **apps;
    ngx_http_clipper_prometheus_group_t   *group;

    apps = p->conf->apps.elts;

    for (i = 0; i < p->conf->apps.nelts; i++) {
        name = &apps[i]->name;

        group = ngx_array_push(&p->apps);
        if (group == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(group, sizeof(ngx_http_clipper_prometheus_group_t));

        group->labels.data = ngx_pnalloc(p->pool,
                          ngx_http_clipper_prometheus_room("app", name->len));
        if (group->labels.data == NULL) {
            return NGX_ERROR;
        }

        ngx_http_clipper_prometheus_text_label(&group->labels, "app",
                                               name->data, name->len);

        if (apps[i]->row) {
            clipper_metrics_sum_app(p->zone, apps[i]->row, group->sum);
        }
    }

    return NGX_OK;
}


/* row 0 has the counters of rows that were reassigned to other names */

static ngx_int_t
ngx_http_clipper_prometheus_read_models(ngx_http_clipper_prometheus_t *p)
{
    ngx_uint_t                          i, k, n, end;
    ngx_http_clipper_prometheus_row_t  *rows;

    rows = ngx_palloc(p->pool, NGX_HTTP_CLIPPER_PROMETHEUS_BITE
                               * sizeof(ngx_http_clipper_prometheus_row_t));
    if (rows == NULL) {
        return NGX_ERROR;
    }

    end = p->zone->header->models.n;

    for (i = 0; i < end; i += n) {
        n = ngx_min(NGX_HTTP_CLIPPER_PROMETHEUS_BITE, end - i);

        clipper_zone_lock(p->zone);

        for (k = 0; k < n; k++) {
            ngx_http_clipper_prometheus_copy_locked(p->zone, i + k, &rows[k]);
        }

        clipper_zone_unlock(p->zone);

        for (k = 0; k < n; k++) {
            if (ngx_http_clipper_prometheus_add(p, i + k, &rows[k])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static void
ngx_http_clipper_prometheus_copy_locked(clipper_zone_t *zone, ngx_uint_t row,
    ngx_http_clipper_prometheus_row_t *copy)
{
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    model = &zone->models[row];
    copy->state = row ? model->state : CLIPPER_FREE;

    if (copy->state == CLIPPER_FREE) {
        return;
    }

    copy->queued = model->queued;
    copy->replicas = model->replicas;
    ngx_memcpy(copy->name, model->name, CLIPPER_TEXT);
    ngx_memcpy(copy->version, model->version, CLIPPER_TEXT);
}


static ngx_int_t
ngx_http_clipper_prometheus_add(ngx_http_clipper_prometheus_t *p,
    ngx_uint_t row, ngx_http_clipper_prometheus_row_t *copy)
{
    uint64_t                              sum[CLIPPER_BLOCK];
    ngx_str_t                             model, version;
    ngx_uint_t                            i, own;
    ngx_http_clipper_prometheus_group_t  *group;

    ngx_str_set(&model, "other");
    ngx_str_set(&version, "other");

    clipper_metrics_sum_model(p->zone, row, sum);

    if (copy->state == CLIPPER_FREE) {

        /* unused rows have no series */

        for (i = 0; i < CLIPPER_BLOCK && sum[i] == 0; i++) {
            /* void */
        }

        if (i == CLIPPER_BLOCK) {
            return NGX_OK;
        }

        copy->queued = 0;
        copy->replicas = 0;

    } else if (ngx_http_clipper_prometheus_named(p, row, copy, &own)) {
        model.data = copy->name;
        model.len = ngx_strlen(copy->name);

        if (own) {
            version.data = copy->version;
            version.len = ngx_strlen(copy->version);
        }
    }

    group = ngx_http_clipper_prometheus_group(p, &model, &version);
    if (group == NULL) {
        return NGX_ERROR;
    }

    group->queued += copy->queued;
    group->replicas += copy->replicas;

    for (i = 0; i < CLIPPER_BLOCK; i++) {
        group->sum[i] += sum[i];
    }

    return NGX_OK;
}


/*
 * whether the configuration names the model; *version: whether it uses the
 * version
 */

static ngx_uint_t
ngx_http_clipper_prometheus_named(ngx_http_clipper_prometheus_t *p,
    ngx_uint_t row, ngx_http_clipper_prometheus_row_t *copy,
    ngx_uint_t *version)
{
    ngx_str_t                       name, number;
    ngx_http_clipper_model_conf_t  *model;

    *version = 0;

    name.data = copy->name;
    name.len = ngx_strlen(copy->name);
    number.data = copy->version;
    number.len = ngx_strlen(copy->version);

    model = ngx_http_clipper_conf_table_model(p->conf, &name);

    if (model == NULL) {
        return 0;
    }

    *version = ngx_http_clipper_model_current_row(p->zone, model, &name) == row
               || ngx_http_clipper_conf_table_version(model, &number) != NULL;

    return 1;
}


/* finds or creates the group of a model and version */

static ngx_http_clipper_prometheus_group_t *
ngx_http_clipper_prometheus_group(ngx_http_clipper_prometheus_t *p,
    ngx_str_t *model, ngx_str_t *version)
{
    u_char                               *name;
    ngx_uint_t                            i;
    ngx_http_clipper_prometheus_group_t  *group;

    group = p->models.elts;

    for (i = 0; i < p->models.nelts; i++) {
        if (group[i].model.len == model->len
            && group[i].version.len == version->len
            && ngx_memcmp(group[i].model.data, model->data, model->len) == 0
            && ngx_memcmp(group[i].version.data, version->data, version->len)
               == 0)
        {
            return &group[i];
        }
    }

    group = ngx_array_push(&p->models);
    name = ngx_pnalloc(p->pool, model->len + version->len + 1);

    if (group == NULL || name == NULL) {
        return NULL;
    }

    ngx_memzero(group, sizeof(ngx_http_clipper_prometheus_group_t));

    group->model.data = name;
    group->model.len = model->len;
    group->version.data = ngx_cpymem(name, model->data, model->len);
    group->version.len = version->len;
    ngx_memcpy(group->version.data, version->data, version->len);

    group->labels.data = ngx_pnalloc(p->pool,
                    ngx_http_clipper_prometheus_room("model", model->len)
                    + ngx_http_clipper_prometheus_room("version",
                                                       version->len));
    if (group->labels.data == NULL) {
        return NULL;
    }

    ngx_http_clipper_prometheus_text_label(&group->labels, "model", model->data,
                                           model->len);
    ngx_http_clipper_prometheus_text_label(&group->labels, "version",
                                           version->data, version->len);

    return group;
}


/*
 * Configured models and the registry, see the header.
 */


#include "worker/ngx_http_clipper_model.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_zone.h"


/* the highest announced version of a model at the last lookup */

typedef struct {
    ngx_http_clipper_model_conf_t  *model;
    uint64_t                        until_us;   /* 0: only registry counts */
    uint32_t                        registry;
    uint32_t                        row;
} ngx_http_clipper_announced_t;


static void ngx_http_clipper_model_memo_init(
    ngx_http_clipper_main_conf_t *mcf);
static void ngx_http_clipper_model_pin_names(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_http_clipper_main_conf_t *mcf);
static uint32_t ngx_http_clipper_model_pin_app_locked(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name);
static void ngx_http_clipper_model_part(clipper_zone_t *zone);
static void ngx_http_clipper_model_part_row_locked(clipper_zone_t *zone,
    uint32_t row);
static ngx_uint_t ngx_http_clipper_model_pin_versions(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_http_clipper_model_conf_t *model);
static uint32_t ngx_http_clipper_model_pin_version(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name, ngx_str_t *version);
static uint32_t ngx_http_clipper_model_pin_version_locked(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name, ngx_str_t *version);
static ngx_uint_t ngx_http_clipper_model_announced(
    ngx_http_clipper_model_conf_t *model);


static ngx_http_clipper_announced_t  *ngx_http_clipper_model_memo;

/* tunings by row, looked up once for each state of the registry */

static struct {
    uint32_t                           registry;
    const ngx_http_clipper_tuning_t   *tuning;
} ngx_http_clipper_model_tunings[CLIPPER_ROWS_MAX];

static const ngx_http_clipper_tuning_t  ngx_http_clipper_model_defaults = {
    .batch = NGX_HTTP_CLIPPER_BATCH_ADAPTIVE,
    .batch_max = NGX_HTTP_CLIPPER_DEFAULT_BATCH_MAX,
    .batch_wait = 0,
    .batch_timeout = 0,
    .queue = NGX_HTTP_CLIPPER_DEFAULT_QUEUE,
    .queue_size = 0,
    .replica_timeout = NGX_HTTP_CLIPPER_DEFAULT_REPLICA_TIMEOUT,
    .hedge = 0,
    .hedge_auto = 1
};


void
ngx_http_clipper_model_pin(clipper_zone_t *zone,
    ngx_http_clipper_main_conf_t *mcf)
{
    ngx_http_clipper_model_memo_init(mcf);
    ngx_http_clipper_model_pin_names(zone, &zone->workers[zone->slot], mcf);
    ngx_http_clipper_model_part(zone);
}


void
ngx_http_clipper_model_find(void)
{
    uint32_t         registry;
    clipper_zone_t  *zone;

    static uint32_t    found;
    static ngx_uint_t  any;

    zone = ngx_http_clipper_process.zone;

    if (zone->slot) {
        return;
    }

    registry = __atomic_load_n(&zone->header->registry, __ATOMIC_ACQUIRE);

    if (any && registry == found) {
        return;
    }

    ngx_http_clipper_model_memo_init(ngx_http_clipper_process.conf);

    /* what changes meanwhile is found by the next query */

    found = registry;
    ngx_http_clipper_model_pin_names(zone, NULL,
                                     ngx_http_clipper_process.conf);
    any = 1;
}


static void
ngx_http_clipper_model_memo_init(ngx_http_clipper_main_conf_t *mcf)
{
    ngx_uint_t                       i;
    ngx_http_clipper_model_conf_t  **models;

    if (ngx_http_clipper_model_memo) {
        return;
    }

    models = mcf->models.elts;

    ngx_http_clipper_model_memo = ngx_pcalloc(ngx_cycle->pool,
               (mcf->models.nelts + 1) * sizeof(ngx_http_clipper_announced_t));

    for (i = 0; ngx_http_clipper_model_memo && i < mcf->models.nelts; i++) {
        ngx_http_clipper_model_memo[i].model = models[i];
    }
}


/*
 * One name of a hold, as each may search the registry.  Worker NULL: nothing is
 * pinned, and no name gets a row.
 */

static void
ngx_http_clipper_model_pin_names(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_http_clipper_main_conf_t *mcf)
{
    ngx_uint_t                       i, lacking;
    ngx_http_clipper_app_t         **apps;
    ngx_http_clipper_model_conf_t  **models;

    apps = mcf->apps.elts;
    models = mcf->models.elts;
    lacking = 0;

    for (i = 0; i < mcf->apps.nelts; i++) {
        clipper_zone_lock(zone);
        apps[i]->row = ngx_http_clipper_model_pin_app_locked(zone, worker,
                                                             &apps[i]->name);
        clipper_zone_unlock(zone);

        lacking += (apps[i]->row == 0);
    }

    for (i = 0; i < mcf->models.nelts; i++) {
        lacking += ngx_http_clipper_model_pin_versions(zone, worker,
                                                       models[i]);
    }

    if (worker) {
        clipper_zone_lock(zone);
        worker->lacking = (uint32_t) lacking;
        clipper_zone_unlock(zone);
    }
}


ngx_uint_t
ngx_http_clipper_model_lacking(void)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    return zone->slot ? zone->workers[zone->slot].lacking : 0;
}


void
ngx_http_clipper_model_again(void)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    ngx_http_clipper_model_pin_names(zone, &zone->workers[zone->slot],
                                     ngx_http_clipper_process.conf);
}


ngx_uint_t
ngx_http_clipper_model_configured(ngx_str_t *name)
{
    return ngx_http_clipper_conf_table_model(ngx_http_clipper_process.conf,
                                             name)
           != NULL;
}


/*
 * Replicas accepted by an older configuration get no more inputs if the input
 * type of their model has changed.
 */

static void
ngx_http_clipper_model_part(clipper_zone_t *zone)
{
    uint32_t  i;

    for (i = 1; i < zone->header->replicas.n; i++) {

        if (__atomic_load_n(&zone->replicas[i].state, __ATOMIC_RELAXED)
            == CLIPPER_FREE)
        {
            continue;
        }

        clipper_zone_lock(zone);
        ngx_http_clipper_model_part_row_locked(zone, i);
        clipper_zone_unlock(zone);
    }
}


static void
ngx_http_clipper_model_part_row_locked(clipper_zone_t *zone, uint32_t row)
{
    ngx_str_t               name, version;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *replica;

    clipper_zone_locked(zone);

    replica = &zone->replicas[row];

    if (replica->state != CLIPPER_PROBING && replica->state != CLIPPER_READY) {
        return;
    }

    model = &zone->models[replica->model];

    name.data = model->name;
    name.len = ngx_strlen(model->name);
    version.data = model->version;
    version.len = ngx_strlen(model->version);

    if (!ngx_http_clipper_model_takes(&name, &version, replica->input_type)) {
        clipper_registry_replica_leaving_locked(zone, row);
    }
}


/* gives how many of them have no row */

static ngx_uint_t
ngx_http_clipper_model_pin_versions(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_http_clipper_model_conf_t *model)
{
    ngx_uint_t                         i, lacking;
    ngx_http_clipper_version_conf_t  **versions, *current;

    versions = model->versions.elts;
    lacking = 0;

    for (i = 0; i < model->versions.nelts; i++) {
        versions[i]->row = ngx_http_clipper_model_pin_version(zone, worker,
                                          &model->name, &versions[i]->version);
        lacking += (versions[i]->row == 0);
    }

    current = ngx_http_clipper_conf_table_current(model);

    if (current) {
        model->row = current->row;

    } else if (model->version.len) {
        model->row = ngx_http_clipper_model_pin_version(zone, worker,
                                               &model->name, &model->version);
        lacking += (model->row == 0);
    }

    return lacking;
}


static uint32_t
ngx_http_clipper_model_pin_version(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name, ngx_str_t *version)
{
    uint32_t  row;

    clipper_zone_lock(zone);
    row = ngx_http_clipper_model_pin_version_locked(zone, worker, name,
                                                    version);
    clipper_zone_unlock(zone);

    return row;
}


/* the row; 0: there is none for it yet */

static uint32_t
ngx_http_clipper_model_pin_app_locked(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name)
{
    uint32_t  row;

    clipper_zone_locked(zone);

    if (worker == NULL) {
        return clipper_registry_app_find_locked(zone, name);
    }

    row = clipper_registry_app_locked(zone, name);

    if (row) {
        clipper_registry_pin_locked(zone, worker->apps, row);
    }

    return row;
}


/* the same for a version */

static uint32_t
ngx_http_clipper_model_pin_version_locked(clipper_zone_t *zone,
    clipper_worker_t *worker, ngx_str_t *name, ngx_str_t *version)
{
    uint32_t  row;

    clipper_zone_locked(zone);

    if (worker == NULL) {
        return clipper_registry_find_locked(zone, name, version);
    }

    row = clipper_registry_model_locked(zone, name, version);

    if (row) {
        clipper_registry_pin_locked(zone, worker->models, row);
    }

    return row;
}


ngx_uint_t
ngx_http_clipper_model_current(ngx_http_clipper_link_t *link)
{
    if (link->version) {
        return link->version->row;
    }

    if (link->model->row) {
        return link->model->row;
    }

    return ngx_http_clipper_model_announced(link->model);
}


static ngx_uint_t
ngx_http_clipper_model_announced(ngx_http_clipper_model_conf_t *model)
{
    uint32_t                       registry;
    ngx_uint_t                     i;
    clipper_zone_t                *zone;
    ngx_http_clipper_announced_t  *memo;

    zone = ngx_http_clipper_process.zone;
    memo = ngx_http_clipper_model_memo;

    if (memo == NULL) {
        return 0;
    }

    registry = __atomic_load_n(&zone->header->registry, __ATOMIC_ACQUIRE);

    for (i = 0; memo[i].model != model; i++) { /* void */ }

    if (memo[i].registry == registry
        && (memo[i].until_us == 0 || clipper_clock_us() < memo[i].until_us))
    {
        return memo[i].row;
    }

    clipper_zone_lock(zone);

    memo[i].registry = zone->header->registry;
    memo[i].row = ngx_http_clipper_model_highest_locked(zone, model,
                                          &model->name, &memo[i].until_us);
    clipper_zone_unlock(zone);

    return memo[i].row;
}


ngx_uint_t
ngx_http_clipper_model_current_row(clipper_zone_t *zone,
    ngx_http_clipper_model_conf_t *conf, ngx_str_t *name)
{
    uint32_t  row;
    uint64_t  until_us;

    if (conf && conf->row) {
        return conf->row;
    }

    clipper_zone_lock(zone);
    row = ngx_http_clipper_model_highest_locked(zone, conf, name, &until_us);
    clipper_zone_unlock(zone);

    return row;
}


uint32_t
ngx_http_clipper_model_highest_locked(clipper_zone_t *zone,
    ngx_http_clipper_model_conf_t *conf, ngx_str_t *name, uint64_t *until_us)
{
    const ngx_http_clipper_tuning_t  *tuning;

    clipper_zone_locked(zone);

    tuning = conf ? &conf->tuning : &ngx_http_clipper_model_defaults;

    return clipper_registry_current_locked(zone, name, clipper_clock_us(),
                                           (uint64_t) tuning->replica_timeout
                                           * 1000, until_us);
}


uint32_t
ngx_http_clipper_model_version(ngx_http_clipper_link_t *link,
    ngx_str_t *version, uint32_t *gen)
{
    uint32_t                          row;
    clipper_zone_t                   *zone;
    ngx_http_clipper_version_conf_t  *conf;

    zone = ngx_http_clipper_process.zone;
    conf = ngx_http_clipper_conf_table_version(link->model, version);

    if (conf && conf->row && zone->slot) {
        *gen = zone->models[conf->row].gen;         /* pinned: it stays */
        return (uint32_t) conf->row;
    }

    clipper_zone_lock(zone);

    row = clipper_registry_find_locked(zone, &link->model->name, version);

    if (row
        && conf == NULL
        && row != link->model->row
        && !zone->models[row].announced)
    {
        row = 0;
    }

    *gen = zone->models[row].gen;

    clipper_zone_unlock(zone);

    return row;
}


const ngx_http_clipper_tuning_t *
ngx_http_clipper_model_tuning(ngx_str_t *name, ngx_str_t *version)
{
    ngx_http_clipper_model_conf_t    *model;
    ngx_http_clipper_version_conf_t  *conf;

    model = ngx_http_clipper_conf_table_model(ngx_http_clipper_process.conf,
                                              name);

    if (model == NULL) {
        return &ngx_http_clipper_model_defaults;
    }

    conf = ngx_http_clipper_conf_table_version(model, version);

    return conf ? &conf->tuning : &model->tuning;
}


const ngx_http_clipper_tuning_t *
ngx_http_clipper_model_row_tuning(ngx_uint_t row)
{
    uint32_t              registry;
    ngx_str_t             name, version;
    clipper_zone_t       *zone;
    clipper_model_row_t  *model;

    zone = ngx_http_clipper_process.zone;
    registry = __atomic_load_n(&zone->header->registry, __ATOMIC_ACQUIRE);

    if (ngx_http_clipper_model_tunings[row].tuning
        && ngx_http_clipper_model_tunings[row].registry == registry)
    {
        return ngx_http_clipper_model_tunings[row].tuning;
    }

    model = &zone->models[row];

    name.data = model->name;
    name.len = ngx_strlen(model->name);
    version.data = model->version;
    version.len = ngx_strlen(model->version);

    ngx_http_clipper_model_tunings[row].registry = registry;
    ngx_http_clipper_model_tunings[row].tuning =
                              ngx_http_clipper_model_tuning(&name, &version);

    return ngx_http_clipper_model_tunings[row].tuning;
}


ngx_uint_t
ngx_http_clipper_model_takes(ngx_str_t *name, ngx_str_t *version,
    ngx_uint_t input_type)
{
    ngx_uint_t                         i, n;
    ngx_http_clipper_app_t           **apps;
    ngx_http_clipper_link_t           *links;
    ngx_http_clipper_model_conf_t     *model;
    ngx_http_clipper_version_conf_t   *conf;

    model = ngx_http_clipper_conf_table_model(ngx_http_clipper_process.conf,
                                              name);

    if (model == NULL) {
        return 1;
    }

    conf = ngx_http_clipper_conf_table_version(model, version);

    if (conf && conf->input_type != NGX_CONF_UNSET
        && conf->input_type != (ngx_int_t) input_type)
    {
        return 0;
    }

    apps = ngx_http_clipper_process.conf->apps.elts;

    for (i = 0; i < ngx_http_clipper_process.conf->apps.nelts; i++) {
        links = apps[i]->links.elts;

        for (n = 0; n < apps[i]->links.nelts; n++) {

            if (links[n].model == model
                && (links[n].version == NULL || links[n].version == conf)
                && apps[i]->opt.input_type != (ngx_int_t) input_type)
            {
                return 0;
            }
        }
    }

    return 1;
}

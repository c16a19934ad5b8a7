
/*
 * The configuration: creation and merge of its levels, directives of http
 * level, and the shared memory zones.
 */


#include "conf/ngx_http_clipper_conf.h"
#include "conf/ngx_http_clipper_conf_check.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "shm/clipper_zone.h"


#define NGX_HTTP_CLIPPER_ZONE_SIZE   (64 * 1024 * 1024)
#define NGX_HTTP_CLIPPER_CACHE_SIZE  (32 * 1024 * 1024)

/* the smallest zones that hold the tables */
#define NGX_HTTP_CLIPPER_ZONE_MIN        (2 * 1024 * 1024)
#define NGX_HTTP_CLIPPER_CACHE_ZONE_MIN  (256 * 1024)
#define NGX_HTTP_CLIPPER_RECORDS_MIN     (256 * 1024)
#define NGX_HTTP_CLIPPER_RECORDS_MAX     (1024 * 1024 * 1024)

/* how long records may be in Redis, ms */
#define NGX_HTTP_CLIPPER_RECORDS_REDIS_MIN  1000
#define NGX_HTTP_CLIPPER_RECORDS_REDIS_MAX  (365 * 86400 * (ngx_msec_t) 1000)


static ngx_int_t ngx_http_clipper_conf_check_rows(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf);
static char *ngx_http_clipper_conf_records_redis(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf);
static ngx_shm_zone_t *ngx_http_clipper_conf_add_zone(ngx_conf_t *cf,
    ngx_str_t *name, size_t size, ngx_shm_zone_init_pt init);


void *
ngx_http_clipper_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->zone_size = NGX_CONF_UNSET_SIZE;
    mcf->cache_size = NGX_CONF_UNSET;
    mcf->records_size = NGX_CONF_UNSET_SIZE;
    mcf->query_id_bits = NGX_CONF_UNSET_UINT;
    mcf->loaded = ngx_time();

    if (ngx_array_init(&mcf->endpoints, cf->pool, 1,
                       sizeof(ngx_http_clipper_endpoint_t))
            != NGX_OK
        || ngx_array_init(&mcf->models, cf->pool, 4,
                          sizeof(ngx_http_clipper_model_conf_t *))
            != NGX_OK
        || ngx_array_init(&mcf->apps, cf->pool, 4,
                          sizeof(ngx_http_clipper_app_t *))
            != NGX_OK
        || ngx_array_init(&mcf->links, cf->pool, 4,
                          sizeof(ngx_http_clipper_links_t))
            != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


char *
ngx_http_clipper_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    if (mcf->zone_size == NGX_CONF_UNSET_SIZE) {
        mcf->zone_size = NGX_HTTP_CLIPPER_ZONE_SIZE;
    }

    if (mcf->records_size == NGX_CONF_UNSET_SIZE) {
        mcf->records_size = 0;
    }

    if (mcf->cache_size == NGX_CONF_UNSET) {
        mcf->cache_size = NGX_HTTP_CLIPPER_CACHE_SIZE;
    }

    if (mcf->query_id_bits == NGX_CONF_UNSET_UINT) {
        mcf->query_id_bits = CLIPPER_SCRAMBLE_BITS;
    }

    ngx_http_clipper_conf_table_finish_models(mcf);

    return NGX_CONF_OK;
}


void *
ngx_http_clipper_conf_create_loc(ngx_conf_t *cf)
{
    ngx_http_clipper_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_clipper_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->uid = NGX_CONF_UNSET_PTR;
    ngx_http_clipper_conf_opt_unset(&lcf->opt);

    return lcf;
}


char *
ngx_http_clipper_conf_merge_loc(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_clipper_loc_conf_t *prev = parent;
    ngx_http_clipper_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_clipper_main_conf_t  *mcf;

    ngx_http_clipper_conf_opt_merge(&prev->opt, &conf->opt);

    if (conf->uid == NGX_CONF_UNSET_PTR) {
        conf->uid_body = prev->uid_body;
    }

    ngx_conf_merge_ptr_value(conf->uid, prev->uid, NULL);

    if (conf->links == NULL) {
        conf->links = prev->links;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname) {

        /* "if" and "limit_except" in an application belong to it */

        conf->app = prev->app;
        conf->handler = prev->handler;

        if (clcf->lmt_excpt && clcf->handler == NULL && conf->app) {
            clcf->handler = conf->handler;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_clipper_conf_check_kept(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->name.len == 0) {
        return NGX_CONF_OK;
    }

    ngx_http_clipper_conf_check_use_links(cf, conf->links);

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);

    mcf->explain |= (ngx_uint_t) conf->opt.explain;

    conf->app = ngx_http_clipper_conf_table_get_app(cf, mcf, conf, &clcf->name);

    return conf->app ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/*
 * checks that the tables of the zone have room; nginx takes a part of the zone
 */

static ngx_int_t
ngx_http_clipper_conf_check_rows(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf)
{
    size_t                           room;
    ngx_uint_t                       i, versions;
    ngx_http_clipper_model_conf_t  **models;

    room = clipper_zone_rows(mcf->zone_size
                             - mcf->zone_size / 64) - 1;
    versions = 0;
    models = mcf->models.elts;

    for (i = 0; i < mcf->models.nelts; i++) {
        versions += models[i]->versions.nelts;
    }

    if (mcf->apps.nelts <= room && versions <= room) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "clipper_zone of %uz bytes has room for %uz "
                       "applications and %uz model versions, but %ui and "
                       "%ui are configured; increase it", mcf->zone_size,
                       room, room, mcf->apps.nelts, versions);
    return NGX_ERROR;
}


ngx_int_t
ngx_http_clipper_conf_finish(ngx_conf_t *cf, ngx_shm_zone_init_pt zone_init,
    ngx_shm_zone_init_pt cache_init, ngx_shm_zone_init_pt records_init)
{
    ngx_http_clipper_main_conf_t  *mcf;

    static ngx_str_t  zone = ngx_string("clipper_zone");
    static ngx_str_t  records = ngx_string("clipper_records");
    static ngx_str_t  cache = ngx_string("clipper_cache_zone");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);

    if (ngx_http_clipper_conf_check_all(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!mcf->used) {
        return NGX_OK;
    }

    if (ngx_http_clipper_conf_check_rows(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_clipper_conf_check_names(mcf, cf->log);

    mcf->zone = ngx_http_clipper_conf_add_zone(cf, &zone, mcf->zone_size,
                                               zone_init);
    if (mcf->zone == NULL) {
        return NGX_ERROR;
    }

    if (mcf->records_redis && mcf->redis == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"redis\" of \"clipper_records\" needs "
                      "\"clipper_redis\"");
        return NGX_ERROR;
    }

    if (mcf->records_redis && mcf->query_id_bits < CLIPPER_SCRAMBLE_BITS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"redis\" of \"clipper_records\" needs query ids of "
                      "%d bits, remove \"clipper_query_id_bits\"",
                      CLIPPER_SCRAMBLE_BITS);
        return NGX_ERROR;
    }

    if (mcf->records_size) {
        mcf->records_zone = ngx_http_clipper_conf_add_zone(cf, &records,
                                                           mcf->records_size,
                                                           records_init);
        if (mcf->records_zone == NULL) {
            return NGX_ERROR;
        }
    }

    if (mcf->cache_size == 0) {
        return NGX_OK;
    }

    mcf->cache_zone = ngx_http_clipper_conf_add_zone(cf, &cache,
                                                     mcf->cache_size,
                                                     cache_init);

    return mcf->cache_zone ? NGX_OK : NGX_ERROR;
}


static ngx_shm_zone_t *
ngx_http_clipper_conf_add_zone(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    ngx_shm_zone_init_pt init)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_clipper_module);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = init;

    return zone;
}


char *
ngx_http_clipper_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_conf_set_size_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (mcf->zone_size < NGX_HTTP_CLIPPER_ZONE_MIN) {
        value = cf->args->elts;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, the minimum is %dk",
                           &value[1], NGX_HTTP_CLIPPER_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    mcf->used = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_cache_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    ngx_str_t  *value;

    if (mcf->cache_size != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->cache_size = 0;
        return NGX_CONF_OK;
    }

    mcf->cache_size = ngx_parse_size(&value[1]);

    if (mcf->cache_size == NGX_ERROR) {
        return "invalid value";
    }

    if (mcf->cache_size < NGX_HTTP_CLIPPER_CACHE_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cache zone \"%V\" is too small, the minimum is "
                           "%dk",
                           &value[1], NGX_HTTP_CLIPPER_CACHE_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    mcf->used = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_records(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_conf_set_size_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (mcf->records_size < NGX_HTTP_CLIPPER_RECORDS_MIN
        || mcf->records_size > NGX_HTTP_CLIPPER_RECORDS_MAX)
    {
        value = cf->args->elts;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "size of records \"%V\" must be between %dk and "
                           "%dm",
                           &value[1], NGX_HTTP_CLIPPER_RECORDS_MIN / 1024,
                           NGX_HTTP_CLIPPER_RECORDS_MAX / 1024 / 1024);
        return NGX_CONF_ERROR;
    }

    mcf->used = 1;

    return cf->args->nelts == 2 ? NGX_CONF_OK
                                : ngx_http_clipper_conf_records_redis(cf, mcf);
}


static char *
ngx_http_clipper_conf_records_redis(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf)
{
    char       *rv;
    ngx_str_t  *value, s;

    value = cf->args->elts;

    if (ngx_strncmp(value[2].data, "redis=", 6) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    s.data = value[2].data + 6;
    s.len = value[2].len - 6;

    rv = ngx_http_clipper_conf_value_time(cf, &s, &mcf->records_redis);

    if (rv == NGX_CONF_OK
        && (mcf->records_redis < NGX_HTTP_CLIPPER_RECORDS_REDIS_MIN
            || mcf->records_redis > NGX_HTTP_CLIPPER_RECORDS_REDIS_MAX))
    {
        return "needs a time between 1s and 365d after \"redis=\"";
    }

    return rv;
}


char *
ngx_http_clipper_conf_generation(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    ngx_str_t  *value;

    if (mcf->generation.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_HTTP_CLIPPER_GENERATION_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid generation \"%V\", it must have 1 to %d "
                           "characters",
                           &value[1], NGX_HTTP_CLIPPER_GENERATION_MAX);
        return NGX_CONF_ERROR;
    }

    mcf->generation = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_clipper_main_conf_t  *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);

    if (clcf->handler == (ngx_http_handler_pt) cmd->post) {
        return "is duplicate";
    }

    if (lcf->name.len || lcf->operator) {
        return "conflicts with another clipper handler of this location";
    }

    if (ngx_http_clipper_conf_check_free(cf) != NGX_OK) {
        return "conflicts with another directive that answers here";
    }

    lcf->handler = (ngx_http_handler_pt) cmd->post;
    lcf->file = cf->conf_file->file.name.data;
    lcf->line = cf->conf_file->line;

    clcf->handler = lcf->handler;
    lcf->operator = 1;
    mcf->used = 1;

    return NGX_CONF_OK;
}

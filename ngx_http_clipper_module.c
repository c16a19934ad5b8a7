
/*
 * The module's table of contents: directives, contexts, and life cycle hooks.
 * There is no logic here.
 */


#include "base/clipper_hash.h"
#include "conf/ngx_http_clipper.h"
#include "http/ngx_http_clipper_body.h"
#include "conf/ngx_http_clipper_conf.h"
#include "conf/ngx_http_clipper_conf_app.h"
#include "conf/ngx_http_clipper_conf_model.h"
#include "conf/ngx_http_clipper_conf_redis.h"
#include "conf/ngx_http_clipper_conf_select.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "http/ngx_http_clipper_filter.h"
#include "http/ngx_http_clipper_health.h"
#include "conf/ngx_http_clipper_listen.h"
#include "conf/ngx_http_clipper_listen_check.h"
#include "ngx_http_clipper_worker.h"
#include "http/ngx_http_clipper_predict.h"
#include "http/ngx_http_clipper_prometheus.h"
#include "http/ngx_http_clipper_status.h"
#include "http/ngx_http_clipper_variables.h"


#define NGX_HTTP_CLIPPER_ANY_CONF                                             \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_int_t ngx_http_clipper_postconfiguration(ngx_conf_t *cf);


static ngx_conf_enum_t  ngx_http_clipper_query_id_bits[] = {
    { ngx_string("31"), CLIPPER_SCRAMBLE_SHORT },
    { ngx_string("53"), CLIPPER_SCRAMBLE_BITS },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_clipper_commands[] = {

    /* http */

    { ngx_string("clipper_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_clipper_main_conf_t, zone_size),
      NULL },

    { ngx_string("clipper_cache_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_cache_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_records"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_clipper_conf_records,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_clipper_main_conf_t, records_size),
      NULL },

    { ngx_string("clipper_rpc"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_listen_rpc,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_model"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_model,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_query_id_bits"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_clipper_main_conf_t, query_id_bits),
      ngx_http_clipper_query_id_bits },

    { ngx_string("clipper_generation"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_generation,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /* applications */

    { ngx_string("clipper_app"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_app,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) ngx_http_clipper_predict_handler },

    { ngx_string("clipper_input"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE123,
      ngx_http_clipper_conf_app_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_binary"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_clipper_loc_conf_t, opt.binary),
      NULL },

    { ngx_string("clipper_decompress"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_app_decompress,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_explain"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_clipper_loc_conf_t, opt.explain),
      NULL },

    { ngx_string("clipper_slo"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_app_slo,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_default"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_conf_value_join,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_clipper_loc_conf_t, opt.output),
      NULL },

    { ngx_string("clipper_link"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_conf_app_link,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_select"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_conf_select,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_loss"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_clipper_conf_select_loss,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_confidence"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_clipper_conf_select_confidence,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_uid"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_clipper_conf_select_uid,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_cache"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_clipper_conf_app_cache,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("clipper_limits"),
      NGX_HTTP_CLIPPER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_clipper_conf_app_limits,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /* for the operator */

    { ngx_string("clipper_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_clipper_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) ngx_http_clipper_status_handler },

    { ngx_string("clipper_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_clipper_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) ngx_http_clipper_prometheus_handler },

    { ngx_string("clipper_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_clipper_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) ngx_http_clipper_health_handler },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_clipper_module_ctx = {
    ngx_http_clipper_variables_add,        /* preconfiguration */
    ngx_http_clipper_postconfiguration,    /* postconfiguration */

    ngx_http_clipper_conf_create_main,     /* create main configuration */
    ngx_http_clipper_conf_init_main,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_clipper_conf_create_loc,      /* create location configuration */
    ngx_http_clipper_conf_merge_loc        /* merge location configuration */
};


ngx_module_t  ngx_http_clipper_module = {
    NGX_MODULE_V1,
    &ngx_http_clipper_module_ctx,          /* module context */
    ngx_http_clipper_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_clipper_worker_cycle,         /* init module */
    ngx_http_clipper_worker_init,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_clipper_worker_exit,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_clipper_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_clipper_listen_check(cf) != NGX_OK
        || ngx_http_clipper_conf_finish(cf, ngx_http_clipper_worker_zone_init,
                                        ngx_http_clipper_worker_cache_zone_init,
                                        ngx_http_clipper_worker_records_init)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clipper_body_conf(cf);

    return ngx_http_clipper_filter_init(cf);
}

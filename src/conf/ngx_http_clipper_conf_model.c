
/*
 * The clipper_model block.  Values that it does not set stay unset until all
 * blocks are read, so the order of blocks does not matter.
 */


#include "conf/ngx_http_clipper_conf_model.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "base/clipper_name.h"
#include "batch/clipper_batch.h"


#define NGX_HTTP_CLIPPER_OF_MODEL    1          /* directive of NAME { } */
#define NGX_HTTP_CLIPPER_OF_VERSION  2          /* of NAME:VERSION { } */
#define NGX_HTTP_CLIPPER_OF_BOTH     3

#define NGX_HTTP_CLIPPER_TUNING      0          /* what it belongs to */
#define NGX_HTTP_CLIPPER_MODEL       1
#define NGX_HTTP_CLIPPER_VERSIONS    2


/* the block being read */

typedef struct {
    ngx_uint_t                        kind;
    ngx_http_clipper_model_conf_t    *model;
    ngx_http_clipper_version_conf_t  *version;
} ngx_http_clipper_block_t;


static char *ngx_http_clipper_conf_block_directive(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static void *ngx_http_clipper_conf_block_base(ngx_http_clipper_block_t *block,
    ngx_command_t *cmd);
static char *ngx_http_clipper_conf_block_version(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_block_input(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_block_batch(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_block_wait(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_block_timeout(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_block_hedge(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_clipper_conf_positive_time(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_clipper_conf_positive_size(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_num_bounds_t  ngx_http_clipper_batch_bounds = {
    ngx_conf_check_num_bounds, 1, CLIPPER_BATCH_MAX
};

static ngx_conf_num_bounds_t  ngx_http_clipper_queue_bounds = {
    ngx_conf_check_num_bounds, 1, 100000000
};

static ngx_conf_post_t  ngx_http_clipper_positive_time = {
    ngx_http_clipper_conf_positive_time
};

static ngx_conf_post_t  ngx_http_clipper_positive_size = {
    ngx_http_clipper_conf_positive_size
};


/* `type` says which blocks take a directive, `conf` what `offset` belongs to */

static ngx_command_t  ngx_http_clipper_block_commands[] = {

    { ngx_string("version"),
      NGX_HTTP_CLIPPER_OF_MODEL,
      ngx_http_clipper_conf_block_version,
      NGX_HTTP_CLIPPER_MODEL,
      offsetof(ngx_http_clipper_model_conf_t, version),
      NULL },

    { ngx_string("input"),
      NGX_HTTP_CLIPPER_OF_VERSION,
      ngx_http_clipper_conf_block_input,
      NGX_HTTP_CLIPPER_VERSIONS,
      offsetof(ngx_http_clipper_version_conf_t, input_type),
      NULL },

    { ngx_string("batch"),
      NGX_HTTP_CLIPPER_OF_BOTH,
      ngx_http_clipper_conf_block_batch,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, batch),
      &ngx_http_clipper_batch_bounds },

    { ngx_string("batch_max"),
      NGX_HTTP_CLIPPER_OF_BOTH,
      ngx_conf_set_num_slot,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, batch_max),
      &ngx_http_clipper_batch_bounds },

    { ngx_string("batch_wait"),
      NGX_HTTP_CLIPPER_OF_BOTH,
      ngx_http_clipper_conf_block_wait,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, batch_wait),
      NULL },

    { ngx_string("batch_timeout"),
      NGX_HTTP_CLIPPER_OF_BOTH,
      ngx_http_clipper_conf_block_timeout,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, batch_timeout),
      NULL },

    { ngx_string("queue"),
      NGX_HTTP_CLIPPER_OF_MODEL,
      ngx_conf_set_num_slot,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, queue),
      &ngx_http_clipper_queue_bounds },

    { ngx_string("queue_size"),
      NGX_HTTP_CLIPPER_OF_MODEL,
      ngx_conf_set_size_slot,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, queue_size),
      &ngx_http_clipper_positive_size },

    { ngx_string("hedge"),
      NGX_HTTP_CLIPPER_OF_MODEL,
      ngx_http_clipper_conf_block_hedge,
      NGX_HTTP_CLIPPER_TUNING,
      0,
      NULL },

    { ngx_string("replica_timeout"),
      NGX_HTTP_CLIPPER_OF_MODEL,
      ngx_conf_set_msec_slot,
      NGX_HTTP_CLIPPER_TUNING,
      offsetof(ngx_http_clipper_tuning_t, replica_timeout),
      &ngx_http_clipper_positive_time },

    { ngx_string("label"),
      NGX_HTTP_CLIPPER_OF_VERSION,
      ngx_http_clipper_conf_value_join,
      NGX_HTTP_CLIPPER_VERSIONS,
      offsetof(ngx_http_clipper_version_conf_t, label),
      NULL },

    { ngx_string("image"),
      NGX_HTTP_CLIPPER_OF_VERSION,
      ngx_conf_set_str_slot,
      NGX_HTTP_CLIPPER_VERSIONS,
      offsetof(ngx_http_clipper_version_conf_t, image),
      NULL },

      ngx_null_command
};


char *
ngx_http_clipper_conf_model(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_main_conf_t *mcf = conf;

    char                      *rv;
    ngx_str_t                 *value, name, version;
    ngx_conf_t                 save;
    ngx_http_clipper_block_t   block;

    value = cf->args->elts;

    if (ngx_http_clipper_conf_value_model(cf, &value[1], &name, &version)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    block.version = NULL;
    block.kind = NGX_HTTP_CLIPPER_OF_MODEL;

    block.model = ngx_http_clipper_conf_table_get_model(cf, mcf, &name);
    if (block.model == NULL) {
        return NGX_CONF_ERROR;
    }

    if (version.len) {
        block.kind = NGX_HTTP_CLIPPER_OF_VERSION;

        block.version = ngx_http_clipper_conf_table_get_version(cf, block.model,
                                                                &version);
        if (block.version == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (block.version ? block.version->declared : block.model->declared) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"clipper_model\" block of \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (block.version) {
        block.version->declared = 1;

    } else {
        block.model->declared = 1;
    }

    mcf->used = 1;

    save = *cf;
    cf->handler = ngx_http_clipper_conf_block_directive;
    cf->handler_conf = &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_clipper_conf_block_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_clipper_block_t *block = conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_uint_t      many;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = ngx_http_clipper_block_commands; cmd->name.len; cmd++) {
        if (cmd->name.len == value[0].len
            && ngx_strcmp(cmd->name.data, value[0].data) == 0)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" in \"clipper_model\"",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (!(cmd->type & block->kind)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is not allowed in a "
                           "\"clipper_model\" block %s",
                           &value[0], block->version ? "of one version"
                                                     : "without a version");
        return NGX_CONF_ERROR;
    }

    many = (cmd->set == ngx_http_clipper_conf_value_join);

    if (cf->args->nelts < 2 || (cf->args->nelts > 2 && !many)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" directive",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    rv = cmd->set(cf, cmd, ngx_http_clipper_conf_block_base(block, cmd));

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                       &value[0], rv);

    return NGX_CONF_ERROR;
}


static void *
ngx_http_clipper_conf_block_base(ngx_http_clipper_block_t *block,
    ngx_command_t *cmd)
{
    switch (cmd->conf) {

    case NGX_HTTP_CLIPPER_MODEL:
        return block->model;

    case NGX_HTTP_CLIPPER_VERSIONS:
        return block->version;

    default: /* NGX_HTTP_CLIPPER_TUNING */
        return block->version ? &block->version->tuning
                              : &block->model->tuning;
    }
}


static char *
ngx_http_clipper_conf_block_version(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_model_conf_t *model = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (model->version.len) {
        return "is duplicate";
    }

    if (clipper_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid version \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    model->version = value[1];

    if (ngx_http_clipper_conf_table_get_version(cf, model, &value[1]) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_block_input(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_version_conf_t *version = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (version->input_type != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    version->input_type = clipper_input_type(&value[1]);

    if (version->input_type == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown input type \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_block_batch(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_tuning_t *tuning = conf;

    ngx_int_t   batch;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "adaptive") == 0) {
        batch = NGX_HTTP_CLIPPER_BATCH_ADAPTIVE;

    } else if (ngx_strcmp(value[1].data, "aimd") == 0) {
        batch = NGX_HTTP_CLIPPER_BATCH_AIMD;

    } else {
        return ngx_conf_set_num_slot(cf, cmd, conf);
    }

    if (tuning->batch != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    tuning->batch = batch;

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_block_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_tuning_t *tuning = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (tuning->batch_wait != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    return ngx_http_clipper_conf_value_time(cf, &value[1], &tuning->batch_wait);
}


static char *
ngx_http_clipper_conf_block_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_tuning_t *tuning = conf;

    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (tuning->batch_timeout != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        tuning->batch_timeout = 0;
        return NGX_CONF_OK;
    }

    rv = ngx_http_clipper_conf_value_time(cf, &value[1],
                                          &tuning->batch_timeout);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_clipper_conf_positive_time(cf, cmd->post,
                                               &tuning->batch_timeout);
}


static char *
ngx_http_clipper_conf_block_hedge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_tuning_t *tuning = conf;

    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (tuning->hedge != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tuning->hedge = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        tuning->hedge = 0;
        tuning->hedge_auto = 1;
        return NGX_CONF_OK;
    }

    rv = ngx_http_clipper_conf_value_time(cf, &value[1], &tuning->hedge);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_clipper_conf_positive_time(cf, cmd->post, &tuning->hedge);
}


static char *
ngx_http_clipper_conf_positive_time(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *time = data;

    return *time ? NGX_CONF_OK : "must be longer than zero";
}


static char *
ngx_http_clipper_conf_positive_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    return *size ? NGX_CONF_OK : "must be larger than zero";
}


/*
 * Applications in the configuration: the setters of a location.
 */


#include "conf/ngx_http_clipper_conf_app.h"
#include "conf/ngx_http_clipper_conf_check.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "base/clipper_name.h"


#define NGX_HTTP_CLIPPER_SLO_MAX     86400000           /* a day, in ms */
#define NGX_HTTP_CLIPPER_WEIGHT_MAX  65535

/* of an unpacked body: "on", and the most that it may be */

#define NGX_HTTP_CLIPPER_DECOMPRESS      (16 * 1024 * 1024)
#define NGX_HTTP_CLIPPER_DECOMPRESS_MAX  (1024 * 1024 * 1024)


/* one parameter of clipper_limits */

typedef struct {
    ngx_str_t    name;
    size_t       offset;
    ngx_uint_t   max;
    unsigned     size:1;                                /* accepts k and m */
} ngx_http_clipper_limit_t;


static char *ngx_http_clipper_conf_limit(ngx_conf_t *cf,
    ngx_http_clipper_limits_t *limits, ngx_str_t *value);
static ngx_int_t ngx_http_clipper_conf_weight(ngx_conf_t *cf,
    ngx_uint_t *weight);
static char *ngx_http_clipper_conf_add_link(ngx_conf_t *cf,
    ngx_array_t *links, ngx_str_t *text, ngx_uint_t weight);


static ngx_http_clipper_limit_t  ngx_http_clipper_limits[] = {

    { ngx_string("batch"),
      offsetof(ngx_http_clipper_limits_t, batch), 1000000, 0 },

    { ngx_string("elements"),
      offsetof(ngx_http_clipper_limits_t, elements), 1024 * 1024 * 1024, 1 },

    { ngx_string("depth"),
      offsetof(ngx_http_clipper_limits_t, depth),
      CLIPPER_LEX_MAX_DEPTH, 0 },

    { ngx_string("output"),
      offsetof(ngx_http_clipper_limits_t, output), 1024 * 1024 * 1024, 1 },

    { ngx_null_string, 0, 0, 0 }
};


char *
ngx_http_clipper_conf_app(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_str_t                     *value;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_clipper_main_conf_t  *mcf;

    if (lcf->name.len) {
        return "is duplicate";
    }

    if (lcf->operator) {
        return "conflicts with another clipper handler of this location";
    }

    if (ngx_http_clipper_conf_check_free(cf) != NGX_OK) {
        return "conflicts with another directive that answers here";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"clipper_app\" needs a prefix location, it "
                           "cannot be used in %s location \"%V\"",
                           clcf->exact_match ? "the exact"
                               : clcf->named ? "the named" : "the regex",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (clipper_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid application name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->name = value[1];
    lcf->file = cf->conf_file->file.name.data;
    lcf->line = cf->conf_file->line;

    lcf->handler = (ngx_http_handler_pt) cmd->post;
    clcf->handler = lcf->handler;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);
    mcf->used = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_app_input(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->opt.input_type != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->opt.input_type = clipper_input_type(&value[1]);

    if (lcf->opt.input_type == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown input type \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->opt.strict = 0;
    lcf->opt.nulls = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "strict") == 0 && !lcf->opt.strict) {
            lcf->opt.strict = 1;

        } else if (ngx_strcmp(value[i].data, "nulls=nan") == 0
                   && !lcf->opt.nulls
                   && (lcf->opt.input_type == CLIPPER_DOUBLES
                       || lcf->opt.input_type == CLIPPER_FLOATS))
        {
            lcf->opt.nulls = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_app_decompress(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (lcf->opt.decompress != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->opt.decompress = 0;
        return NGX_CONF_OK;
    }

    size = ngx_strcmp(value[1].data, "on") == 0
           ? NGX_HTTP_CLIPPER_DECOMPRESS : ngx_parse_size(&value[1]);

    if (size < 1 || size > NGX_HTTP_CLIPPER_DECOMPRESS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\", \"off\" "
                           "or a size of at most 1024m", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->opt.decompress = size;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_app_slo(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (lcf->opt.slo != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_http_clipper_conf_value_time(cf, &value[1], &lcf->opt.slo);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (lcf->opt.slo < 1 || lcf->opt.slo > NGX_HTTP_CLIPPER_SLO_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "SLO \"%V\" must be between 1ms and 1d",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_app_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value, time;

    if (lcf->opt.cache != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->opt.cache = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->opt.cache = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\" or "
                           "\"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->opt.cache_valid = 0;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (lcf->opt.cache && ngx_strncmp(value[2].data, "valid=", 6) == 0) {
        time.data = value[2].data + 6;
        time.len = value[2].len - 6;

        ms = ngx_parse_time(&time, 0);

        if (ms != NGX_ERROR && ms > 0) {
            lcf->opt.cache_valid = ms;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[2]);
    return NGX_CONF_ERROR;
}


char *
ngx_http_clipper_conf_app_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_clipper_conf_limit(cf, &lcf->opt.limits, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_limit(ngx_conf_t *cf, ngx_http_clipper_limits_t *limits,
    ngx_str_t *value)
{
    ssize_t                    n;
    ngx_str_t                  text;
    ngx_uint_t                *field;
    ngx_http_clipper_limit_t  *limit;

    for (limit = ngx_http_clipper_limits; limit->name.len; limit++) {
        if (value->len > limit->name.len
            && value->data[limit->name.len] == '='
            && ngx_strncmp(value->data, limit->name.data, limit->name.len)
               == 0)
        {
            break;
        }
    }

    if (limit->name.len == 0) {
        goto invalid;
    }

    field = (ngx_uint_t *) ((u_char *) limits + limit->offset);

    if (*field != NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate limit \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    text.data = value->data + limit->name.len + 1;
    text.len = value->len - limit->name.len - 1;

    n = limit->size ? ngx_parse_size(&text) : ngx_atoi(text.data, text.len);

    if (n < 1 || (ngx_uint_t) n > limit->max) {
        goto invalid;
    }

    *field = n;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);
    return NGX_CONF_ERROR;
}


char *
ngx_http_clipper_conf_app_link(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_int_t    n;
    ngx_uint_t   i, weight;

    n = ngx_http_clipper_conf_weight(cf, &weight);
    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (lcf->links == NULL) {
        lcf->links = ngx_array_create(cf->pool, 1,
                                      sizeof(ngx_http_clipper_link_t));
        if (lcf->links == NULL
            || ngx_http_clipper_conf_check_add_links(cf, lcf->links)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < (ngx_uint_t) n; i++) {
        rv = ngx_http_clipper_conf_add_link(cf, lcf->links, &value[i], weight);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* the number of arguments before "weight=", which must be the last one */

static ngx_int_t
ngx_http_clipper_conf_weight(ngx_conf_t *cf, ngx_uint_t *weight)
{
    ngx_int_t    w;
    ngx_str_t   *last, *value;
    ngx_uint_t   n;

    value = cf->args->elts;
    n = cf->args->nelts;
    last = &value[n - 1];

    *weight = 1;

    if (ngx_strncmp(last->data, "weight=", 7) != 0) {
        return n;
    }

    if (n != 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"weight\" needs a \"clipper_link\" with exactly "
                           "one model");
        return NGX_ERROR;
    }

    w = ngx_atoi(last->data + 7, last->len - 7);

    if (w < 1 || w > NGX_HTTP_CLIPPER_WEIGHT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid weight in \"%V\", it must be between "
                           "1 and %d", last, NGX_HTTP_CLIPPER_WEIGHT_MAX);
        return NGX_ERROR;
    }

    *weight = w;

    return n - 1;
}


static char *
ngx_http_clipper_conf_add_link(ngx_conf_t *cf, ngx_array_t *links,
    ngx_str_t *text, ngx_uint_t weight)
{
    ngx_str_t                      name, version;
    ngx_uint_t                     i;
    ngx_http_clipper_link_t        link, *l;
    ngx_http_clipper_main_conf_t  *mcf;

    if (ngx_http_clipper_conf_value_model(cf, text, &name, &version)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);

    link.model = ngx_http_clipper_conf_table_get_model(cf, mcf, &name);
    if (link.model == NULL) {
        return NGX_CONF_ERROR;
    }

    link.version = NULL;

    if (version.len) {
        link.version = ngx_http_clipper_conf_table_get_version(cf, link.model,
                                                               &version);
        if (link.version == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    l = links->elts;

    for (i = 0; i < links->nelts; i++) {
        if (l[i].model == link.model && l[i].version == link.version) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "model \"%V\" is linked twice", text);
            return NGX_CONF_ERROR;
        }
    }

    link.weight = weight;
    link.file = cf->conf_file->file.name.data;
    link.line = cf->conf_file->line;

    l = ngx_array_push(links);
    if (l == NULL) {
        return NGX_CONF_ERROR;
    }

    *l = link;

    return NGX_CONF_OK;
}

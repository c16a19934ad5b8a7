
/*
 * Values of directives, see the header.
 */


#include "conf/ngx_http_clipper_conf_value.h"
#include "base/clipper_name.h"


void
ngx_http_clipper_conf_value_error(ngx_conf_t *cf, u_char *file, ngx_uint_t line,
    const char *fmt, ...)
{
    u_char   text[NGX_MAX_CONF_ERRSTR], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + NGX_MAX_CONF_ERRSTR, fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%*s in %s:%ui",
                  p - text, text, file, line);
}


char *
ngx_http_clipper_conf_value_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *ms)
{
    u_char     last;
    ngx_int_t  time;

    time = ngx_parse_time(value, 0);

    if (time == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    last = value->data[value->len - 1];

    if (last >= '0' && last <= '9') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "time \"%V\" needs a unit, as in \"%Vms\"",
                           value, value);
        return NGX_CONF_ERROR;
    }

    *ms = time;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_value_join(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *field, *value;
    ngx_uint_t   i;

    field = (ngx_str_t *) ((u_char *) conf + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        len += value[i].len;
    }

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    field->data = p;
    field->len = len;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_clipper_conf_value_model(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *name, ngx_str_t *version)
{
    u_char  *colon;

    *name = *text;
    ngx_str_null(version);

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon) {
        name->len = colon - text->data;
        version->data = colon + 1;
        version->len = text->len - name->len - 1;
    }

    if (clipper_name(name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid model name in \"%V\"", text);
        return NGX_ERROR;
    }

    if (colon && clipper_name(version) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid version in \"%V\"", text);
        return NGX_ERROR;
    }

    return NGX_OK;
}

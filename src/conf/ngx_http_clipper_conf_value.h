
/*
 * Values of directives: times, names of models, and the place of a mistake.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* logs an [emerg] with the place where a directive was read */
void ngx_http_clipper_conf_value_error(ngx_conf_t *cf, u_char *file,
    ngx_uint_t line, const char *fmt, ...);

/*
 * a time with a mandatory unit: to nginx a bare 5 is 5 s, which few writers
 * mean
 */
char *ngx_http_clipper_conf_value_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *ms);

/*
 * sets a string to its arguments, one after the other: nginx reads no argument
 * of more than 4 kB
 */
char *ngx_http_clipper_conf_value_join(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* splits and checks NAME[:VERSION]; NGX_ERROR: invalid, logged */
ngx_int_t ngx_http_clipper_conf_value_model(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *name, ngx_str_t *version);


#endif /* _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_ */

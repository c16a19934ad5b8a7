
/*
 * Values of directives: times, names of models, and where a mistake stands.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* an [emerg] with the place where a directive was read */
void ngx_http_clipper_conf_value_error(ngx_conf_t *cf, u_char *file,
    ngx_uint_t line, const char *fmt, ...);

/* a time whose unit must be written: 5 is 5 s to nginx, seldom to the writer */
char *ngx_http_clipper_conf_value_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *ms);

/* cuts NAME[:VERSION], checks both; logs and returns NGX_ERROR if invalid */
ngx_int_t ngx_http_clipper_conf_value_model(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *name, ngx_str_t *version);


#endif /* _NGX_HTTP_CLIPPER_CONF_VALUE_H_INCLUDED_ */

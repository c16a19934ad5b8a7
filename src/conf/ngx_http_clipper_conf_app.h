
/*
 * The setters of an application: its inputs, its answers and its links.  How
 * it chooses among its models is in conf_select.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_APP_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_APP_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


char *ngx_http_clipper_conf_app(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_input(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_decompress(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_slo(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_link(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_limits(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CLIPPER_CONF_APP_H_INCLUDED_ */

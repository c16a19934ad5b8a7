
/*
 * How an application chooses among its models: the setters of clipper_select,
 * clipper_loss, clipper_confidence and clipper_uid.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_SELECT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_SELECT_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


char *ngx_http_clipper_conf_select(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_select_loss(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_select_confidence(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_clipper_conf_select_uid(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* checks the links of an application and takes their weights */
ngx_int_t ngx_http_clipper_conf_select_links(ngx_conf_t *cf,
    ngx_http_clipper_app_t *app);


#endif /* _NGX_HTTP_CLIPPER_CONF_SELECT_H_INCLUDED_ */


/*
 * How an application chooses among its models: the setters of clipper_select,
 * clipper_loss, clipper_confidence and clipper_uid, and their merge.
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

/* the selection of a location: initialize, merge, compare, copy */
void ngx_http_clipper_conf_select_unset(ngx_http_clipper_loc_conf_t *lcf);
void ngx_http_clipper_conf_select_merge(ngx_http_clipper_loc_conf_t *prev,
    ngx_http_clipper_loc_conf_t *conf);
const char *ngx_http_clipper_conf_select_differs(ngx_http_clipper_app_t *app,
    ngx_http_clipper_loc_conf_t *lcf);
ngx_int_t ngx_http_clipper_conf_select_app(ngx_conf_t *cf,
    ngx_http_clipper_app_t *app, ngx_http_clipper_loc_conf_t *lcf);


#endif /* _NGX_HTTP_CLIPPER_CONF_SELECT_H_INCLUDED_ */


/*
 * The applications, models and versions of a configuration, by name.
 *
 * An application is one object that all locations with its name share.  A
 * version takes what its block leaves open from its model, the model from the
 * defaults, once everything is read.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* NULL: there is none */
ngx_http_clipper_model_conf_t *ngx_http_clipper_conf_table_model(
    ngx_http_clipper_main_conf_t *mcf, const ngx_str_t *name);
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_version(
    ngx_http_clipper_model_conf_t *model, const ngx_str_t *version);

/* find or add; NULL: no memory */
ngx_http_clipper_model_conf_t *ngx_http_clipper_conf_table_get_model(
    ngx_conf_t *cf, ngx_http_clipper_main_conf_t *mcf, ngx_str_t *name);
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_get_version(
    ngx_conf_t *cf, ngx_http_clipper_model_conf_t *model, ngx_str_t *version);

/* fills what blocks left unset, once all are read */
void ngx_http_clipper_conf_table_finish_models(
    ngx_http_clipper_main_conf_t *mcf);

/* the current version as far as the configuration tells, or NULL */
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_current(
    ngx_http_clipper_model_conf_t *model);

/*
 * The application of a location after its merge, checked against its models
 * and the other locations that name it.  NULL: logged.
 */
ngx_http_clipper_app_t *ngx_http_clipper_conf_table_get_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location);


#endif /* _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_ */

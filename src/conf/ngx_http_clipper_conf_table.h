
/*
 * The applications, models and versions of a configuration, by name.
 *
 * All locations that name an application share one object.  After everything
 * is read, a version inherits what its block does not set from its model, and
 * the model from the defaults.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* NULL: not found */
ngx_http_clipper_model_conf_t *ngx_http_clipper_conf_table_model(
    ngx_http_clipper_main_conf_t *mcf, const ngx_str_t *name);
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_version(
    ngx_http_clipper_model_conf_t *model, const ngx_str_t *version);

ngx_http_clipper_app_t *ngx_http_clipper_conf_table_app(
    ngx_http_clipper_main_conf_t *mcf, const ngx_str_t *name);

/* find or add; NULL: no memory */
ngx_http_clipper_model_conf_t *ngx_http_clipper_conf_table_get_model(
    ngx_conf_t *cf, ngx_http_clipper_main_conf_t *mcf, ngx_str_t *name);
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_get_version(
    ngx_conf_t *cf, ngx_http_clipper_model_conf_t *model, ngx_str_t *version);

/* inherits what blocks left unset; call it after all blocks are read */
void ngx_http_clipper_conf_table_finish_models(
    ngx_http_clipper_main_conf_t *mcf);

/* the current version as the configuration defines it, or NULL */
ngx_http_clipper_version_conf_t *ngx_http_clipper_conf_table_current(
    ngx_http_clipper_model_conf_t *model);

/*
 * Returns the application of a location after its merge, checked against its
 * models and the other locations that name it.  NULL: logged.
 */
ngx_http_clipper_app_t *ngx_http_clipper_conf_table_get_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location);


#endif /* _NGX_HTTP_CLIPPER_CONF_TABLE_H_INCLUDED_ */


/*
 * The configuration: creates, merges and checks it.  Whatever an operator can
 * get wrong ends here as an [emerg] with file and line, so that the other
 * parts find only what is consistent.
 *
 * Setters return NGX_CONF_OK, NGX_CONF_ERROR after they logged the mistake, or
 * a text that nginx completes to `"<directive>" directive <text>`.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


void *ngx_http_clipper_conf_create_main(ngx_conf_t *cf);
char *ngx_http_clipper_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_clipper_conf_create_loc(ngx_conf_t *cf);
char *ngx_http_clipper_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/* postconfiguration: adds the zones to the cycle, with what maps them */
ngx_int_t ngx_http_clipper_conf_finish(ngx_conf_t *cf,
    ngx_shm_zone_init_pt zone_init, ngx_shm_zone_init_pt cache_init);


/* --- setters of http level --- */

char *ngx_http_clipper_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_cache_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_generation(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_model(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* --- setters of an application (ngx_http_clipper_conf_app.c) --- */

char *ngx_http_clipper_conf_app(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_input(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_slo(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_link(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_app_limits(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* --- setters of its selection (ngx_http_clipper_conf_select.c) --- */

char *ngx_http_clipper_conf_select(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_select_loss(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_select_confidence(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_clipper_conf_select_uid(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a location that answers for the operator, with the command's handler */
char *ngx_http_clipper_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- between the files of this part --- */

/* an [emerg] with the place where a directive was read */
void ngx_http_clipper_conf_error(ngx_conf_t *cf, u_char *file, ngx_uint_t line,
    const char *fmt, ...);

/* a time whose unit must be written: 5 is 5 s to nginx, seldom to the writer */
char *ngx_http_clipper_conf_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *ms);

/* cuts NAME[:VERSION], checks both; logs and returns NGX_ERROR if invalid */
ngx_int_t ngx_http_clipper_conf_split(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *name, ngx_str_t *version);

/* find or add (ngx_http_clipper_conf_table.c); NULL: no memory */
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

/* the selection of a location: unset, merged, compared, taken over */
void ngx_http_clipper_conf_select_unset(ngx_http_clipper_loc_conf_t *lcf);
void ngx_http_clipper_conf_select_merge(ngx_http_clipper_loc_conf_t *prev,
    ngx_http_clipper_loc_conf_t *conf);
const char *ngx_http_clipper_conf_select_differs(ngx_http_clipper_app_t *app,
    ngx_http_clipper_loc_conf_t *lcf);
ngx_int_t ngx_http_clipper_conf_select_app(ngx_conf_t *cf,
    ngx_http_clipper_app_t *app, ngx_http_clipper_loc_conf_t *lcf);

/* of a location after its merge (.._conf_check.c); NULL: logged */
ngx_http_clipper_app_t *ngx_http_clipper_conf_check_add_app(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_loc_conf_t *lcf,
    ngx_str_t *location);


#endif /* _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_ */


/*
 * The configuration: creates, merges and checks it.  Every mistake of an
 * operator is reported here as an [emerg] with file and line, so the other
 * parts find a consistent configuration.
 *
 * Setters return NGX_CONF_OK, NGX_CONF_ERROR after logging the mistake, or a
 * text that nginx completes to `"<directive>" directive <text>`.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


void *ngx_http_clipper_conf_create_main(ngx_conf_t *cf);
char *ngx_http_clipper_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_clipper_conf_create_loc(ngx_conf_t *cf);
char *ngx_http_clipper_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/* postconfiguration: adds the zones and their init callbacks to the cycle */
ngx_int_t ngx_http_clipper_conf_finish(ngx_conf_t *cf,
    ngx_shm_zone_init_pt zone_init, ngx_shm_zone_init_pt cache_init,
    ngx_shm_zone_init_pt records_init);


/* setters of the http level */
char *ngx_http_clipper_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_cache_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_records(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_generation(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a location for the operator, with the handler of its command */
char *ngx_http_clipper_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_ */

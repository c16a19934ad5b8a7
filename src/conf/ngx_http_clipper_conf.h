
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
    ngx_shm_zone_init_pt zone_init, ngx_shm_zone_init_pt cache_init,
    ngx_shm_zone_init_pt records_init);


/* setters of http level */
char *ngx_http_clipper_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_cache_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_records(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_clipper_conf_generation(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a location that answers for the operator, with the command's handler */
char *ngx_http_clipper_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CLIPPER_CONF_H_INCLUDED_ */

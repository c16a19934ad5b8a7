
/*
 * The module's life cycle in a process: what nginx calls when the zones are
 * mapped, after the fork, and before the exit.
 */


#ifndef _NGX_HTTP_CLIPPER_WORKER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_WORKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


ngx_int_t ngx_http_clipper_worker_zone_init(ngx_shm_zone_t *zone, void *data);
ngx_int_t ngx_http_clipper_worker_cache_zone_init(ngx_shm_zone_t *zone,
    void *data);
ngx_int_t ngx_http_clipper_worker_records_init(ngx_shm_zone_t *zone,
    void *data);

/* a cycle is in force, its workers are not forked yet */
ngx_int_t ngx_http_clipper_worker_cycle(ngx_cycle_t *cycle);

ngx_int_t ngx_http_clipper_worker_init(ngx_cycle_t *cycle);
void ngx_http_clipper_worker_exit(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_CLIPPER_WORKER_H_INCLUDED_ */

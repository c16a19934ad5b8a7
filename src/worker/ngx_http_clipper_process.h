
/*
 * The module's life in a process: what nginx calls when the zones are mapped,
 * after the fork, and before the exit; and the one object that the parts of a
 * worker share.
 */


#ifndef _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "shm/clipper_zone.h"


typedef struct {
    clipper_zone_t                *zone;       /* mapped view */
    ngx_http_clipper_main_conf_t  *conf;
    ngx_cycle_t                   *cycle;
    ngx_log_t                     *log;
    ngx_uint_t                     slot;       /* of this worker; 0: none */
    ngx_uint_t                     retiring;   /* a graceful exit began */
} ngx_http_clipper_process_t;


/* of this worker; zone is NULL where the module is not at work */
extern ngx_http_clipper_process_t  ngx_http_clipper_process;


/* smallest zones that hold the tables */
#define NGX_HTTP_CLIPPER_ZONE_MIN        (2 * 1024 * 1024)
#define NGX_HTTP_CLIPPER_CACHE_ZONE_MIN  (256 * 1024)

ngx_int_t ngx_http_clipper_worker_zone_init(ngx_shm_zone_t *zone, void *data);
ngx_int_t ngx_http_clipper_worker_cache_zone_init(ngx_shm_zone_t *zone,
    void *data);

ngx_int_t ngx_http_clipper_worker_init(ngx_cycle_t *cycle);
void ngx_http_clipper_worker_exit(ngx_cycle_t *cycle);

/* looks at the mailbox and at the queues of the replicas here */
void ngx_http_clipper_worker_work(void);

/* somebody has died: gives back what dead workers held */
void ngx_http_clipper_worker_bury(void);

/* a graceful exit begins; `now`: it must not take longer */
void ngx_http_clipper_worker_retire(ngx_uint_t now);


/* CLOCK_MONOTONIC in microseconds */

static ngx_inline uint64_t
ngx_http_clipper_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


#endif /* _NGX_HTTP_CLIPPER_PROCESS_H_INCLUDED_ */


/*
 * The configuration that the directives produce.  Every other type lives in
 * the header of the part that owns it.
 *
 * Times are either `_ms` (nginx timers, ngx_msec_t) or `_us` (uint64_t,
 * CLOCK_MONOTONIC, comparable between the processes of one machine).
 */


#ifndef _NGX_HTTP_CLIPPER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "conf/ngx_http_clipper_conf_model_type.h"
#include "conf/ngx_http_clipper_conf_opt.h"
#include "conf/ngx_http_clipper_conf_peer.h"


#define NGX_HTTP_CLIPPER_VERSION  "0.1.0"
#define NGX_HTTP_CLIPPER_GENERATION_MAX  63


/* an application, the same for every location that names it */

typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    index;        /* in the apps of main conf */
    ngx_uint_t                    row;          /* registry's, after the fork */
    ngx_http_clipper_conf_opt_t   opt;
    ngx_array_t                   links;        /* of .._link_t */
    double                       *weights;      /* of the links */
    ngx_uint_t                    unmatched;    /* in a row, in this worker */
    uint64_t                      unmatched_us; /* when that was logged */
    ngx_str_t                     location;     /* the first one, for errors */
    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_clipper_app_t;


typedef struct {
    ngx_shm_zone_t               *zone;
    ngx_shm_zone_t               *cache_zone;   /* NULL: off */
    size_t                        zone_size;
    ssize_t                       cache_size;   /* 0: off */
    ngx_shm_zone_t               *records_zone; /* NULL: a part of the zone */
    size_t                        records_size;
    ngx_msec_t                    records_redis; /* kept there; 0: not */
    ngx_array_t                   endpoints;    /* of .._endpoint_t */
    ngx_array_t                   models;       /* of .._model_conf_t * */
    ngx_array_t                   apps;         /* of .._app_t * */
    ngx_array_t                   links;        /* of .._links_t */
    ngx_str_t                     generation;
    ngx_uint_t                    query_id_bits;
    ngx_http_clipper_redis_conf_t  *redis;      /* NULL: off */
    ngx_uint_t                    redis_set;
    ngx_uint_t                    used;         /* a directive needs zones */
    ngx_uint_t                    explain;      /* by an application */
    ngx_uint_t                    request_body; /* the variable is used */
    time_t                        loaded;       /* when it was read */
} ngx_http_clipper_main_conf_t;


typedef struct {
    ngx_http_clipper_app_t       *app;          /* NULL: not an application */
    ngx_http_handler_pt           handler;      /* of the module */
    ngx_str_t                     name;
    ngx_http_clipper_conf_opt_t   opt;
    ngx_array_t                  *links;        /* of .._link_t */
    ngx_http_complex_value_t     *uid;          /* NULL: taken from the body */
    ngx_flag_t                    uid_body;     /* from body if empty */
    ngx_uint_t                    operator;     /* clipper_status and such */
    u_char                       *file;         /* of the handler */
    ngx_uint_t                    line;
} ngx_http_clipper_loc_conf_t;


extern ngx_module_t  ngx_http_clipper_module;


#endif /* _NGX_HTTP_CLIPPER_H_INCLUDED_ */

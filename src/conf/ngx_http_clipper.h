
/*
 * Types that most parts of the module share: the configuration that the
 * directives produce, and forward declarations.  Every other type lives in the
 * header of the part that owns it.
 *
 * Times are either `_ms` (nginx timers, ngx_msec_t) or `_us` (uint64_t,
 * CLOCK_MONOTONIC, comparable between the processes of one machine).
 */


#ifndef _NGX_HTTP_CLIPPER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "json/clipper_input.h"
#include "learn/clipper_loss.h"
#include "learn/clipper_policy_type.h"


#define NGX_HTTP_CLIPPER_VERSION  "0.1.0"

#define NGX_HTTP_CLIPPER_GENERATION_MAX  63

#define NGX_HTTP_CLIPPER_DEFAULT_BATCH_MAX        4096
#define NGX_HTTP_CLIPPER_DEFAULT_QUEUE            10000
#define NGX_HTTP_CLIPPER_DEFAULT_REPLICA_TIMEOUT  30000

/* connections to clipper_rpc without a container, in a worker */
#define NGX_HTTP_CLIPPER_RPC_STRANGERS_MIN  16
#define NGX_HTTP_CLIPPER_RPC_STRANGERS_MAX  512

/* connections to clipper_rpc that a worker's limit of files should hold */
#define NGX_HTTP_CLIPPER_RPC_ROOM           128

/* descriptors of a worker that are no connections */
#define NGX_HTTP_CLIPPER_RPC_OTHERS         32


#define NGX_HTTP_CLIPPER_BATCH_ADAPTIVE  0
#define NGX_HTTP_CLIPPER_BATCH_AIMD      -2      /* -1 is NGX_CONF_UNSET */


/* how the batches of a model or version are formed; NGX_CONF_UNSET: inherit */

typedef struct {
    ngx_int_t                     batch;        /* fixed, or one of above */
    ngx_int_t                     batch_max;    /* inputs */
    ngx_msec_t                    batch_wait;
    ngx_int_t                     queue;        /* tasks that may wait */
    size_t                        queue_size;   /* bytes; 0: 1/4 of zone */
    ngx_msec_t                    replica_timeout;
    ngx_msec_t                    hedge;        /* 0: off; positive: time */
    unsigned                      hedge_auto:1;
} ngx_http_clipper_tuning_t;


/* `clipper_model NAME:VERSION`, or a version that a link names */

typedef struct {
    ngx_str_t                     version;
    ngx_int_t                     input_type;   /* NGX_CONF_UNSET: any */
    ngx_http_clipper_tuning_t     tuning;       /* merged with the model's */
    ngx_str_t                     label;
    ngx_str_t                     image;
    ngx_uint_t                    row;          /* in the registry; set after
                                                   the fork */
    unsigned                      declared:1;   /* has a block of its own */
} ngx_http_clipper_version_conf_t;


/* a model that a block or a link names */

typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     version;      /* `version V`, or empty */
    ngx_http_clipper_tuning_t     tuning;
    ngx_array_t                   versions;     /* of .._version_conf_t * */
    ngx_uint_t                    row;          /* of the current version, if
                                                   configured; 0: the highest
                                                   announced */
    unsigned                      declared:1;
} ngx_http_clipper_model_conf_t;


/* one member of an application: what a clipper_link names */

typedef struct {
    ngx_http_clipper_model_conf_t    *model;
    ngx_http_clipper_version_conf_t  *version;  /* NULL: the current one */
    ngx_uint_t                        weight;
    u_char                           *file;     /* of the directive */
    ngx_uint_t                        line;
} ngx_http_clipper_link_t;


typedef struct {
    ngx_uint_t                    batch;        /* inputs of one request */
    size_t                        elements;     /* of one input */
    ngx_uint_t                    depth;        /* of nested JSON */
    size_t                        output;       /* bytes of one answer */
} ngx_http_clipper_limits_t;


/* an application, the same for every location that names it */

typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    index;        /* in the apps of main conf */
    ngx_uint_t                    row;          /* in the registry; set after
                                                   the fork */
    ngx_int_t                     input_type;
    ngx_flag_t                    strict;
    ngx_msec_t                    slo;
    ngx_str_t                     output;       /* of the default */
    ngx_flag_t                    cache;
    ngx_msec_t                    cache_valid;  /* 0: no maximum age */
    ngx_array_t                   links;        /* of .._link_t */
    double                       *weights;      /* of the links */
    clipper_policy_conf_t  select;
    clipper_loss_t       loss;
    ngx_int_t                     confidence;   /* millionths */
    ngx_http_clipper_limits_t     limits;
    ngx_str_t                     location;     /* the first one, for errors */
    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_clipper_app_t;


/* who may connect: a CIDR, NUL-terminated */

typedef struct {
    ngx_str_t                     cidr;
    int                           family;
} ngx_http_clipper_allow_t;


typedef struct {
    ngx_str_t                     address;      /* as written */
    ngx_str_t                     endpoint;     /* as libzmq writes it, NUL-
                                                   terminated */
    size_t                        max_message;
    ngx_array_t                   allow;        /* of .._allow_t */
    int                           family;       /* AF_INET, ... */
    ngx_uint_t                    listening;    /* index in the cycle */
    ngx_socket_t                  fd;           /* of the listening socket */
    u_char                       *file;         /* of the directive */
    ngx_uint_t                    line;
} ngx_http_clipper_endpoint_t;


typedef struct {
    ngx_str_t                     address;      /* as written */
    ngx_addr_t                   *addrs;
    ngx_uint_t                    naddrs;
    ngx_uint_t                    db;
    ngx_msec_t                    timeout;
    ngx_str_t                     password;     /* NULL: none */
    ngx_str_t                     prefix;       /* prefix of all keys */
} ngx_http_clipper_redis_conf_t;


typedef struct {
    ngx_shm_zone_t               *zone;
    ngx_shm_zone_t               *cache_zone;   /* NULL: off */
    size_t                        zone_size;
    ssize_t                       cache_size;   /* 0: off */
    ngx_shm_zone_t               *records_zone; /* NULL: a part of the zone */
    size_t                        records_size;
    ngx_array_t                   endpoints;    /* of .._endpoint_t */
    ngx_array_t                   models;       /* of .._model_conf_t * */
    ngx_array_t                   apps;         /* of .._app_t * */
    ngx_str_t                     generation;
    ngx_http_clipper_redis_conf_t  *redis;      /* NULL: off */
    ngx_uint_t                    redis_set;
    ngx_uint_t                    used;         /* a directive needs zones */
    ngx_uint_t                    request_body; /* the variable is used */
    time_t                        loaded;       /* when it was read */
} ngx_http_clipper_main_conf_t;


typedef struct {
    ngx_http_clipper_app_t       *app;          /* NULL: not an application */
    ngx_http_handler_pt           handler;      /* of clipper_app */
    ngx_str_t                     name;
    ngx_int_t                     input_type;
    ngx_flag_t                    strict;
    ngx_msec_t                    slo;
    ngx_str_t                     output;
    ngx_flag_t                    cache;
    ngx_msec_t                    cache_valid;
    ngx_array_t                  *links;        /* of .._link_t */
    clipper_policy_conf_t  select;              /* policy NULL: unset */
    clipper_loss_t       loss;
    ngx_flag_t                    loss_set;
    ngx_int_t                     confidence;   /* millionths */
    ngx_http_complex_value_t     *uid;          /* NULL: taken from the body */
    ngx_flag_t                    uid_body;     /* from body if empty */
    ngx_http_clipper_limits_t     limits;
    ngx_uint_t                    operator;     /* clipper_status and such */
    u_char                       *file;         /* of clipper_app */
    ngx_uint_t                    line;
} ngx_http_clipper_loc_conf_t;


extern ngx_module_t  ngx_http_clipper_module;


#endif /* _NGX_HTTP_CLIPPER_H_INCLUDED_ */


/*
 * Models, their versions, and the members of applications, as configured.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_MODEL_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_MODEL_TYPE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CLIPPER_DEFAULT_BATCH_MAX        4096
#define NGX_HTTP_CLIPPER_DEFAULT_QUEUE            10000
#define NGX_HTTP_CLIPPER_DEFAULT_REPLICA_TIMEOUT  30000


#define NGX_HTTP_CLIPPER_BATCH_ADAPTIVE  0
#define NGX_HTTP_CLIPPER_BATCH_AIMD      -2      /* -1 is NGX_CONF_UNSET */


/* how the batches of a model or version are formed; NGX_CONF_UNSET: inherit */

typedef struct {
    ngx_int_t                     batch;        /* fixed, or one of above */
    ngx_int_t                     batch_max;    /* inputs */
    ngx_msec_t                    batch_wait;
    ngx_msec_t                    batch_timeout;    /* 0: auto */
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


#endif /* _NGX_HTTP_CLIPPER_CONF_MODEL_TYPE_H_INCLUDED_ */

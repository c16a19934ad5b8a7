
/*
 * The options of an application: what the directives of its location set, and
 * what is the same in every location that names it.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_OPT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_OPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "json/clipper_input.h"
#include "learn/clipper_loss.h"
#include "learn/clipper_policy_type.h"


typedef struct {
    ngx_uint_t                    batch;        /* inputs of one request */
    size_t                        elements;     /* of one input */
    ngx_uint_t                    depth;        /* of nested JSON */
    size_t                        output;       /* bytes of one answer */
} ngx_http_clipper_limits_t;


typedef struct {
    ngx_int_t                     input_type;
    ngx_flag_t                    strict;
    ngx_flag_t                    nulls;        /* null is NaN */
    ngx_flag_t                    binary;       /* bodies without JSON */
    size_t                        decompress;   /* bytes; 0: off */
    ngx_flag_t                    explain;      /* errors of models */
    ngx_msec_t                    slo;
    ngx_str_t                     output;       /* of the default */
    ngx_flag_t                    cache;
    ngx_msec_t                    cache_valid;  /* 0: no maximum age */
    clipper_policy_conf_t         select;       /* policy NULL: unset */
    clipper_loss_t                loss;         /* low = high: unset */
    ngx_int_t                     confidence;   /* millionths */
    ngx_http_clipper_limits_t     limits;
} ngx_http_clipper_conf_opt_t;


/* for zeroed memory */
void ngx_http_clipper_conf_opt_unset(ngx_http_clipper_conf_opt_t *opt);

/* what is unset comes from the level above, or is the default */
void ngx_http_clipper_conf_opt_merge(ngx_http_clipper_conf_opt_t *prev,
    ngx_http_clipper_conf_opt_t *opt);

/* NULL if two locations agree, else the directive that differs */
const char *ngx_http_clipper_conf_opt_differs(
    const ngx_http_clipper_conf_opt_t *a, const ngx_http_clipper_conf_opt_t *b);


#endif /* _NGX_HTTP_CLIPPER_CONF_OPT_H_INCLUDED_ */


/*
 * A scrape, the groups of counters that it has copied, and the families of
 * metrics that it writes.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_TYPE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "shm/clipper_metrics.h"


/* room for the labels of one sample: three names and a word */

#define NGX_HTTP_CLIPPER_PROMETHEUS_LABELS                                    \
    (3 * 2 * CLIPPER_TEXT + 256)


/* counters with the same labels */

typedef struct {
    ngx_str_t                  labels;         /* written out, no braces */
    ngx_str_t                  model;
    ngx_str_t                  version;
    uint64_t                   queued;         /* gauges of models */
    uint64_t                   replicas;
    uint64_t                   sum[CLIPPER_BLOCK];
} ngx_http_clipper_prometheus_group_t;


/* a scrape: the copied values and the text */

typedef struct {
    ngx_pool_t                    *pool;
    clipper_zone_t                *zone;
    ngx_http_clipper_main_conf_t  *conf;

    ngx_array_t                    apps;       /* of .._group_t */
    ngx_array_t                    models;     /* of .._group_t */

    const char                    *name;       /* of the current family */
    ngx_chain_t                   *first;
    ngx_chain_t                   *last;
    off_t                          size;       /* bytes before the last */
    ngx_uint_t                     failed;     /* no memory: seen at the end */
} ngx_http_clipper_prometheus_t;


/*
 * A family: its name and the function that writes its samples, called for each
 * group if there are some, else once with NULL.
 */

typedef struct ngx_http_clipper_family_s  ngx_http_clipper_family_t;

struct ngx_http_clipper_family_s {
    const char        *name;
    const char        *type;
    const char        *help;

    void             (*write)(ngx_http_clipper_prometheus_t *p,
                              const ngx_http_clipper_family_t *family,
                              ngx_http_clipper_prometheus_group_t *group);

    size_t             groups;          /* offset of apps or models; 0: none */
    ngx_uint_t         offset;          /* of the first counter */

    /* neighbouring counters: the label that distinguishes them, its values */

    const char        *label;
    const ngx_str_t   *values;
    ngx_uint_t         begin;
    ngx_uint_t         end;
};


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_TYPE_H_INCLUDED_ */

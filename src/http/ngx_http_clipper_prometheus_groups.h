
/*
 * Counters by their labels: one group for each application and each model.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


/* reads all groups; NGX_ERROR: no memory */
ngx_int_t ngx_http_clipper_prometheus_groups_read(
    ngx_http_clipper_prometheus_t *p);


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS_H_INCLUDED_ */


/*
 * The share of each link of each application.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_SHARES_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_SHARES_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


/* each link of each application */
void ngx_http_clipper_prometheus_shares(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_SHARES_H_INCLUDED_ */


/*
 * Samples of one group: an application, or a model with its version.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_SAMPLES_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_SAMPLES_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


void ngx_http_clipper_prometheus_samples_counter(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_samples_counters(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_samples_times(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_samples_sizes(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_samples_gauge(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_SAMPLES_H_INCLUDED_ */

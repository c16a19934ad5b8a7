
/*
 * Samples of families about the whole server: they have no group.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_SERVER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_SERVER_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


void ngx_http_clipper_prometheus_server_used(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_size(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_overflows(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_records(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_stored(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_span(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_rpc(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_refused(
    ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_build(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_redis(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_started(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);
void ngx_http_clipper_prometheus_server_loaded(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group);


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_SERVER_H_INCLUDED_ */

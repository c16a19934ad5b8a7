
/*
 * clipper_metrics: the counters in shared memory, in Prometheus' text format.
 * A scrape first copies what it needs, holding the mutex for a few rows at a
 * time, and writes the text afterwards.
 *
 * Labels come from the configuration.  A version has its own series if the
 * configuration names it or a link uses it; all other versions of a model
 * share version="other", and all models that are not configured share
 * model="other".
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


ngx_int_t ngx_http_clipper_prometheus_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_H_INCLUDED_ */

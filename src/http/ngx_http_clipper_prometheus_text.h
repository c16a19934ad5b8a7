
/*
 * Samples and labels in Prometheus' text format.
 */


#ifndef _NGX_HTTP_CLIPPER_PROMETHEUS_TEXT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PROMETHEUS_TEXT_H_INCLUDED_


#include "http/ngx_http_clipper_prometheus_type.h"


/* begins a family: its HELP and TYPE */
void ngx_http_clipper_prometheus_text_family(ngx_http_clipper_prometheus_t *p,
    const char *name, const char *type, const char *help);

/* one sample; labels are written out or NULL, suffix may be empty */
void ngx_http_clipper_prometheus_text_count(ngx_http_clipper_prometheus_t *p,
    const char *suffix, const ngx_str_t *labels, uint64_t value);

void ngx_http_clipper_prometheus_text_real(ngx_http_clipper_prometheus_t *p,
    const ngx_str_t *labels, double value);

/* one sample of a value in microseconds, as seconds */
void ngx_http_clipper_prometheus_text_seconds(ngx_http_clipper_prometheus_t *p,
    const char *suffix, const ngx_str_t *labels, uint64_t us);

/* adds `key="value"` to labels, which have room for it; value is escaped */
void ngx_http_clipper_prometheus_text_label(ngx_str_t *labels, const char *key,
    const u_char *value, size_t len);

/* upper bound of the size of a label of `len` bytes */
#define ngx_http_clipper_prometheus_room(key, len)                            \
    (sizeof(key) - 1 + 2 * (len) + sizeof(",=\"\"") - 1)


#endif /* _NGX_HTTP_CLIPPER_PROMETHEUS_TEXT_H_INCLUDED_ */

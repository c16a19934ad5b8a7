
/*
 * Lines in the log about outages of Redis: the first cause of one, others when
 * they come, each once a minute, and the end.
 */


#ifndef _NGX_HTTP_CLIPPER_REDIS_CAUSE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REDIS_CAUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


void ngx_http_clipper_redis_cause(ngx_log_t *log, ngx_str_t *address,
    const char *reason);
void ngx_http_clipper_redis_cause_over(ngx_log_t *log, ngx_str_t *address);


#endif /* _NGX_HTTP_CLIPPER_REDIS_CAUSE_H_INCLUDED_ */


/*
 * Causes of outages, see the header.
 */


#include "base/clipper_clock.h"
#include "base/clipper_limiter.h"
#include "base/clipper_plain.h"
#include "worker/ngx_http_clipper_redis_cause.h"


#define NGX_HTTP_CLIPPER_REDIS_TEXT  256        /* bytes, of an error */


static ngx_uint_t         ngx_http_clipper_redis_cause_told;
static uint32_t           ngx_http_clipper_redis_cause_last;
static clipper_limiter_t  ngx_http_clipper_redis_cause_limiter;


void
ngx_http_clipper_redis_cause(ngx_log_t *log, ngx_str_t *address,
    const char *reason)
{
    u_char      buf[NGX_HTTP_CLIPPER_REDIS_TEXT];
    uint32_t    cause;
    ngx_str_t   text;
    ngx_uint_t  rare;

    text.data = (u_char *) reason;
    text.len = ngx_strlen(reason);
    cause = ngx_crc32_long(text.data, text.len);

    if (ngx_http_clipper_redis_cause_told
        && cause == ngx_http_clipper_redis_cause_last)
    {
        return;
    }

    rare = clipper_limiter(&ngx_http_clipper_redis_cause_limiter, cause,
                           clipper_clock_us());

    if (ngx_http_clipper_redis_cause_told && !rare) {
        return;
    }

    clipper_plain_text(&text, buf, sizeof(buf));

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "redis \"%V\": %V; updates are kept until it is back",
                  address, &text);

    ngx_http_clipper_redis_cause_told = 1;
    ngx_http_clipper_redis_cause_last = cause;
}


void
ngx_http_clipper_redis_cause_over(ngx_log_t *log, ngx_str_t *address)
{
    if (ngx_http_clipper_redis_cause_told) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "redis \"%V\" is back", address);
    }

    ngx_http_clipper_redis_cause_told = 0;
}

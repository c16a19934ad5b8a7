
/*
 * Formats states for Redis and parses them.
 */


#include "base/clipper_plain.h"
#include "query/ngx_http_clipper_state_flow.h"
#include "query/ngx_http_clipper_state_text.h"
#include <math.h>


#define NGX_HTTP_CLIPPER_STATE_WORDS  256       /* bytes, of an error */
#define NGX_HTTP_CLIPPER_STATE_LOG    60000000  /* us between two lines */


static ngx_int_t ngx_http_clipper_state_text_numbers(redisReply **element,
    ngx_uint_t n, double *value);


const char  *ngx_http_clipper_state_text_clocks[CLIPPER_POLICY_ROWS] = {
    "t0", "lambda", "u0", "mu", "v"
};


size_t
ngx_http_clipper_state_text_redis_key(u_char *p, uint32_t kind,
    const ngx_str_t *owner, const ngx_str_t *uid)
{
    ngx_str_t   space;
    ngx_str_t  *prefix;

    if (kind == CLIPPER_STATE_DIGEST) {
        ngx_str_set(&space, "digest:");
    } else {
        ngx_str_set(&space, "state:");
    }

    prefix = &ngx_http_clipper_state_flow.redis->prefix;

    if (p) {
        p = ngx_cpymem(p, prefix->data, prefix->len);
        p = ngx_cpymem(p, space.data, space.len);
        p = ngx_cpymem(p, owner->data, owner->len);

        if (uid->len) {
            *p++ = ':';
            ngx_memcpy(p, uid->data, uid->len);
        }
    }

    return prefix->len + space.len + owner->len
           + (uid->len ? 1 + uid->len : 0);
}


void
ngx_http_clipper_state_text_arg(ngx_http_clipper_state_args_t *args,
    const void *data, size_t len)
{
    if (args->argv) {
        args->argv[args->argc] = data;
        args->len[args->argc] = len;
    }

    args->argc++;
}


void
ngx_http_clipper_state_text_arg_number(ngx_http_clipper_state_args_t *args,
    double value)
{
    u_char  *p;

    if (args->argv) {
        p = args->p;
        args->p += snprintf((char *) p, NGX_HTTP_CLIPPER_STATE_NUMBER_LEN,
                            "%.17g", value);
        ngx_http_clipper_state_text_arg(args, p, args->p - p);
        return;
    }

    args->size += NGX_HTTP_CLIPPER_STATE_NUMBER_LEN;
    args->argc++;
}


void
ngx_http_clipper_state_text_arg_key(ngx_http_clipper_state_args_t *args,
    uint32_t kind, const ngx_str_t *owner, const ngx_str_t *uid)
{
    size_t  len;

    len = ngx_http_clipper_state_text_redis_key(args->argv ? args->p : NULL,
                                                kind, owner, uid);
    ngx_http_clipper_state_text_arg(args, args->p, len);

    if (args->argv) {
        args->p += len;
    } else {
        args->size += len;
    }
}


void
ngx_http_clipper_state_text_arg_field(ngx_http_clipper_state_args_t *args,
    const ngx_str_t *member, const char *field)
{
    size_t   len;
    u_char  *p;

    len = member->len + 1 + ngx_strlen(field);
    ngx_http_clipper_state_text_arg(args, args->p, len);

    if (args->argv == NULL) {
        args->size += len;
        return;
    }

    p = ngx_cpymem(args->p, member->data, member->len);
    *p++ = '/';
    ngx_memcpy(p, field, ngx_strlen(field));
    args->p += len;
}


ngx_int_t
ngx_http_clipper_state_text_args_make(ngx_http_clipper_state_args_t *args)
{
    size_t   n;
    u_char  *p;

    n = args->argc;

    p = ngx_alloc(n * (sizeof(char *) + sizeof(size_t)) + args->size,
                  ngx_http_clipper_state_flow.log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->argv = (const char **) p;
    args->len = (size_t *) (p + n * sizeof(char *));
    args->p = p + n * (sizeof(char *) + sizeof(size_t));
    args->argc = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_state_text_parse(redisReply *reply, ngx_uint_t first,
    clipper_state_reply_t *out, ngx_uint_t n, double *rows)
{
    double        head[NGX_HTTP_CLIPPER_STATE_HEAD];
    redisReply  **element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != first + NGX_HTTP_CLIPPER_STATE_HEAD + n)
    {
        return NGX_ERROR;
    }

    element = &reply->element[first];

    if (ngx_http_clipper_state_text_numbers(element,
                                            NGX_HTTP_CLIPPER_STATE_HEAD, head)
        != NGX_OK
        || ngx_http_clipper_state_text_numbers(
                                       element + NGX_HTTP_CLIPPER_STATE_HEAD,
                                       n, rows)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(out->head, head, sizeof(out->head));
    out->time = head[CLIPPER_POLICY_ROWS];
    out->last = (head[CLIPPER_POLICY_ROWS + 1] < 9e15)
                ? (uint64_t) head[CLIPPER_POLICY_ROWS + 1] : 0;
    out->rows = rows;

    return NGX_OK;
}


static ngx_int_t
ngx_http_clipper_state_text_numbers(redisReply **element, ngx_uint_t n,
    double *value)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_http_clipper_state_text_number(element[i], &value[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_state_text_number(redisReply *reply, double *value)
{
    char  *end;

    if (reply->type == REDIS_REPLY_NIL) {
        *value = 0;
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    *value = strtod(reply->str, &end);

    return end != reply->str && (*end == '\0' || *end == ' ')
           && *value >= 0 && !isinf(*value) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_clipper_state_text_error(const char *what, redisReply *reply)
{
    u_char                   buf[NGX_HTTP_CLIPPER_STATE_WORDS];
    uint64_t                 now_us;
    ngx_str_t                text;
    clipper_state_header_t  *h;

    static uint64_t          last_us;

    h = ngx_http_clipper_state_flow.table.header;
    (void) __atomic_fetch_add(&h->errors, 1, __ATOMIC_RELAXED);

    now_us = clipper_clock_us();

    if (last_us && now_us - last_us < NGX_HTTP_CLIPPER_STATE_LOG) {
        return;
    }

    last_us = now_us;

    ngx_str_set(&text, "an unexpected value");

    if (reply->type == REDIS_REPLY_ERROR) {
        text.data = (u_char *) reply->str;
        text.len = reply->len;
        clipper_plain_text(&text, buf, sizeof(buf));
    }

    ngx_log_error(NGX_LOG_ERR, ngx_http_clipper_state_flow.log, 0,
                  "redis \"%V\" answered %s with %V",
                  &ngx_http_clipper_state_flow.redis->address, what, &text);
}


/*
 * Prometheus' text format, written line by line into a chain of pages.  A
 * failed allocation is remembered and reported when the text ends.
 */


#include "http/ngx_http_clipper_prometheus_text.h"
#include "json/clipper_json.h"


#define NGX_HTTP_CLIPPER_PROMETHEUS_PAGE  16384

/* the longest line */
#define NGX_HTTP_CLIPPER_PROMETHEUS_LINE                                      \
    (NGX_HTTP_CLIPPER_PROMETHEUS_LABELS + 512)


static ngx_buf_t *ngx_http_clipper_prometheus_line(
    ngx_http_clipper_prometheus_t *p);
static u_char *ngx_http_clipper_prometheus_sample(
    ngx_http_clipper_prometheus_t *p, u_char *dst, const char *suffix,
    const ngx_str_t *labels);


/* the page for the next line; NULL: out of memory */

static ngx_buf_t *
ngx_http_clipper_prometheus_line(ngx_http_clipper_prometheus_t *p)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (p->failed) {
        return NULL;
    }

    if (p->last
        && p->last->buf->end - p->last->buf->last
           >= NGX_HTTP_CLIPPER_PROMETHEUS_LINE)
    {
        return p->last->buf;
    }

    b = ngx_create_temp_buf(p->pool, NGX_HTTP_CLIPPER_PROMETHEUS_PAGE);
    cl = ngx_alloc_chain_link(p->pool);

    if (b == NULL || cl == NULL) {
        p->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    if (p->last) {
        p->size += ngx_buf_size(p->last->buf);
        p->last->next = cl;

    } else {
        p->first = cl;
    }

    p->last = cl;

    return b;
}


void
ngx_http_clipper_prometheus_text_family(ngx_http_clipper_prometheus_t *p,
    const char *name, const char *type, const char *help)
{
    ngx_buf_t  *b;

    p->name = name;

    b = ngx_http_clipper_prometheus_line(p);

    if (b) {
        b->last = ngx_slprintf(b->last, b->end,
                               "# HELP %s %s\n# TYPE %s %s\n",
                               name, help, name, type);
    }
}


static u_char *
ngx_http_clipper_prometheus_sample(ngx_http_clipper_prometheus_t *p,
    u_char *dst, const char *suffix, const ngx_str_t *labels)
{
    dst = ngx_cpymem(dst, p->name, ngx_strlen(p->name));
    dst = ngx_cpymem(dst, suffix, ngx_strlen(suffix));

    if (labels && labels->len) {
        *dst++ = '{';
        dst = ngx_cpymem(dst, labels->data, labels->len);
        *dst++ = '}';
    }

    *dst++ = ' ';

    return dst;
}


void
ngx_http_clipper_prometheus_text_count(ngx_http_clipper_prometheus_t *p,
    const char *suffix, const ngx_str_t *labels, uint64_t value)
{
    ngx_buf_t  *b;

    b = ngx_http_clipper_prometheus_line(p);

    if (b) {
        b->last = ngx_http_clipper_prometheus_sample(p, b->last, suffix,
                                                     labels);
        b->last = ngx_slprintf(b->last, b->end, "%uL\n", value);
    }
}


void
ngx_http_clipper_prometheus_text_real(ngx_http_clipper_prometheus_t *p,
    const ngx_str_t *labels, double value)
{
    ngx_buf_t  *b;

    b = ngx_http_clipper_prometheus_line(p);

    if (b) {
        b->last = ngx_http_clipper_prometheus_sample(p, b->last, "", labels);
        b->last = clipper_json_double(b->last, value);
        *b->last++ = '\n';
    }
}


void
ngx_http_clipper_prometheus_text_seconds(ngx_http_clipper_prometheus_t *p,
    const char *suffix, const ngx_str_t *labels, uint64_t us)
{
    ngx_buf_t  *b;

    b = ngx_http_clipper_prometheus_line(p);

    if (b) {
        b->last = ngx_http_clipper_prometheus_sample(p, b->last, suffix,
                                                     labels);
        b->last = ngx_slprintf(b->last, b->end, "%uL.%06uL\n",
                               us / 1000000, us % 1000000);
    }
}


void
ngx_http_clipper_prometheus_text_label(ngx_str_t *labels, const char *key,
    const u_char *value, size_t len)
{
    u_char  *p;
    size_t   i;

    p = labels->data + labels->len;

    if (labels->len) {
        *p++ = ',';
    }

    p = ngx_cpymem(p, key, ngx_strlen(key));
    *p++ = '=';
    *p++ = '"';

    for (i = 0; i < len; i++) {

        if (value[i] == '\\' || value[i] == '"') {
            *p++ = '\\';
            *p++ = value[i];

        } else if (value[i] == '\n') {
            *p++ = '\\';
            *p++ = 'n';

        } else {
            *p++ = value[i];
        }
    }

    *p++ = '"';

    labels->len = p - labels->data;
}


/*
 * JSON documents, see the header.
 */


#include "http/ngx_http_clipper_document.h"
#include "json/clipper_json.h"


#define NGX_HTTP_CLIPPER_DOCUMENT_SIZE  4096


static u_char *ngx_http_clipper_document_room(ngx_http_clipper_document_t *d,
    size_t len);
static void ngx_http_clipper_document_key(ngx_http_clipper_document_t *d,
    const char *key);
static void ngx_http_clipper_document_raw(ngx_http_clipper_document_t *d,
    const char *key, const char *text, size_t len);


void
ngx_http_clipper_document_init(ngx_http_clipper_document_t *d,
    ngx_pool_t *pool)
{
    ngx_memzero(d, sizeof(ngx_http_clipper_document_t));

    d->pool = pool;
}


ngx_buf_t *
ngx_http_clipper_document_end(ngx_http_clipper_document_t *d)
{
    ngx_buf_t  *b;

    if (d->failed) {
        return NULL;
    }

    b = ngx_calloc_buf(d->pool);
    if (b == NULL) {
        return NULL;
    }

    b->start = d->start;
    b->pos = d->start;
    b->last = d->last;
    b->end = d->end;
    b->temporary = 1;

    return b;
}


/* at least len bytes at d->last; NULL: no memory, now or before */

static u_char *
ngx_http_clipper_document_room(ngx_http_clipper_document_t *d, size_t len)
{
    u_char  *start;
    size_t   size, used;

    if (d->failed) {
        return NULL;
    }

    if ((size_t) (d->end - d->last) >= len) {
        return d->last;
    }

    used = d->last - d->start;
    size = 2 * (d->end - d->start) + len;
    size = ngx_max(size, NGX_HTTP_CLIPPER_DOCUMENT_SIZE);

    start = ngx_pnalloc(d->pool, size);
    if (start == NULL) {
        d->failed = 1;
        return NULL;
    }

    if (used) {
        ngx_memcpy(start, d->start, used);
        (void) ngx_pfree(d->pool, d->start);
    }

    d->start = start;
    d->last = start + used;
    d->end = start + size;

    return d->last;
}


static void
ngx_http_clipper_document_key(ngx_http_clipper_document_t *d, const char *key)
{
    u_char  *p;
    size_t   len;

    len = key ? ngx_strlen(key) : 0;

    p = ngx_http_clipper_document_room(d, len + sizeof(",\"\":") - 1);
    if (p == NULL) {
        return;
    }

    if (d->comma) {
        *p++ = ',';
    }

    if (key) {
        *p++ = '"';
        p = ngx_cpymem(p, key, len);
        *p++ = '"';
        *p++ = ':';
    }

    d->last = p;
    d->comma = 1;
}


static void
ngx_http_clipper_document_raw(ngx_http_clipper_document_t *d, const char *key,
    const char *text, size_t len)
{
    u_char  *p;

    ngx_http_clipper_document_key(d, key);

    p = ngx_http_clipper_document_room(d, len);

    if (p) {
        d->last = ngx_cpymem(p, text, len);
    }
}


void
ngx_http_clipper_document_open(ngx_http_clipper_document_t *d,
    const char *key, u_char bracket)
{
    ngx_http_clipper_document_raw(d, key, (char *) &bracket, 1);

    d->comma = 0;
}


void
ngx_http_clipper_document_close(ngx_http_clipper_document_t *d,
    u_char bracket)
{
    d->comma = 0;

    ngx_http_clipper_document_raw(d, NULL, (char *) &bracket, 1);
}


void
ngx_http_clipper_document_number(ngx_http_clipper_document_t *d,
    const char *key, uint64_t value)
{
    u_char  text[CLIPPER_JSON_U64_LEN];
    size_t  len;

    len = clipper_json_u64(text, value) - text;

    ngx_http_clipper_document_raw(d, key, (char *) text, len);
}


void
ngx_http_clipper_document_real(ngx_http_clipper_document_t *d,
    const char *key, double value)
{
    u_char  text[CLIPPER_JSON_DOUBLE_LEN];
    size_t  len;

    len = clipper_json_double(text, value) - text;

    ngx_http_clipper_document_raw(d, key, (char *) text, len);
}


void
ngx_http_clipper_document_flag(ngx_http_clipper_document_t *d,
    const char *key, ngx_uint_t value)
{
    if (value) {
        ngx_http_clipper_document_raw(d, key, "true", 4);

    } else {
        ngx_http_clipper_document_raw(d, key, "false", 5);
    }
}


void
ngx_http_clipper_document_null(ngx_http_clipper_document_t *d, const char *key)
{
    ngx_http_clipper_document_raw(d, key, "null", 4);
}


void
ngx_http_clipper_document_string(ngx_http_clipper_document_t *d,
    const char *key, const ngx_str_t *value)
{
    u_char  *p;

    if (value == NULL || value->data == NULL) {
        ngx_http_clipper_document_null(d, key);
        return;
    }

    ngx_http_clipper_document_key(d, key);

    p = ngx_http_clipper_document_room(d,
             clipper_json_string_len(value->data, value->len));

    if (p) {
        d->last = clipper_json_string(p, value->data, value->len);
    }
}


void
ngx_http_clipper_document_text(ngx_http_clipper_document_t *d,
    const char *key, const void *value)
{
    ngx_str_t  text;

    text.data = (u_char *) value;
    text.len = ngx_strlen(value);

    ngx_http_clipper_document_string(d, key, &text);
}


void
ngx_http_clipper_document_bytes(ngx_http_clipper_document_t *d,
    const char *key, u_char *data, size_t len)
{
    u_char  *p;

    if (len == 0) {
        ngx_http_clipper_document_null(d, key);
        return;
    }

    ngx_http_clipper_document_key(d, key);

    p = ngx_http_clipper_document_room(d, 2 * len + 2);

    if (p) {
        *p++ = '"';
        p = ngx_hex_dump(p, data, len);
        *p++ = '"';

        d->last = p;
    }
}

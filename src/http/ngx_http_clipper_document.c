
/*
 * JSON documents, see the header.
 */


#include "http/ngx_http_clipper_document.h"
#include "json/clipper_json.h"
#include <math.h>


static void ngx_http_clipper_document_add(ngx_http_clipper_document_t *d,
    const char *key, json_t *value);
static json_t *ngx_http_clipper_document_mend(ngx_http_clipper_document_t *d,
    const ngx_str_t *value);


void
ngx_http_clipper_document_init(ngx_http_clipper_document_t *d,
    ngx_pool_t *pool)
{
    ngx_memzero(d, sizeof(ngx_http_clipper_document_t));

    d->pool = pool;
    d->digits = NGX_HTTP_CLIPPER_DOCUMENT_DIGITS;
}


ngx_buf_t *
ngx_http_clipper_document_end(ngx_http_clipper_document_t *d)
{
    char       *text;
    size_t      len;
    ngx_buf_t  *b;

    text = NULL;
    b = NULL;

    if (!d->failed) {
        text = json_dumps(d->root, JSON_COMPACT|JSON_REAL_PRECISION(d->digits));
    }

    json_decref(d->root);
    d->root = NULL;

    if (text) {
        len = ngx_strlen(text);
        b = ngx_create_temp_buf(d->pool, len + 1);

        if (b) {
            b->last = ngx_cpymem(b->last, text, len);
            *b->last++ = LF;
        }

        free(text);
    }

    return b;
}


/* takes the value; NULL: there was no memory for it */

static void
ngx_http_clipper_document_add(ngx_http_clipper_document_t *d, const char *key,
    json_t *value)
{
    int      rc;
    json_t  *parent;

    if (value == NULL) {
        d->failed = 1;
    }

    if (d->failed) {
        json_decref(value);
        return;
    }

    if (d->n == 0) {
        d->root = value;
        return;
    }

    parent = d->open[d->n - 1];

    rc = key ? json_object_set_new_nocheck(parent, key, value)
             : json_array_append_new(parent, value);

    if (rc != 0) {
        d->failed = 1;
    }
}


void
ngx_http_clipper_document_open(ngx_http_clipper_document_t *d,
    const char *key, u_char bracket)
{
    json_t  *value;

    if (d->n == NGX_HTTP_CLIPPER_DOCUMENT_DEPTH) {
        d->failed = 1;
    }

    value = (bracket == '{') ? json_object() : json_array();

    ngx_http_clipper_document_add(d, key, value);

    if (!d->failed) {
        d->open[d->n++] = value;
    }
}


void
ngx_http_clipper_document_close(ngx_http_clipper_document_t *d)
{
    if (!d->failed) {
        d->n--;
    }
}


void
ngx_http_clipper_document_number(ngx_http_clipper_document_t *d,
    const char *key, uint64_t value)
{
    value = ngx_min(value, (uint64_t) INT64_MAX);

    ngx_http_clipper_document_add(d, key, json_integer((json_int_t) value));
}


void
ngx_http_clipper_document_real(ngx_http_clipper_document_t *d,
    const char *key, double value)
{
    ngx_uint_t  digits;

    if (!isfinite(value)) {
        ngx_http_clipper_document_null(d, key);
        return;
    }

    /* as few digits as read back to all the numbers of the document */

    digits = clipper_json_digits(value);
    d->digits = ngx_max(d->digits, digits);

    ngx_http_clipper_document_add(d, key, json_real(value));
}


void
ngx_http_clipper_document_flag(ngx_http_clipper_document_t *d,
    const char *key, ngx_uint_t value)
{
    ngx_http_clipper_document_add(d, key, json_boolean(value));
}


void
ngx_http_clipper_document_null(ngx_http_clipper_document_t *d, const char *key)
{
    ngx_http_clipper_document_add(d, key, json_null());
}


void
ngx_http_clipper_document_string(ngx_http_clipper_document_t *d,
    const char *key, const ngx_str_t *value)
{
    json_t  *string;

    if (value == NULL || value->data == NULL) {
        ngx_http_clipper_document_null(d, key);
        return;
    }

    string = json_stringn((char *) value->data, value->len);

    if (string == NULL) {
        string = ngx_http_clipper_document_mend(d, value);
    }

    ngx_http_clipper_document_add(d, key, string);
}


/* jansson refuses what is not UTF-8; answers have U+FFFD in its place */

static json_t *
ngx_http_clipper_document_mend(ngx_http_clipper_document_t *d,
    const ngx_str_t *value)
{
    u_char  *text, *last;
    json_t  *string;

    text = ngx_pnalloc(d->pool, clipper_json_string_len(value->data,
                                                        value->len));
    if (text == NULL) {
        return NULL;
    }

    last = clipper_json_string(text, value->data, value->len);

    string = json_loadb((char *) text, last - text,
                        JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    (void) ngx_pfree(d->pool, text);

    return string;
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
    u_char     text[2 * NGX_HTTP_CLIPPER_DOCUMENT_BYTES];
    ngx_str_t  hex;

    if (len == 0) {
        ngx_http_clipper_document_null(d, key);
        return;
    }

    len = ngx_min(len, NGX_HTTP_CLIPPER_DOCUMENT_BYTES);

    hex.data = text;
    hex.len = ngx_hex_dump(text, data, len) - text;

    ngx_http_clipper_document_string(d, key, &hex);
}

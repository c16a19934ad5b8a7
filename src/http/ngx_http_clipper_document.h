
/*
 * A JSON document for operators: jansson's tree, made piece by piece, and
 * written at the end.  A failed allocation is remembered and reported by
 * ngx_http_clipper_document_end(), which frees the tree and so must be called
 * for every document.  Keys are literals, NULL inside an array.
 */


#ifndef _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_HTTP_CLIPPER_DOCUMENT_DEPTH   8
#define NGX_HTTP_CLIPPER_DOCUMENT_BYTES   64
#define NGX_HTTP_CLIPPER_DOCUMENT_DIGITS  15    /* any decimal survives */


typedef struct {
    ngx_pool_t  *pool;
    json_t      *root;
    json_t      *open[NGX_HTTP_CLIPPER_DOCUMENT_DEPTH];
    ngx_uint_t   n;                /* of open, the innermost last */
    ngx_uint_t   digits;           /* of real numbers */
    unsigned     failed:1;
} ngx_http_clipper_document_t;


void ngx_http_clipper_document_init(ngx_http_clipper_document_t *d,
    ngx_pool_t *pool);

/* the whole of it and a newline; NULL: no memory */
ngx_buf_t *ngx_http_clipper_document_end(ngx_http_clipper_document_t *d);

/* '{' or '[' opens */
void ngx_http_clipper_document_open(ngx_http_clipper_document_t *d,
    const char *key, u_char bracket);
void ngx_http_clipper_document_close(ngx_http_clipper_document_t *d);

/* numbers beyond INT64_MAX are written as INT64_MAX */
void ngx_http_clipper_document_number(ngx_http_clipper_document_t *d,
    const char *key, uint64_t value);
void ngx_http_clipper_document_real(ngx_http_clipper_document_t *d,
    const char *key, double value);
void ngx_http_clipper_document_flag(ngx_http_clipper_document_t *d,
    const char *key, ngx_uint_t value);
void ngx_http_clipper_document_null(ngx_http_clipper_document_t *d,
    const char *key);

/* any bytes; an empty string with no data is null */
void ngx_http_clipper_document_string(ngx_http_clipper_document_t *d,
    const char *key, const ngx_str_t *value);

/* the same for a string that ends with a NUL */
void ngx_http_clipper_document_text(ngx_http_clipper_document_t *d,
    const char *key, const void *value);

/* in hexadecimal, at most NGX_HTTP_CLIPPER_DOCUMENT_BYTES; null for none */
void ngx_http_clipper_document_bytes(ngx_http_clipper_document_t *d,
    const char *key, u_char *data, size_t len);


#endif /* _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_ */

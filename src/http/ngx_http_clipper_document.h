
/*
 * A JSON document that is written piece by piece into a buffer that grows in
 * a pool.  Commas are put where they belong; a failed allocation is remembered
 * and told by the end.  Keys are literals, NULL inside an array.
 */


#ifndef _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_pool_t  *pool;
    u_char      *start;
    u_char      *last;
    u_char      *end;
    unsigned     comma:1;          /* before the next member */
    unsigned     failed:1;
} ngx_http_clipper_document_t;


void ngx_http_clipper_document_init(ngx_http_clipper_document_t *d,
    ngx_pool_t *pool);

/* the whole of it; NULL: no memory */
ngx_buf_t *ngx_http_clipper_document_end(ngx_http_clipper_document_t *d);

/* '{' or '[' opens, '}' or ']' closes */
void ngx_http_clipper_document_open(ngx_http_clipper_document_t *d,
    const char *key, u_char bracket);
void ngx_http_clipper_document_close(ngx_http_clipper_document_t *d,
    u_char bracket);

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

/* the same of a string that ends with a NUL */
void ngx_http_clipper_document_text(ngx_http_clipper_document_t *d,
    const char *key, const void *value);

/* hexadecimal; null when there are none */
void ngx_http_clipper_document_bytes(ngx_http_clipper_document_t *d,
    const char *key, u_char *data, size_t len);


#endif /* _NGX_HTTP_CLIPPER_DOCUMENT_H_INCLUDED_ */


/*
 * Responses: answers, errors and texts, each as one buffer with its length.
 * What is JSON ends with a newline.
 *
 * The return code is for ngx_http_finalize_request().  The body of the request
 * must have been read or discarded before.
 */


#ifndef _NGX_HTTP_CLIPPER_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RESPONSE_H_INCLUDED_


#include "query/ngx_http_clipper_query.h"


/* {"query_id":..., "output":..., ...}, or an array of these for a batch */
ngx_int_t ngx_http_clipper_response_answers(ngx_http_request_t *r,
    ngx_http_clipper_query_t *query, ngx_uint_t batch);

/* {"error":..., "cause":...} */
ngx_int_t ngx_http_clipper_response_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *error, ngx_str_t *cause);

/* the same as a buffer that is not sent; NULL: out of memory */
ngx_buf_t *ngx_http_clipper_response_error_buf(ngx_pool_t *pool,
    const char *error, ngx_str_t *cause);

/* sends a buffer as the whole body */
ngx_int_t ngx_http_clipper_response_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_buf_t *b);

/* marks the response as application/json of the given length */
void ngx_http_clipper_response_type(ngx_http_request_t *r, off_t length);


#endif /* _NGX_HTTP_CLIPPER_RESPONSE_H_INCLUDED_ */

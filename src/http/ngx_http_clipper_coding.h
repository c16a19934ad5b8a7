
/*
 * What the headers of a request say about the form of its body.
 */


#ifndef _NGX_HTTP_CLIPPER_CODING_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CODING_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/*
 * The Content-Encoding: 0 for none, CLIPPER_INFLATE_*, or NGX_DECLINED for any
 * other.
 */
ngx_int_t ngx_http_clipper_coding(ngx_http_request_t *r);

/* the Content-Type: 0 for JSON, or CLIPPER_INPUT_BINARY_* */
ngx_uint_t ngx_http_clipper_coding_form(ngx_http_request_t *r);

/*
 * What the arguments of the request say about a body that is not JSON.  batch:
 * the number of inputs, CLIPPER_INPUT_NONE for a single one.  NGX_DECLINED:
 * "batch" is not a number; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_clipper_coding_batch(ngx_http_request_t *r,
    ngx_uint_t *batch);
ngx_int_t ngx_http_clipper_coding_member(ngx_http_request_t *r,
    const char *name, clipper_member_t *member);


#endif /* _NGX_HTTP_CLIPPER_CODING_H_INCLUDED_ */

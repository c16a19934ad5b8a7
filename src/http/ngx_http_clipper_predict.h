
/*
 * The content handler of an application: POST <location>/predict and
 * <location>/update.  It reads the body, scans it, starts the query and sends
 * the result.  All its errors are JSON.
 */


#ifndef _NGX_HTTP_CLIPPER_PREDICT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_PREDICT_H_INCLUDED_


#include "http/ngx_http_clipper_ctx.h"


ngx_int_t ngx_http_clipper_predict_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CLIPPER_PREDICT_H_INCLUDED_ */


/*
 * POST <location>/update: feedback over HTTP.
 */


#ifndef _NGX_HTTP_CLIPPER_UPDATE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_UPDATE_H_INCLUDED_


#include "http/ngx_http_clipper_ctx.h"


/*
 * Call it with the scanned body.  Returns the code to finalize the request
 * with; NGX_AGAIN: it finalizes the request later; NGX_DECLINED: in->error says
 * why the feedback is refused.
 */
ngx_int_t ngx_http_clipper_update(ngx_http_request_t *r,
    ngx_http_clipper_ctx_t *ctx, clipper_input_t *in);


#endif /* _NGX_HTTP_CLIPPER_UPDATE_H_INCLUDED_ */

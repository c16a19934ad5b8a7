
/*
 * The models of an application that fail on their inputs, as told by its
 * health.
 */


#ifndef _NGX_HTTP_CLIPPER_FAILURE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FAILURE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/*
 * The health of an application with models that fail: its document, and in
 * *all whether no model has ever answered.  NGX_DECLINED: none fails;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_clipper_failure_health(ngx_pool_t *pool,
    ngx_http_clipper_app_t *app, ngx_buf_t **document, ngx_uint_t *all);


#endif /* _NGX_HTTP_CLIPPER_FAILURE_H_INCLUDED_ */

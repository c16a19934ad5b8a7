
/*
 * The variables $clipper_app, $clipper_query_id, ...: the result of a query,
 * for logs and headers.  In a request with several inputs they are lists.
 */


#ifndef _NGX_HTTP_CLIPPER_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_VARIABLES_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


ngx_int_t ngx_http_clipper_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CLIPPER_VARIABLES_H_INCLUDED_ */

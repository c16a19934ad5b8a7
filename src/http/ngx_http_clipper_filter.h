
/*
 * Errors that nginx itself answers in a location of the module (a body that is
 * too large, access denied, too many requests, ...) become JSON as those of
 * the module are.  What "error_page" or "return" answer is left as
 * the operator wrote it.
 */


#ifndef _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


ngx_int_t ngx_http_clipper_filter_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_ */

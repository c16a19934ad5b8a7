
/*
 * Turns the errors that nginx itself sends in a location of the module (body
 * too large, access denied, too many requests, ...) into JSON, like those of
 * the module.  Responses of "error_page" and "return" stay as the operator
 * wrote them.  The responses of a retiring worker say that it closes the
 * connection.
 */


#ifndef _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


ngx_int_t ngx_http_clipper_filter_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CLIPPER_FILTER_H_INCLUDED_ */

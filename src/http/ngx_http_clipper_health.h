
/*
 * clipper_health: 200 while the server answers.  With ?app=NAME, 503 while no
 * model of the application has a live replica, 404 if it is unknown.
 */


#ifndef _NGX_HTTP_CLIPPER_HEALTH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_HEALTH_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


ngx_int_t ngx_http_clipper_health_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CLIPPER_HEALTH_H_INCLUDED_ */


/*
 * clipper_status: the state of the server as JSON.  Rows of shared memory are
 * copied under the mutex, a few at a time, and written without it.
 */


#ifndef _NGX_HTTP_CLIPPER_STATUS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATUS_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "http/ngx_http_clipper_document.h"
#include "shm/clipper_table.h"


ngx_int_t ngx_http_clipper_status_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CLIPPER_STATUS_H_INCLUDED_ */


/*
 * A request to a container: the frames of its codec for the inputs on lease.
 */


#ifndef _NGX_HTTP_CLIPPER_REQUEST_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REQUEST_H_INCLUDED_


#include "replica/ngx_http_clipper_replica_type.h"


/*
 * Sends the inputs on lease, or a probe without any.  NGX_DECLINED: the
 * connection is gone; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_clipper_request_send(ngx_http_clipper_replica_t *replica,
    clipper_proto_request_e kind);


#endif /* _NGX_HTTP_CLIPPER_REQUEST_H_INCLUDED_ */

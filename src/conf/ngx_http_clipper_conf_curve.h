
/*
 * The keys of an address of clipper_rpc: curve_key=FILE and
 * curve_clients=DIRECTORY|FILE.
 *
 * The files are certificates in the format of CZMQ and zmq.auth.  All are read
 * here, so a reload picks up what has changed.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_CURVE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_CURVE_H_INCLUDED_


#include "conf/ngx_http_clipper_conf_peer.h"


/*
 * A parameter of the directive.  NGX_DECLINED: it is another one; errors are
 * logged.
 */
ngx_int_t ngx_http_clipper_conf_curve(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint, ngx_str_t *value);

/* after the last parameter: both must be set, or neither */
ngx_int_t ngx_http_clipper_conf_curve_check(ngx_conf_t *cf,
    ngx_http_clipper_endpoint_t *endpoint);

/* whether a client with this public key may connect */
ngx_uint_t ngx_http_clipper_conf_curve_knows(
    const ngx_http_clipper_curve_t *curve, const u_char *key);


#endif /* _NGX_HTTP_CLIPPER_CONF_CURVE_H_INCLUDED_ */

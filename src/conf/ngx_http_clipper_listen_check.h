
/*
 * Whether an address of clipper_rpc can be listened on: what nginx would find
 * only when it opens the sockets is told while the configuration is read, with
 * its place.
 */


#ifndef _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* postconfiguration: no address is also one of "listen" */
ngx_int_t ngx_http_clipper_listen_check(ngx_conf_t *cf);

/* whether one more address can be listened on; logs why not */
ngx_int_t ngx_http_clipper_listen_check_judge(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_endpoint_t *common,
    ngx_addr_t *addr);

/*
 * Whether the server whose configuration is tested runs.  "nginx -t" goes on
 * when an address is in use, since it usually is by that server; when there is
 * none, it is by somebody else.
 */
ngx_uint_t ngx_http_clipper_listen_check_running(ngx_core_conf_t *ccf);


#endif /* _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_ */


/*
 * The listening sockets that model containers connect to.  They belong to
 * nginx's cycle, so binding, reload, upgrade and "nginx -t" are nginx's own;
 * but nginx never accepts on them: each worker gives a duplicate of the
 * endpoint's fd to its ROUTER.
 */


#ifndef _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* setter of clipper_rpc */
char *ngx_http_clipper_listen_rpc(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* postconfiguration: no address is also one of "listen" */
ngx_int_t ngx_http_clipper_listen_check(ngx_conf_t *cf);

/* init_module: endpoints learn their fd, nginx is told not to accept */
ngx_int_t ngx_http_clipper_listen_init(ngx_cycle_t *cycle);


/* --- between the files of this part --- */

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


#endif /* _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_ */

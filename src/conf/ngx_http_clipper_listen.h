
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

/* init_module: endpoints learn their fd, nginx is told not to accept */
ngx_int_t ngx_http_clipper_listen_init(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_ */

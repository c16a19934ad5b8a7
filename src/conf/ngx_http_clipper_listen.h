
/*
 * The listening sockets that model containers connect to.
 *
 * They belong to nginx's cycle, so nginx does binding, reload, upgrade and
 * "nginx -t".  nginx never accepts on them: each worker gives a duplicate of
 * the descriptor to its ROUTER.
 */


#ifndef _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* setter of clipper_rpc */
char *ngx_http_clipper_listen_rpc(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* init_module: endpoints get their fd, nginx is kept from accepting */
ngx_int_t ngx_http_clipper_listen_init(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_CLIPPER_LISTEN_H_INCLUDED_ */

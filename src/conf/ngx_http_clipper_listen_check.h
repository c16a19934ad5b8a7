
/*
 * Checks that an address of clipper_rpc can be listened on.  nginx would find
 * this only when it opens the sockets; here it is reported while the
 * configuration is read, with file and line.
 */


#ifndef _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* postconfiguration: "listen" must not use the same address */
ngx_int_t ngx_http_clipper_listen_check(ngx_conf_t *cf);

/* checks that one more address can be listened on; logs the reason if not */
ngx_int_t ngx_http_clipper_listen_check_judge(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf, ngx_http_clipper_endpoint_t *common,
    ngx_addr_t *addr);

/*
 * Returns whether the server whose configuration is tested is running.  "nginx
 * -t" tolerates an address in use, because that server usually holds it;
 * without such a server another program does.
 */
ngx_uint_t ngx_http_clipper_listen_check_running(ngx_core_conf_t *ccf);

/* init_module: warns if HTTP and containers cannot both have descriptors */
void ngx_http_clipper_listen_check_files(ngx_cycle_t *cycle,
    ngx_core_conf_t *ccf);

/* warns if the zone has too few rows for all workers during a reload */
void ngx_http_clipper_listen_check_workers(ngx_core_conf_t *ccf,
    ngx_http_clipper_main_conf_t *mcf);


#endif /* _NGX_HTTP_CLIPPER_LISTEN_CHECK_H_INCLUDED_ */

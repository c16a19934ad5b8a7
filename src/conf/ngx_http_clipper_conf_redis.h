
/*
 * The clipper_redis directive.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_REDIS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_REDIS_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


char *ngx_http_clipper_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CLIPPER_CONF_REDIS_H_INCLUDED_ */


/*
 * The clipper_model block.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_MODEL_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_MODEL_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


char *ngx_http_clipper_conf_model(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CLIPPER_CONF_MODEL_H_INCLUDED_ */


/*
 * Handles the messages of containers, from registration to disconnection:
 * passes them to the registry, the dispatch, or the log.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_MESSAGE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* opens the sockets; NGX_OK even if no address is configured */
ngx_int_t ngx_http_clipper_replica_message_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf);
void ngx_http_clipper_replica_message_done(void);


#endif /* _NGX_HTTP_CLIPPER_REPLICA_MESSAGE_H_INCLUDED_ */

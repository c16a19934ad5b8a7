
/*
 * Whether this worker takes new clients.  One that could serve little leaves
 * them to other workers of the same sockets; a socket of its own ("reuseport")
 * gets clients in any case, and takes them.
 */


#ifndef _NGX_HTTP_CLIPPER_ACCEPT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_ACCEPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


void ngx_http_clipper_accept_pause(ngx_cycle_t *cycle);

/* nothing happens without a pause */
void ngx_http_clipper_accept_resume(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_CLIPPER_ACCEPT_H_INCLUDED_ */

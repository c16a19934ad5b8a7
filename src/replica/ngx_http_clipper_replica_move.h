
/*
 * The end of a worker: its containers move to another one, so that a reload
 * costs no answer.  Version 4 is told to connect anew and lets go of the old
 * connection when it is ready on the new one.  Version 3 only notices that it
 * was disconnected: one goes after the other, while the others carry the load.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a graceful exit began: have them connect to another worker; now: at once */
void ngx_http_clipper_replica_move_retire(ngx_uint_t now);
void ngx_http_clipper_replica_move_done(void);


#endif /* _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_ */


/*
 * The end of a worker: its containers move to another worker, so that a reload
 * loses no answer.
 *
 * A version 4 container gets MOVE: it connects again and closes the old
 * connection when it is ready on the new one.  A version 3 container only
 * notices that it is disconnected.  Those of a model move one by one, whichever
 * workers have them, and each at most once a minute: until then its worker
 * serves it, retiring.  A worker without replicas ends at once.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* at a graceful exit: moves all containers to other workers; now: at once */
void ngx_http_clipper_replica_move_retire(ngx_uint_t now);
void ngx_http_clipper_replica_move_done(void);


#endif /* _NGX_HTTP_CLIPPER_REPLICA_MOVE_H_INCLUDED_ */


/*
 * Between the queues and the replicas of this worker: takes a batch for an
 * idle one, sends it, settles what comes back.
 */


#ifndef _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_


#include "replica/ngx_http_clipper_replica.h"


/*
 * What is sent here may find that the replica is gone: unless NGX_OK the
 * caller ends it.  NGX_DECLINED: its connection is closed; NGX_ERROR: there is
 * no memory to serve it.
 */

/* gives it work if it is idle and there is some */
ngx_int_t ngx_http_clipper_dispatch_one(ngx_http_clipper_replica_t *replica);

/* asks a replica that has just joined whether it is ready */
ngx_int_t ngx_http_clipper_dispatch_probe(ngx_http_clipper_replica_t *replica);

/*
 * The reply to the batch in flight, or NULL: it was unusable and all its
 * inputs end as errors.  The replica is idle afterwards and may get the next
 * batch at once.
 */
ngx_int_t ngx_http_clipper_dispatch_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *reply);

/* the reply to a replica's batch is late: others may have the inputs, too */
void ngx_http_clipper_dispatch_hedge(void *replica);

/* under the zone's lock: it is idle and has queued work to look at */
ngx_uint_t ngx_http_clipper_dispatch_due_locked(
    ngx_http_clipper_replica_t *replica);


#endif /* _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_ */

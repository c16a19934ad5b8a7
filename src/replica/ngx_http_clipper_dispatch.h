
/*
 * Between the queues and the replicas of this worker: takes a batch for an
 * idle replica, sends it, and settles the reply.
 */


#ifndef _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_


#include "replica/ngx_http_clipper_replica_type.h"


/*
 * A send may find that the replica is gone; unless it returns NGX_OK the
 * caller removes the replica.  NGX_DECLINED: the connection is closed;
 * NGX_ERROR: out of memory.
 */

/* gives the replica work if it is idle and work is queued */
ngx_int_t ngx_http_clipper_dispatch_one(ngx_http_clipper_replica_t *replica);

/* probes a replica that has just registered */
ngx_int_t ngx_http_clipper_dispatch_probe(ngx_http_clipper_replica_t *replica);

/*
 * Settles the batch in flight with a reply, or with NULL: the reply was
 * unusable and all inputs end as errors.  The replica is idle afterwards and
 * may get its next batch at once.
 */
ngx_int_t ngx_http_clipper_dispatch_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *reply);

/* the reply is late: other replicas may take the inputs, too */
void ngx_http_clipper_dispatch_hedge(void *replica);

/* under the zone's lock: whether it is idle and work is queued for it */
ngx_uint_t ngx_http_clipper_dispatch_due_locked(
    ngx_http_clipper_replica_t *replica);


#endif /* _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_ */

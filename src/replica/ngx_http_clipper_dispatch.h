
/*
 * Between the queues and the replicas of this worker: takes a batch for each
 * idle one, sends it, settles what comes back.
 */


#ifndef _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_


#include "replica/ngx_http_clipper_replica.h"


/* gives work to every idle replica of this worker that there is some for */
void ngx_http_clipper_dispatch_all(void);

/* the same for one */
void ngx_http_clipper_dispatch_one(ngx_http_clipper_replica_t *replica);

/* asks a replica that has just joined whether it is ready */
void ngx_http_clipper_dispatch_probe(ngx_http_clipper_replica_t *replica);

/*
 * The reply to the batch in flight, or NULL: it was unusable and all its
 * inputs end as errors.  The replica is idle afterwards and may get the next
 * batch at once.
 */
void ngx_http_clipper_dispatch_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *reply);

/* the reply to a replica's batch is late: others may have the inputs, too */
void ngx_http_clipper_dispatch_hedge(void *replica);

/*
 * Sends the inputs on lease, or a probe without any; unless NGX_OK the
 * connection is gone (ngx_http_clipper_request.c).
 */
ngx_int_t ngx_http_clipper_request_send(ngx_http_clipper_replica_t *replica,
    clipper_proto_request_e kind);

/* under the zone's lock: an idle replica here has queued work to look at */
ngx_uint_t ngx_http_clipper_dispatch_due_locked(void);


#endif /* _NGX_HTTP_CLIPPER_DISPATCH_H_INCLUDED_ */

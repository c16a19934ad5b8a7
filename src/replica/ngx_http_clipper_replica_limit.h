
/*
 * The longest time that a replica has for a batch: "batch_timeout".
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_LIMIT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_LIMIT_H_INCLUDED_


#include "replica/ngx_http_clipper_replica_type.h"


/* a batch is about to be sent: sets its limit, and when it counts as stuck */
void ngx_http_clipper_replica_limit_begin_locked(
    ngx_http_clipper_replica_t *replica, uint64_t now_us);

/* it was sent: the timer runs */
void ngx_http_clipper_replica_limit_watch(ngx_http_clipper_replica_t *replica);

/*
 * The timer: 1: the batch in flight has passed its limit.  0: it has time
 * left, or it was answered; the timer runs again if need be.
 */
ngx_uint_t ngx_http_clipper_replica_limit_passed(
    ngx_http_clipper_replica_t *replica);


#endif /* _NGX_HTTP_CLIPPER_REPLICA_LIMIT_H_INCLUDED_ */


/*
 * The containers connected to this worker: their registration, their liveness,
 * their work.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_


#include "replica/ngx_http_clipper_replica_type.h"


ngx_int_t ngx_http_clipper_replica_init(ngx_cycle_t *cycle);
void ngx_http_clipper_replica_done(void);

/* gives work to every idle replica of this worker that has some queued */
void ngx_http_clipper_replica_work(void);

/* under the zone's lock: whether a replica is idle with work queued for it */
ngx_uint_t ngx_http_clipper_replica_due_locked(void);

/* NULL: not registered */
ngx_http_clipper_replica_t *ngx_http_clipper_replica_find(
    ngx_http_clipper_identity_t *id);

/* registers a container as it announced itself; NULL: no room or no memory */
ngx_http_clipper_replica_t *ngx_http_clipper_replica_create(
    ngx_http_clipper_identity_t *id, int fd, clipper_proto_message_t *m);

/* a connection was closed */
void ngx_http_clipper_replica_closed(int fd);

/* removes a replica: queues its batch again, frees its row and itself */
void ngx_http_clipper_replica_gone(ngx_http_clipper_replica_t *replica,
    const char *why);

/*
 * Call it after a send to the replica: removes and frees the replica unless rc
 * is NGX_OK.  Returns rc.
 */
ngx_int_t ngx_http_clipper_replica_check(ngx_http_clipper_replica_t *replica,
    ngx_int_t rc);

/* "name:version" of a replica, possibly written to buf, or "-" */
void ngx_http_clipper_replica_name(ngx_http_clipper_replica_t *replica,
    ngx_str_t *name, u_char *buf, size_t size);

/* all replicas of this worker, ngx_http_clipper_replica_t by .link */
extern ngx_queue_t  ngx_http_clipper_replicas;


#endif /* _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_ */

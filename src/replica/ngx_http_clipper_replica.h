
/*
 * The containers connected to this worker: their registration, their liveness,
 * their work.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "replica/ngx_http_clipper_rpc.h"
#include "worker/ngx_http_clipper_timer.h"
#include "shm/clipper_queue_lease.h"


typedef struct {
    ngx_str_node_t                         node;      /* by identity */
    ngx_queue_t                            link;      /* of this worker's */
    ngx_http_clipper_identity_t            id;
    int                                    fd;        /* -1: unknown */

    uint32_t                               row;       /* in the registry */
    uint32_t                               model;     /* row */
    const clipper_proto_codec_t           *codec;
    const ngx_http_clipper_tuning_t       *tuning;
    clipper_batch_conf_t                   batch;
    ngx_uint_t                             input_type;

    uint64_t                               active_us; /* of its last message */

    /* the request in flight */
    uint32_t                               message_id;
    uint64_t                               sent_us;
    clipper_lease_t                       *leases;
    ngx_uint_t                             nleases;   /* 0 also for a probe */
    ngx_uint_t                             room;      /* leases allocated */
    ngx_http_clipper_timer_t               wait;      /* for a fuller batch */
    ngx_http_clipper_timer_t               hedge;     /* for the reply */
    ngx_http_clipper_timer_t               limit;     /* of the reply */
    uint64_t                               limit_us;  /* longest time for it */

    unsigned                               in_flight:1;
    unsigned                               probing:1;
    unsigned                               reread:1;  /* the limit was seen
                                                         late: replies first */
    unsigned                               overdue:1; /* limit has passed */
    unsigned                               unsent:1;  /* its leases */

    /* while the worker retires */
    unsigned                               moving:1;  /* told, or its turn */
    uint64_t                               moved_us;  /* since when */
} ngx_http_clipper_replica_t;


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

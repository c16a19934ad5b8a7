
/*
 * The containers that are connected to this worker: who they are, whether they
 * live, and that they get work.
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
    int                                    fd;        /* -1: not known */

    uint32_t                               row;       /* of the registry */
    uint32_t                               model;     /* row */
    const clipper_proto_codec_t           *codec;
    const ngx_http_clipper_tuning_t       *tuning;
    clipper_batch_conf_t                   batch;
    ngx_uint_t                             input_type;

    uint64_t                               active_us; /* last message of it */

    /* the request in flight */
    uint32_t                               message_id;
    uint64_t                               sent_us;
    clipper_lease_t                       *leases;
    ngx_uint_t                             nleases;   /* 0 also for a probe */
    ngx_uint_t                             room;      /* leases allocated */
    ngx_http_clipper_timer_t               wait;      /* for a fuller batch */
    ngx_http_clipper_timer_t               hedge;     /* for the reply */

    unsigned                               in_flight:1;
    unsigned                               probing:1;

    /* the end of the worker (move) */
    unsigned                               moving:1;  /* was told, or chosen */
    uint64_t                               moved_us;  /* told; all were here */
    uint32_t                               members;   /* of version 3, before */
} ngx_http_clipper_replica_t;


ngx_int_t ngx_http_clipper_replica_init(ngx_cycle_t *cycle);
void ngx_http_clipper_replica_done(void);

/* gives work to every idle replica of this worker that there is some for */
void ngx_http_clipper_replica_work(void);

/* under the zone's lock: one of them is idle and has queued work to look at */
ngx_uint_t ngx_http_clipper_replica_due_locked(void);

/* NULL: it is not registered */
ngx_http_clipper_replica_t *ngx_http_clipper_replica_find(
    ngx_http_clipper_identity_t *id);

/* one more, as it announced itself; NULL: no room, or no memory */
ngx_http_clipper_replica_t *ngx_http_clipper_replica_create(
    ngx_http_clipper_identity_t *id, int fd, clipper_proto_message_t *m);

/* a connection came or was closed */
void ngx_http_clipper_replica_accepted(int fd);
void ngx_http_clipper_replica_closed(int fd);

/* it is gone: its batch is queued again, its row is free; frees it */
void ngx_http_clipper_replica_gone(ngx_http_clipper_replica_t *replica,
    const char *why);

/*
 * After something was sent to it: unless rc is NGX_OK it is gone, and freed.
 * Returns rc.
 */
ngx_int_t ngx_http_clipper_replica_check(ngx_http_clipper_replica_t *replica,
    ngx_int_t rc);

/* "name:version" of a replica, which may be written to buf, or "-" */
void ngx_http_clipper_replica_name(ngx_http_clipper_replica_t *replica,
    ngx_str_t *name, u_char *buf, size_t size);

/* all connected ones, ngx_http_clipper_replica_t by .link */
extern ngx_queue_t  ngx_http_clipper_replicas;


#endif /* _NGX_HTTP_CLIPPER_REPLICA_H_INCLUDED_ */

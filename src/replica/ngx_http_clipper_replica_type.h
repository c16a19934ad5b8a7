
/*
 * A container connected to this worker.
 */


#ifndef _NGX_HTTP_CLIPPER_REPLICA_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REPLICA_TYPE_H_INCLUDED_


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


#endif /* _NGX_HTTP_CLIPPER_REPLICA_TYPE_H_INCLUDED_ */

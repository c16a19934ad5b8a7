
/*
 * Connected containers: registration and liveness, see the header.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "replica/ngx_http_clipper_dispatch.h"
#include "replica/ngx_http_clipper_replica_limit.h"
#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "shm/clipper_registry.h"
#include "replica/ngx_http_clipper_replica.h"
#include "replica/ngx_http_clipper_rpc_peer.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_queue_lease.h"
#include "shm/clipper_registry_replica.h"


#define NGX_HTTP_CLIPPER_REPLICA_SWEEP    1000      /* ms */


static size_t ngx_http_clipper_replica_address(int fd, u_char *text,
    size_t size);
static void ngx_http_clipper_replica_wait(void *data);
static void ngx_http_clipper_replica_limited(void *data);
static void ngx_http_clipper_replica_sweep(ngx_event_t *ev);


ngx_queue_t  ngx_http_clipper_replicas;

static ngx_rbtree_t       ngx_http_clipper_replica_tree;    /* by identity */
static ngx_rbtree_node_t  ngx_http_clipper_replica_nobody;

static ngx_event_t        ngx_http_clipper_replica_sweeper;
static ngx_connection_t   ngx_http_clipper_replica_dummy;


ngx_int_t
ngx_http_clipper_replica_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_http_clipper_replicas);

    ngx_rbtree_init(&ngx_http_clipper_replica_tree,
                    &ngx_http_clipper_replica_nobody,
                    ngx_str_rbtree_insert_value);

    ngx_http_clipper_replica_dummy.fd = (ngx_socket_t) -1;

    ngx_http_clipper_replica_sweeper.handler = ngx_http_clipper_replica_sweep;
    ngx_http_clipper_replica_sweeper.data = &ngx_http_clipper_replica_dummy;
    ngx_http_clipper_replica_sweeper.log = cycle->log;
    ngx_http_clipper_replica_sweeper.cancelable = 1;

    return NGX_OK;
}


void
ngx_http_clipper_replica_done(void)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ngx_http_clipper_replicas)) {
        q = ngx_queue_head(&ngx_http_clipper_replicas);
        ngx_http_clipper_replica_gone(
            ngx_queue_data(q, ngx_http_clipper_replica_t, link),
            "worker exits");
    }

    if (ngx_http_clipper_replica_sweeper.timer_set) {
        ngx_del_timer(&ngx_http_clipper_replica_sweeper);
    }
}


void
ngx_http_clipper_replica_work(void)
{
    ngx_queue_t                 *q, *next;
    ngx_http_clipper_replica_t  *replica;

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = next)
    {
        next = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);

        (void) ngx_http_clipper_replica_check(replica,
                                   ngx_http_clipper_dispatch_one(replica));
    }
}


ngx_uint_t
ngx_http_clipper_replica_due_locked(void)
{
    ngx_queue_t  *q;

    clipper_zone_locked(ngx_http_clipper_process.zone);

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = ngx_queue_next(q))
    {
        if (ngx_http_clipper_dispatch_due_locked(
                ngx_queue_data(q, ngx_http_clipper_replica_t, link)))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_clipper_replica_check(ngx_http_clipper_replica_t *replica,
    ngx_int_t rc)
{
    if (rc != NGX_OK) {
        ngx_http_clipper_replica_gone(replica, rc == NGX_ERROR
                                               ? "no memory to serve it"
                                               : "connection closed");
    }

    return rc;
}


ngx_http_clipper_replica_t *
ngx_http_clipper_replica_find(ngx_http_clipper_identity_t *id)
{
    ngx_str_t  name;

    name.data = id->data;
    name.len = id->len;

    return (ngx_http_clipper_replica_t *)
               ngx_str_rbtree_lookup(&ngx_http_clipper_replica_tree, &name,
                                     ngx_crc32_short(id->data, id->len));
}


ngx_http_clipper_replica_t *
ngx_http_clipper_replica_create(ngx_http_clipper_identity_t *id, int fd,
    clipper_proto_message_t *m)
{
    u_char                       text[NGX_SOCKADDR_STRLEN];
    uint32_t                     row;
    ngx_log_t                   *log;
    ngx_str_t                    address;
    ngx_uint_t                   configured;
    clipper_zone_t              *zone;
    ngx_http_clipper_replica_t  *replica;
    clipper_announcement_t       a;

    zone = ngx_http_clipper_process.zone;
    log = ngx_http_clipper_process.log;

    replica = ngx_calloc(sizeof(ngx_http_clipper_replica_t), log);

    if (replica == NULL) {
        return NULL;
    }

    a.input_type = (uint32_t) m->metadata.input_type;
    a.rpc_version = m->rpc_version;
    a.token = m->metadata.token;
    a.digest = m->metadata.digest;
    row = 0;

    configured = ngx_http_clipper_model_configured(&m->metadata.name);

    address.data = text;
    address.len = ngx_http_clipper_replica_address(fd, text, sizeof(text));

    clipper_zone_lock(zone);

    a.model = clipper_registry_find_locked(zone, &m->metadata.name,
                                           &m->metadata.version);

    if (a.model == 0
        && (configured || clipper_registry_stranger_locked(zone)))
    {
        a.model = clipper_registry_model_locked(zone, &m->metadata.name,
                                                &m->metadata.version);
    }

    if (a.model) {
        row = clipper_registry_replica_join_locked(zone, &a,
                                                   clipper_clock_us());
    }

    if (row) {
        clipper_registry_replica_from_locked(zone, row, &address);
    }

    clipper_zone_unlock(zone);

    if (row == 0) {
        ngx_free(replica);
        return NULL;
    }

    replica->id = *id;
    replica->fd = fd;
    replica->row = row;
    replica->model = a.model;
    replica->codec = clipper_proto_version_codec(m->rpc_version);
    replica->tuning = ngx_http_clipper_model_tuning(&m->metadata.name,
                                                    &m->metadata.version);
    replica->batch.fixed = ngx_max(replica->tuning->batch, 0);
    replica->batch.plain = (replica->tuning->batch
                            == NGX_HTTP_CLIPPER_BATCH_AIMD);
    replica->batch.max = replica->tuning->batch_max;
    replica->batch.wait_us = (uint64_t) replica->tuning->batch_wait * 1000;
    replica->input_type = m->metadata.input_type;
    replica->active_us = clipper_clock_us();
    replica->wait.handler = ngx_http_clipper_replica_wait;
    replica->wait.data = replica;
    replica->hedge.handler = ngx_http_clipper_dispatch_hedge;
    replica->hedge.data = replica;
    replica->limit.handler = ngx_http_clipper_replica_limited;
    replica->limit.data = replica;

    ngx_http_clipper_rpc_peer_keep(fd);
    ngx_queue_insert_tail(&ngx_http_clipper_replicas, &replica->link);

    replica->node.str.data = replica->id.data;
    replica->node.str.len = replica->id.len;
    replica->node.node.key = ngx_crc32_short(replica->id.data,
                                             replica->id.len);
    ngx_rbtree_insert(&ngx_http_clipper_replica_tree, &replica->node.node);

    if (!ngx_http_clipper_replica_sweeper.timer_set) {
        ngx_add_timer(&ngx_http_clipper_replica_sweeper,
                      NGX_HTTP_CLIPPER_REPLICA_SWEEP);
    }

    return replica;
}


/* the address of the other end without its port; 0: it has none */

static size_t
ngx_http_clipper_replica_address(int fd, u_char *text, size_t size)
{
    socklen_t       socklen;
    ngx_sockaddr_t  sa;

    ngx_memzero(&sa, sizeof(sa));
    socklen = sizeof(sa);

    if (getpeername(fd, &sa.sockaddr, &socklen) == -1
        || (sa.sockaddr.sa_family != AF_INET
            && sa.sockaddr.sa_family != AF_INET6))
    {
        return 0;
    }

    return ngx_sock_ntop(&sa.sockaddr, socklen, text, size, 0);
}


/* the wait for a fuller batch is over */

static void
ngx_http_clipper_replica_wait(void *data)
{
    (void) ngx_http_clipper_replica_check(data,
                                          ngx_http_clipper_dispatch_one(data));
}


/*
 * A batch has no answer within batch_timeout.  The container may be stopped, or
 * its function may never return: its connection is closed, so it gets no other
 * batch before it announces itself again.
 */

static void
ngx_http_clipper_replica_limited(void *data)
{
    int                           fd;
    u_char                        buf[CLIPPER_TEXT * 2];
    uint64_t                     *counters;
    ngx_str_t                     name;
    clipper_zone_t               *zone;
    ngx_http_clipper_replica_t   *replica;
    ngx_http_clipper_identity_t   id;

    replica = data;

    if (!ngx_http_clipper_replica_limit_passed(replica)) {
        return;
    }

    /* if the connection has ended meanwhile, its descriptor is another's */

    id = replica->id;
    ngx_http_clipper_rpc_monitor_sync();
    replica = ngx_http_clipper_replica_find(&id);

    if (replica == NULL) {
        return;
    }

    zone = ngx_http_clipper_process.zone;
    fd = replica->fd;
    replica->overdue = 1;

    ngx_http_clipper_replica_name(replica, &name, buf, sizeof(buf));
    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "container of \"%V\", replica %uD, has not answered a batch "
                  "of %ui within %uL ms (batch_timeout): it is disconnected",
                  &name, zone->replicas[replica->row].id, replica->nleases,
                  replica->limit_us / 1000);

    counters = clipper_metrics_model(zone, replica->model);
    clipper_metrics_add(&counters[CLIPPER_M_TIMEOUTS], 1);

    ngx_http_clipper_rpc_shutdown(fd);
    ngx_http_clipper_replica_gone(replica, "no answer within batch_timeout");
}


void
ngx_http_clipper_replica_gone(ngx_http_clipper_replica_t *replica,
    const char *why)
{
    u_char           buf[CLIPPER_TEXT * 2];
    uint64_t         now_us;
    ngx_str_t        name;
    uint64_t        *counters;
    ngx_uint_t       i, again;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;
    now_us = clipper_clock_us();
    again = 0;

    ngx_http_clipper_replica_name(replica, &name, buf, sizeof(buf));
    ngx_log_error(NGX_LOG_NOTICE, ngx_http_clipper_process.log, 0,
                  "container of \"%V\" removed: %s", &name, why);

    ngx_http_clipper_timer_del(&replica->wait);
    ngx_http_clipper_timer_del(&replica->hedge);
    ngx_http_clipper_timer_del(&replica->limit);
    ngx_http_clipper_rpc_peer_release(replica->fd);
    ngx_queue_remove(&replica->link);
    ngx_rbtree_delete(&ngx_http_clipper_replica_tree, &replica->node.node);

    clipper_zone_lock(zone);

    clipper_registry_replica_leaving_locked(zone, replica->row);

    if (replica->overdue) {
        clipper_queue_lease_hung_locked(zone, replica->row, replica->leases,
                                        replica->nleases, now_us);
    }

    for (i = 0; i < replica->nleases; i++) {
        again += replica->unsent
                 ? clipper_queue_lease_unsent_locked(zone, replica->row,
                                                     &replica->leases[i])
                 : clipper_queue_lease_lost_locked(zone, replica->row,
                                                   &replica->leases[i],
                                                   now_us);
    }

    clipper_registry_replica_gone_locked(zone, replica->row, now_us);
    (void) clipper_queue_notify_locked(zone, replica->model);

    counters = clipper_metrics_model(zone, replica->model);
    clipper_metrics_add(&counters[CLIPPER_M_REDISPATCHES], again);

    clipper_zone_unlock(zone);

    ngx_free(replica->leases);
    ngx_free(replica);
}


/* "name:version" of a replica, or "-" */

void
ngx_http_clipper_replica_name(ngx_http_clipper_replica_t *replica,
    ngx_str_t *name, u_char *buf, size_t size)
{
    clipper_model_row_t  *model;

    if (replica == NULL) {
        ngx_str_set(name, "-");
        return;
    }

    model = &ngx_http_clipper_process.zone->models[replica->model];

    name->data = buf;
    name->len = ngx_snprintf(buf, size, "%s:%s", model->name, model->version)
                - buf;
}


/* --- connections --- */


void
ngx_http_clipper_replica_closed(int fd)
{
    ngx_queue_t                 *q, *next;
    ngx_http_clipper_replica_t  *replica;

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = next)
    {
        next = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);

        if (replica->fd == fd) {
            ngx_http_clipper_replica_gone(replica, "connection closed");
        }
    }
}


static void
ngx_http_clipper_replica_sweep(ngx_event_t *ev)
{
    uint64_t                     now_us, timeout_us;
    ngx_queue_t                 *q, *next;
    ngx_http_clipper_replica_t  *replica;

    now_us = clipper_clock_us();

    for (q = ngx_queue_head(&ngx_http_clipper_replicas);
         q != ngx_queue_sentinel(&ngx_http_clipper_replicas);
         q = next)
    {
        next = ngx_queue_next(q);
        replica = ngx_queue_data(q, ngx_http_clipper_replica_t, link);
        timeout_us = (uint64_t) replica->tuning->replica_timeout * 1000;

        /* a replica that computes is silent */

        if ((!replica->in_flight || replica->probing)
            && now_us - replica->active_us > timeout_us)
        {
            ngx_http_clipper_replica_gone(replica,
                                          "no message within replica_timeout");
        }
    }

    if (ngx_queue_empty(&ngx_http_clipper_replicas)) {
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_CLIPPER_REPLICA_SWEEP);

    /* a worker that died between post and ring has left work unannounced */

    ngx_http_clipper_process.work();
}

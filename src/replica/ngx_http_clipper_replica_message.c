
/*
 * Messages of containers, see the header.
 */


#include "replica/ngx_http_clipper_replica_message.h"
#include "replica/ngx_http_clipper_dispatch.h"
#include "replica/ngx_http_clipper_replica.h"
#include "replica/ngx_http_clipper_rpc_message.h"
#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_zone.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"


static ngx_uint_t ngx_http_clipper_message_frames(
    ngx_http_clipper_identity_t *id);
static void ngx_http_clipper_message_take(ngx_http_clipper_identity_t *id,
    int fd, clipper_proto_frame_t *frames, ngx_uint_t n);
static ngx_int_t ngx_http_clipper_message_decode(
    ngx_http_clipper_replica_t *replica, clipper_proto_message_t *m,
    clipper_proto_frame_t *frames, ngx_uint_t n);
static void ngx_http_clipper_message_bad(ngx_http_clipper_identity_t *id,
    ngx_http_clipper_replica_t *replica, clipper_proto_message_t *m);
static void ngx_http_clipper_message_heartbeat(ngx_http_clipper_identity_t *id,
    ngx_http_clipper_replica_t *replica);
static void ngx_http_clipper_message_silent(ngx_http_clipper_identity_t *id);
static ngx_uint_t ngx_http_clipper_message_known(
    ngx_http_clipper_replica_t *replica, clipper_proto_message_t *m);
static void ngx_http_clipper_message_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *m);
static void ngx_http_clipper_message_refuse(ngx_http_clipper_identity_t *id,
    clipper_proto_message_t *m, clipper_proto_error_e cause);
static void ngx_http_clipper_message_metadata(ngx_http_clipper_identity_t *id,
    int fd, clipper_proto_message_t *m);


ngx_int_t
ngx_http_clipper_replica_message_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf)
{
    static const ngx_http_clipper_rpc_handlers_t  handlers = {
        ngx_http_clipper_message_take,
        ngx_http_clipper_message_frames,
        ngx_http_clipper_replica_closed,
        ngx_http_clipper_message_silent
    };

    return ngx_http_clipper_rpc_init(cycle, mcf, &handlers);
}


void
ngx_http_clipper_replica_message_done(void)
{
    ngx_http_clipper_rpc_done();
    ngx_http_clipper_rpc_message_done();
}


static ngx_uint_t
ngx_http_clipper_message_frames(ngx_http_clipper_identity_t *id)
{
    ngx_http_clipper_replica_t  *replica;

    replica = ngx_http_clipper_replica_find(id);

    return 16 + (replica ? replica->nleases : 0);
}


static void
ngx_http_clipper_message_take(ngx_http_clipper_identity_t *id, int fd,
    clipper_proto_frame_t *frames, ngx_uint_t n)
{
    ngx_http_clipper_replica_t  *replica;
    clipper_proto_message_t      m;

    replica = ngx_http_clipper_replica_find(id);

    if (replica) {
        replica->active_us = clipper_clock_us();
    }

    if (ngx_http_clipper_message_decode(replica, &m, frames, n) != NGX_OK) {
        ngx_http_clipper_message_bad(id, replica, &m);
        return;
    }

    switch (m.kind) {

    case CLIPPER_PROTO_HEARTBEAT:
        ngx_http_clipper_message_heartbeat(id, replica);
        break;

    case CLIPPER_PROTO_METADATA:
        if (replica == NULL) {
            ngx_http_clipper_message_metadata(id, fd, &m);
        }
        break;

    case CLIPPER_PROTO_REPLY:
        ngx_http_clipper_message_reply(replica, &m);
        break;

    case CLIPPER_PROTO_LEAVING:
        if (replica) {
            clipper_zone_lock(ngx_http_clipper_process.zone);
            clipper_registry_replica_leaving_locked(
                           ngx_http_clipper_process.zone, replica->row);
            clipper_zone_unlock(ngx_http_clipper_process.zone);
        }
        break;

    case CLIPPER_PROTO_NONE:        /* is never NGX_OK */
        break;
    }
}


/* NGX_DECLINED: this peer may not send this message now, see m->error */

static ngx_int_t
ngx_http_clipper_message_decode(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *m, clipper_proto_frame_t *frames, ngx_uint_t n)
{
    if (clipper_proto_decode(m, frames, n,
             replica ? replica->codec->version
                     : CLIPPER_PROTO_UNKNOWN,
             replica && replica->in_flight ? replica->nleases
                                  : CLIPPER_PROTO_ANY_COUNT)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (m->kind == CLIPPER_PROTO_REPLY
        && (replica == NULL || !replica->in_flight
            || replica->message_id != m->message_id))
    {
        m->error = CLIPPER_PROTO_EUNKNOWN_ID;
        return NGX_DECLINED;
    }

    if (m->kind == CLIPPER_PROTO_METADATA && replica
        && !ngx_http_clipper_message_known(replica, m))
    {
        m->error = CLIPPER_PROTO_EREGISTERED;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_clipper_message_bad(ngx_http_clipper_identity_t *id,
    ngx_http_clipper_replica_t *replica, clipper_proto_message_t *m)
{
    u_char     buf[CLIPPER_TEXT * 2];
    ngx_str_t  name;

    if (replica == NULL && m->kind == CLIPPER_PROTO_METADATA) {
        ngx_http_clipper_message_refuse(id, m, m->error);
        return;
    }

    ngx_http_clipper_replica_name(replica, &name, buf, sizeof(buf));
    ngx_http_clipper_rpc_error(m->error, &name);

    /* the reply is unusable, but the replica is free again */

    if (replica && m->kind == CLIPPER_PROTO_REPLY && m->has_id
        && replica->in_flight && replica->message_id == m->message_id)
    {
        ngx_http_clipper_message_reply(replica, NULL);
    }
}


static void
ngx_http_clipper_message_heartbeat(ngx_http_clipper_identity_t *id,
    ngx_http_clipper_replica_t *replica)
{
    ngx_int_t              rc;
    ngx_uint_t             n;
    clipper_proto_frame_t  frames[CLIPPER_PROTO_CONTROL_FRAMES];

    n = replica ? clipper_proto_keepalive(frames, replica->codec->version)
                : clipper_proto_ask_metadata(frames);

    rc = ngx_http_clipper_rpc_message_control(id, frames, n);

    if (replica) {
        (void) ngx_http_clipper_replica_check(replica, rc);
    }
}


/*
 * A container that has lost its connection to another worker waits for a word
 * (docs/rpc.md).  A container whose first message is still on its way is asked
 * a second time and announces itself twice.
 */

static void
ngx_http_clipper_message_silent(ngx_http_clipper_identity_t *id)
{
    if (!ngx_http_clipper_process.retiring
        && ngx_http_clipper_replica_find(id) == NULL)
    {
        ngx_http_clipper_message_heartbeat(id, NULL);
    }
}


/* metadata that says nothing new */

static ngx_uint_t
ngx_http_clipper_message_known(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *m)
{
    u_char                  buf[CLIPPER_TEXT * 2], text[CLIPPER_TEXT * 2];
    size_t                  len;
    ngx_str_t               name;
    clipper_replica_row_t  *row;

    row = &ngx_http_clipper_process.zone->replicas[replica->row];

    if (m->rpc_version == CLIPPER_PROTO_V4
        && (m->metadata.digest.len != row->digest_len
            || ngx_memcmp(m->metadata.digest.data, row->digest,
                          row->digest_len) != 0
            || m->metadata.token.len != sizeof(row->token)
            || ngx_memcmp(m->metadata.token.data, row->token,
                          sizeof(row->token)) != 0))
    {
        return 0;
    }

    ngx_http_clipper_replica_name(replica, &name, buf, sizeof(buf));
    len = ngx_snprintf(text, sizeof(text), "%V:%V", &m->metadata.name,
                       &m->metadata.version)
          - text;

    return m->rpc_version == replica->codec->version
           && m->metadata.input_type == replica->input_type
           && len == name.len
           && ngx_memcmp(text, name.data, len) == 0;
}


static void
ngx_http_clipper_message_reply(ngx_http_clipper_replica_t *replica,
    clipper_proto_message_t *m)
{
    clipper_zone_t  *zone;

    if (!replica->probing) {
        (void) ngx_http_clipper_replica_check(replica,
                                ngx_http_clipper_dispatch_reply(replica, m));
        return;
    }

    if (m == NULL) {
        ngx_http_clipper_replica_gone(replica, "probe failed");
        return;
    }

    zone = ngx_http_clipper_process.zone;

    replica->probing = 0;
    replica->in_flight = 0;

    clipper_zone_lock(zone);
    clipper_registry_replica_ready_locked(zone, replica->row);
    clipper_registry_replica_idle_locked(zone, replica->row);
    clipper_zone_unlock(zone);

    (void) ngx_http_clipper_replica_check(replica,
                                      ngx_http_clipper_dispatch_one(replica));
}


/* version 3 has no refusal: the container is asked for its metadata again */

static void
ngx_http_clipper_message_refuse(ngx_http_clipper_identity_t *id,
    clipper_proto_message_t *m, clipper_proto_error_e cause)
{
    u_char                 buf[CLIPPER_TEXT * 2];
    ngx_str_t              name;
    ngx_uint_t             n;
    clipper_proto_frame_t  frames[CLIPPER_PROTO_CONTROL_FRAMES];

    ngx_str_set(&name, "-");

    /* unreadable metadata has no name */

    if (m->error == CLIPPER_PROTO_EOK) {
        name.data = buf;
        name.len = ngx_snprintf(buf, sizeof(buf), "%V:%V", &m->metadata.name,
                                &m->metadata.version)
                   - buf;
    }

    ngx_http_clipper_rpc_error(cause, &name);

    if (m->rpc_version == CLIPPER_PROTO_V4) {
        n = clipper_proto_refused(frames,
                                  clipper_proto_error_text(cause));
        (void) ngx_http_clipper_rpc_message_control(id, frames, n);
    }
}


static void
ngx_http_clipper_message_metadata(ngx_http_clipper_identity_t *id, int fd,
    clipper_proto_message_t *m)
{
    ngx_uint_t                   n;
    clipper_proto_frame_t        frames[CLIPPER_PROTO_CONTROL_FRAMES];
    ngx_http_clipper_replica_t  *replica;

    if (ngx_http_clipper_process.retiring) {
        if (m->rpc_version == CLIPPER_PROTO_V4) {
            n = clipper_proto_move(frames);
            (void) ngx_http_clipper_rpc_message_control(id, frames, n);

        } else if (ngx_http_clipper_rpc_open(id, fd, m->rpc_version)) {
            ngx_http_clipper_rpc_shutdown(fd);
        }

        return;
    }

    if (!ngx_http_clipper_model_takes(&m->metadata.name, &m->metadata.version,
                                      m->metadata.input_type))
    {
        ngx_http_clipper_message_refuse(id, m, CLIPPER_PROTO_EMISMATCH);
        return;
    }

    if (!ngx_http_clipper_rpc_open(id, fd, m->rpc_version)) {
        return;
    }

    replica = ngx_http_clipper_replica_create(id, fd, m);

    if (replica == NULL) {
        ngx_http_clipper_message_refuse(id, m, CLIPPER_PROTO_ENO_SPACE);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_http_clipper_process.log, 0,
                  "container of \"%V:%V\" registered, protocol version "
                  "%uD", &m->metadata.name, &m->metadata.version,
                  m->rpc_version);

    if (replica->codec->probes) {
        n = clipper_proto_keepalive(frames, replica->codec->version);

        if (ngx_http_clipper_replica_check(replica,
                            ngx_http_clipper_rpc_message_control(id, frames, n))
            == NGX_OK)
        {
            (void) ngx_http_clipper_replica_check(replica,
                                    ngx_http_clipper_dispatch_probe(replica));
        }

        return;
    }

    /* version 3 has no probe and no other reply to metadata */

    replica->probing = 1;
    ngx_http_clipper_message_reply(replica, m);
}

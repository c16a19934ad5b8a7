
/*
 * The ROUTER socket in nginx's event loop, see the header.
 *
 * The descriptor of ZMQ_FD is edge-triggered and reports only libzmq's internal
 * mailbox: after each event, and after each send or receive elsewhere,
 * ZMQ_EVENTS says what is pending.  A bounded number of messages is read at a
 * time, so that timers and HTTP sockets get their turn.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "replica/ngx_http_clipper_rpc.h"
#include "replica/ngx_http_clipper_rpc_bind.h"
#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "replica/ngx_http_clipper_rpc_number.h"
#include "replica/ngx_http_clipper_rpc_peer.h"
#include "replica/ngx_http_clipper_rpc_zap.h"
#include "base/clipper_limiter.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_zmq.h"


#define NGX_HTTP_CLIPPER_RPC_BITE       32          /* messages */
#define NGX_HTTP_CLIPPER_RPC_SURPLUS    4096        /* frames */
#define NGX_HTTP_CLIPPER_RPC_BEAT       10000       /* ms, of ZMTP */
#define NGX_HTTP_CLIPPER_RPC_BEAT_LOST  30000       /* ms without an answer */


static ngx_int_t ngx_http_clipper_rpc_socket(ngx_cycle_t *cycle);
static void ngx_http_clipper_rpc_drain(void);
static ngx_int_t ngx_http_clipper_rpc_receive(void);
static ngx_uint_t ngx_http_clipper_rpc_skip(void);
static ngx_int_t ngx_http_clipper_rpc_room(ngx_uint_t n);


static void                            *ngx_http_clipper_rpc_context;
static ngx_http_clipper_zmq_t           ngx_http_clipper_rpc_router;

static const ngx_http_clipper_rpc_handlers_t  *ngx_http_clipper_rpc_handlers;

/* the message being read */

static zmq_msg_t              *ngx_http_clipper_rpc_parts;
static clipper_proto_frame_t  *ngx_http_clipper_rpc_frames;
static ngx_uint_t              ngx_http_clipper_rpc_nparts;

/* surplus frames of a message are left to read */

static ngx_uint_t              ngx_http_clipper_rpc_skipping;


ngx_int_t
ngx_http_clipper_rpc_init(ngx_cycle_t *cycle,
    ngx_http_clipper_main_conf_t *mcf,
    const ngx_http_clipper_rpc_handlers_t *handlers)
{
    void  *router;

    ngx_http_clipper_rpc_handlers = handlers;

    if (mcf->endpoints.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_clipper_rpc_room(32) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_clipper_rpc_peer_init(cycle, ngx_http_clipper_rpc_monitor_sync);

    ngx_http_clipper_rpc_context = zmq_ctx_new();

    if (ngx_http_clipper_rpc_context == NULL) {
        goto failed;
    }

    if (ngx_http_clipper_rpc_socket(cycle) != NGX_OK) {
        goto failed;
    }

    router = ngx_http_clipper_rpc_router.socket;

    if (ngx_http_clipper_rpc_zap_init(cycle, ngx_http_clipper_rpc_context,
                                      &mcf->endpoints) != NGX_OK
        || ngx_http_clipper_rpc_monitor_init(cycle,
                                             ngx_http_clipper_rpc_context,
                                             router, handlers) != NGX_OK
        || ngx_http_clipper_zmq_watch(cycle, &ngx_http_clipper_rpc_router,
                                      ngx_http_clipper_rpc_drain) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_clipper_rpc_number_init(cycle, ngx_http_clipper_rpc_context,
                                         &ngx_http_clipper_rpc_router,
                                         handlers)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, cycle->log, 0,
                      "container RPC: this libzmq does not report silent "
                      "peers: version 3 containers need 5 s to return "
                      "after a reload");
    }

    if (ngx_http_clipper_rpc_bind_open(cycle, router, &mcf->endpoints)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clipper_zmq_check(&ngx_http_clipper_rpc_router);

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "container RPC: libzmq failed: %s", zmq_strerror(errno));

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_clipper_rpc_socket(ngx_cycle_t *cycle)
{
    void        *router;
    ngx_uint_t   i;

    static const struct {
        int  option;
        int  value;
    } options[] = {
        { ZMQ_LINGER, 0 },
        { ZMQ_ROUTER_MANDATORY, 1 },
        { ZMQ_HEARTBEAT_IVL, NGX_HTTP_CLIPPER_RPC_BEAT },
        { ZMQ_HEARTBEAT_TIMEOUT, NGX_HTTP_CLIPPER_RPC_BEAT_LOST }
    };

    router = zmq_socket(ngx_http_clipper_rpc_context, ZMQ_ROUTER);

    if (router == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_rpc_router.socket = router;

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (ngx_http_clipper_zmq_set(router, options[i].option,
                                     options[i].value, cycle->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_clipper_rpc_unbind(void)
{
    if (ngx_http_clipper_rpc_router.socket == NULL) {
        return;
    }

    ngx_http_clipper_rpc_bind_close();

    /* libzmq drops the connections without a report */

    ngx_http_clipper_rpc_peer_done();
    ngx_http_clipper_zmq_check(&ngx_http_clipper_rpc_router);
}


void
ngx_http_clipper_rpc_done(void)
{
    if (ngx_http_clipper_rpc_context == NULL) {
        return;
    }

    ngx_http_clipper_rpc_bind_deaf(0);
    ngx_http_clipper_rpc_peer_done();
    ngx_http_clipper_rpc_number_done();
    ngx_http_clipper_rpc_monitor_done(ngx_http_clipper_rpc_router.socket);
    ngx_http_clipper_zmq_unwatch(&ngx_http_clipper_rpc_router);
    ngx_http_clipper_rpc_zap_done();

    (void) zmq_ctx_term(ngx_http_clipper_rpc_context);
    ngx_http_clipper_rpc_context = NULL;

    ngx_free(ngx_http_clipper_rpc_parts);
    ngx_free(ngx_http_clipper_rpc_frames);
    ngx_http_clipper_rpc_parts = NULL;
    ngx_http_clipper_rpc_frames = NULL;
    ngx_http_clipper_rpc_nparts = 0;
    ngx_http_clipper_rpc_skipping = 0;
}


static void
ngx_http_clipper_rpc_drain(void)
{
    ngx_uint_t  i;

    if (!ngx_http_clipper_zmq_readable(&ngx_http_clipper_rpc_router)) {
        ngx_http_clipper_rpc_peer_heard();
        return;
    }

    for (i = 0; i < NGX_HTTP_CLIPPER_RPC_BITE; i++) {
        if (ngx_http_clipper_rpc_receive() != NGX_OK) {
            break;
        }
    }

    ngx_http_clipper_zmq_check(&ngx_http_clipper_rpc_router);
}


/* reads one message; NGX_DECLINED: there is none; NGX_AGAIN: the rest later */

static ngx_int_t
ngx_http_clipper_rpc_receive(void)
{
    int                           fd, more;
    void                         *router;
    zmq_msg_t                     first, *part;
    ngx_uint_t                    i, n, max;
    ngx_http_clipper_identity_t   id;

    router = ngx_http_clipper_rpc_router.socket;

    if (ngx_http_clipper_rpc_skipping) {
        return ngx_http_clipper_rpc_skip() ? NGX_AGAIN : NGX_OK;
    }

    (void) zmq_msg_init(&first);

    if (ngx_http_clipper_zmq_recv(router, &first) == -1) {

        if (errno == EAGAIN) {
            ngx_http_clipper_rpc_peer_heard();
        }

        (void) zmq_msg_close(&first);
        return NGX_DECLINED;
    }

    id.len = (u_char) ngx_min(zmq_msg_size(&first),
                              NGX_HTTP_CLIPPER_IDENTITY);
    ngx_memcpy(id.data, zmq_msg_data(&first), id.len);

    max = ngx_http_clipper_rpc_handlers->frames(&id);
    more = zmq_msg_more(&first);
    fd = -1;
    n = 0;

    while (more && n < max && ngx_http_clipper_rpc_room(n + 1) == NGX_OK) {
        part = &ngx_http_clipper_rpc_parts[n++];

        (void) zmq_msg_init(part);

        if (ngx_http_clipper_zmq_recv(router, part) == -1) {
            break;
        }

        more = zmq_msg_more(part);
    }

    for (i = 0; i < n; i++) {
        part = &ngx_http_clipper_rpc_parts[i];
        ngx_http_clipper_rpc_frames[i].data = zmq_msg_data(part);
        ngx_http_clipper_rpc_frames[i].len = zmq_msg_size(part);
    }

    if (n) {
        fd = zmq_msg_get(&ngx_http_clipper_rpc_parts[0], ZMQ_SRCFD);
    }

    /* surplus frames are dropped: the codec still sees more than are valid */

    if (!ngx_http_clipper_rpc_number_heard(&id, fd,
                                           ngx_http_clipper_rpc_frames, n))
    {
        ngx_http_clipper_rpc_handlers->message(&id, fd,
                                               ngx_http_clipper_rpc_frames, n);
    }

    for (i = 0; i < n; i++) {
        (void) zmq_msg_close(&ngx_http_clipper_rpc_parts[i]);
    }

    (void) zmq_msg_close(&first);

    ngx_http_clipper_rpc_skipping = more;

    if (!ngx_http_clipper_rpc_skip()) {
        return NGX_OK;
    }

    /* the rest is read later, bit by bit; no other message comes from there */

    if (ngx_http_clipper_rpc_open(&id, fd, CLIPPER_PROTO_UNKNOWN)) {
        ngx_http_clipper_rpc_peer_shut(fd);
    }

    return NGX_AGAIN;
}


/*
 * Reads on in a message that is too long.  libzmq hands a message over as a
 * whole, so its frames are there.  1: still more of them are left.
 */

static ngx_uint_t
ngx_http_clipper_rpc_skip(void)
{
    ngx_uint_t  i;
    zmq_msg_t   part;

    for (i = 0; i < NGX_HTTP_CLIPPER_RPC_SURPLUS; i++) {

        if (!ngx_http_clipper_rpc_skipping) {
            return 0;
        }

        (void) zmq_msg_init(&part);

        if (ngx_http_clipper_zmq_recv(ngx_http_clipper_rpc_router.socket,
                                      &part)
            == -1)
        {
            (void) zmq_msg_close(&part);
            return 1;
        }

        ngx_http_clipper_rpc_skipping = zmq_msg_more(&part);
        (void) zmq_msg_close(&part);
    }

    return ngx_http_clipper_rpc_skipping;
}


/* memory for n parts and their frames */

static ngx_int_t
ngx_http_clipper_rpc_room(ngx_uint_t n)
{
    zmq_msg_t              *parts;
    ngx_uint_t              room;
    clipper_proto_frame_t  *frames;

    if (n <= ngx_http_clipper_rpc_nparts) {
        return NGX_OK;
    }

    room = ngx_max(n, ngx_http_clipper_rpc_nparts * 2);

    frames = ngx_alloc(room * sizeof(clipper_proto_frame_t), ngx_cycle->log);
    if (frames == NULL) {
        return NGX_ERROR;
    }

    parts = ngx_http_clipper_rpc_grow(ngx_http_clipper_rpc_parts,
                                      ngx_http_clipper_rpc_nparts, room);
    if (parts == NULL) {
        ngx_free(frames);
        return NGX_ERROR;
    }

    ngx_free(ngx_http_clipper_rpc_frames);

    ngx_http_clipper_rpc_parts = parts;
    ngx_http_clipper_rpc_frames = frames;
    ngx_http_clipper_rpc_nparts = room;

    return NGX_OK;
}


zmq_msg_t *
ngx_http_clipper_rpc_grow(zmq_msg_t *parts, ngx_uint_t n, ngx_uint_t room)
{
    zmq_msg_t   *new;
    ngx_uint_t   i;

    new = ngx_alloc(room * sizeof(zmq_msg_t), ngx_cycle->log);
    if (new == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        (void) zmq_msg_init(&new[i]);
        (void) zmq_msg_move(&new[i], &parts[i]);
    }

    ngx_free(parts);

    return new;
}


void
ngx_http_clipper_rpc_shutdown(int fd)
{
    ngx_http_clipper_rpc_peer_shut(fd);
}


/*
 * A message is read when its connection may have ended, and another one may
 * have the descriptor.  libzmq sends the order to forget the identity before
 * it closes the descriptor: whoever has it now was reported after that order.
 */

ngx_uint_t
ngx_http_clipper_rpc_open(ngx_http_clipper_identity_t *id, int fd,
    ngx_uint_t version)
{
    ngx_int_t              rc;
    zmq_msg_t              parts[CLIPPER_PROTO_CONTROL_FRAMES];
    ngx_uint_t             i, n;
    clipper_proto_frame_t  frames[CLIPPER_PROTO_CONTROL_FRAMES];

    ngx_http_clipper_rpc_monitor_sync();

    rc = ngx_http_clipper_rpc_peer_sure(fd);

    if (rc != NGX_AGAIN) {
        return rc == NGX_OK;
    }

    /* takes all orders; a send alone takes them now and then */

    (void) ngx_http_clipper_zmq_readable(&ngx_http_clipper_rpc_router);

    n = clipper_proto_keepalive(frames, version);

    for (i = 0; i < n; i++) {
        if (zmq_msg_init_size(&parts[i], frames[i].len) == -1) {
            break;
        }

        if (frames[i].len) {
            ngx_memcpy(zmq_msg_data(&parts[i]), frames[i].data, frames[i].len);
        }
    }

    rc = (i == n) ? ngx_http_clipper_rpc_send(id, parts, n) : NGX_ERROR;

    while (i) {
        (void) zmq_msg_close(&parts[--i]);
    }

    return rc == NGX_OK;
}


/*
 * Once the ROUTER has accepted the identity it accepts the other parts, or
 * drops them if the peer is gone: only a signal can interrupt.  If it refuses a
 * part after all, the next message is appended to that one: this must be seen.
 */

ngx_int_t
ngx_http_clipper_rpc_send(ngx_http_clipper_identity_t *id, zmq_msg_t *parts,
    ngx_uint_t n)
{
    int          flags;
    void        *router;
    ngx_int_t    rc;
    ngx_uint_t   i;

    router = ngx_http_clipper_rpc_router.socket;

    if (router == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_clipper_zmq_send(router, id->data, id->len, ZMQ_SNDMORE)
         == -1
         ? NGX_DECLINED : NGX_OK;

    for (i = 0; rc == NGX_OK && i < n; i++) {
        flags = i < n - 1 ? ZMQ_DONTWAIT|ZMQ_SNDMORE : ZMQ_DONTWAIT;

        while (zmq_msg_send(&parts[i], router, flags) == -1) {
            if (errno != EINTR) {
                ngx_log_error(NGX_LOG_ALERT, ngx_http_clipper_process.log,
                              errno, "libzmq refused part %ui of %ui of a "
                              "message to a container after it had taken "
                              "the first", i + 1, n);
                rc = NGX_DECLINED;
                break;
            }
        }
    }

    ngx_http_clipper_zmq_check(&ngx_http_clipper_rpc_router);

    return rc;
}


void
ngx_http_clipper_rpc_error(clipper_proto_error_e cause, ngx_str_t *peer)
{
    uint64_t                  key;
    ngx_uint_t                told;
    clipper_zone_t           *zone;

    static clipper_limiter_t  limiters[CLIPPER_CAUSES];

    zone = ngx_http_clipper_process.zone;

    (void) __atomic_fetch_add(&zone->header->rpc_errors[cause], 1,
                              __ATOMIC_RELAXED);

    key = ngx_hash_key(peer->data, peer->len);

    told = clipper_limiter(&limiters[cause], key, clipper_clock_us());
    if (!told) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "container message dropped: %V (from \"%V\")%s",
                  clipper_proto_error_text(cause), peer,
                  clipper_limiter_end(told));
}

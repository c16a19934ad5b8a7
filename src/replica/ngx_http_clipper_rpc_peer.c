
/*
 * Open connections of the ROUTER, see the header.
 */


#include <ngx_event.h>
#include "replica/ngx_http_clipper_rpc_peer.h"
#include "worker/ngx_http_clipper_process.h"
#include <sys/random.h>


#define NGX_HTTP_CLIPPER_PEER_TIME  10000000    /* us to register */
#define NGX_HTTP_CLIPPER_PEER_LOOK  20          /* ms */
#define NGX_HTTP_CLIPPER_PEER_SAYS  65536       /* bytes of a stranger */
#define NGX_HTTP_CLIPPER_PEER_LOG   60000000    /* us */


typedef struct {
    ngx_queue_t  link;                  /* of a stranger, by time */
    uint64_t     since_us;
    uint64_t     bytes;                 /* had come by then */
    uint64_t     cookie;                /* of the socket */
    uint64_t     again;                 /* number of the reuse; 0: none yet */
    int          fd;
    unsigned     open:1;
    unsigned     used:1;                /* by a connection, ever */
    unsigned     kept:1;
    unsigned     shut:1;
} ngx_http_clipper_peer_t;


/* what Linux 4.1 and newer say for TCP_INFO; glibc's structure is shorter */

typedef struct {
    u_char       other[128];
    uint64_t     bytes_received;
} ngx_http_clipper_peer_info_t;


static void ngx_http_clipper_peer_seed(void);
static ngx_http_clipper_peer_t *ngx_http_clipper_peer_find(int fd);
static ngx_http_clipper_peer_t *ngx_http_clipper_peer_make(int fd);
static void ngx_http_clipper_peer_stranger(ngx_http_clipper_peer_t *peer);
static ngx_http_clipper_peer_t *ngx_http_clipper_peer_oldest(void);
static void ngx_http_clipper_peer_leave(ngx_http_clipper_peer_t *peer);
static uint64_t ngx_http_clipper_peer_cookie(int fd);
static void ngx_http_clipper_peer_look(ngx_event_t *ev);
static uint64_t ngx_http_clipper_peer_bytes(ngx_http_clipper_peer_t *peer);
static void ngx_http_clipper_peer_log(ngx_http_clipper_peer_t *peer,
    const char *why);


static ngx_http_clipper_peer_t  **ngx_http_clipper_peers;     /* by fd */
static ngx_uint_t                 ngx_http_clipper_peer_room;

static ngx_queue_t                ngx_http_clipper_peer_strangers;
static ngx_uint_t                 ngx_http_clipper_peer_nstrangers;
static ngx_uint_t                 ngx_http_clipper_peer_nkept;
static ngx_uint_t                 ngx_http_clipper_peer_spare;
static uint64_t                   ngx_http_clipper_peer_reuses;
static uint64_t                   ngx_http_clipper_peer_heard; /* of those */
static ngx_uint_t                 ngx_http_clipper_peer_on;
static void                     (*ngx_http_clipper_peer_sync)(void);

static ngx_event_t                ngx_http_clipper_peer_timer;
static ngx_connection_t           ngx_http_clipper_peer_dummy;


void
ngx_http_clipper_rpc_peer_init(ngx_cycle_t *cycle, void (*sync)(void))
{
    ngx_uint_t     used;
    struct rlimit  limit;

    ngx_http_clipper_peer_seed();

    ngx_queue_init(&ngx_http_clipper_peer_strangers);
    ngx_http_clipper_peer_sync = sync;

    used = cycle->connection_n + NGX_HTTP_CLIPPER_RPC_OTHERS;
    ngx_http_clipper_peer_spare = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > used) {
        ngx_http_clipper_peer_spare = limit.rlim_cur - used;
    }

    ngx_http_clipper_peer_dummy.fd = (ngx_socket_t) -1;
    ngx_http_clipper_peer_timer.handler = ngx_http_clipper_peer_look;
    ngx_http_clipper_peer_timer.data = &ngx_http_clipper_peer_dummy;
    ngx_http_clipper_peer_timer.log = cycle->log;
    ngx_http_clipper_peer_timer.cancelable = 1;

    ngx_http_clipper_peer_on = 1;
}


/*
 * libzmq numbers peers without an identity from a number of rand(), which it
 * does not seed, and nginx's seed is the time and the pid.  A peer that takes
 * the next number as its identity ends the process: libzmq asserts that there
 * is none.  So the number must be hard to guess.
 */

static void
ngx_http_clipper_peer_seed(void)
{
    unsigned int  seed;

    if (getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) {
        srandom(seed);
    }
}


void
ngx_http_clipper_rpc_peer_done(void)
{
    ngx_uint_t  i;

    if (ngx_http_clipper_peer_timer.timer_set) {
        ngx_del_timer(&ngx_http_clipper_peer_timer);
    }

    for (i = 0; i < ngx_http_clipper_peer_room; i++) {
        ngx_free(ngx_http_clipper_peers[i]);
    }

    ngx_free(ngx_http_clipper_peers);

    ngx_http_clipper_peers = NULL;
    ngx_http_clipper_peer_room = 0;
    ngx_http_clipper_peer_nstrangers = 0;
    ngx_http_clipper_peer_nkept = 0;
    ngx_http_clipper_peer_on = 0;
}


/* NULL: not open */

static ngx_http_clipper_peer_t *
ngx_http_clipper_peer_find(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    if (fd < 0 || (ngx_uint_t) fd >= ngx_http_clipper_peer_room) {
        return NULL;
    }

    peer = ngx_http_clipper_peers[fd];

    return peer && peer->open ? peer : NULL;
}


/* NULL: out of memory */

static ngx_http_clipper_peer_t *
ngx_http_clipper_peer_make(int fd)
{
    ngx_uint_t                 room;
    ngx_http_clipper_peer_t  **peers;

    if ((ngx_uint_t) fd >= ngx_http_clipper_peer_room) {
        room = ngx_max(2 * (ngx_uint_t) fd, 64);

        peers = ngx_calloc(room * sizeof(ngx_http_clipper_peer_t *),
                           ngx_cycle->log);
        if (peers == NULL) {
            return NULL;
        }

        if (ngx_http_clipper_peers) {
            ngx_memcpy(peers, ngx_http_clipper_peers,
                       ngx_http_clipper_peer_room
                       * sizeof(ngx_http_clipper_peer_t *));
            ngx_free(ngx_http_clipper_peers);
        }

        ngx_http_clipper_peers = peers;
        ngx_http_clipper_peer_room = room;
    }

    if (ngx_http_clipper_peers[fd] == NULL) {
        ngx_http_clipper_peers[fd] =
            ngx_calloc(sizeof(ngx_http_clipper_peer_t), ngx_cycle->log);
    }

    return ngx_http_clipper_peers[fd];
}


void
ngx_http_clipper_rpc_peer_opened(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    if (fd < 0 || !ngx_http_clipper_peer_on) {
        return;
    }

    ngx_http_clipper_rpc_peer_closed(fd);

    peer = ngx_http_clipper_peer_make(fd);

    if (peer == NULL) {
        return;
    }

    peer->fd = fd;
    peer->cookie = ngx_http_clipper_peer_cookie(fd);
    peer->again = peer->used ? ++ngx_http_clipper_peer_reuses : 0;
    peer->used = 1;
    peer->open = 1;
    peer->kept = 0;
    peer->shut = 0;

    ngx_http_clipper_peer_stranger(peer);
}


void
ngx_http_clipper_rpc_peer_closed(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    peer = ngx_http_clipper_peer_find(fd);

    if (peer) {
        ngx_http_clipper_peer_leave(peer);
        peer->open = 0;
    }
}


void
ngx_http_clipper_rpc_peer_heard(void)
{
    ngx_http_clipper_peer_heard = ngx_http_clipper_peer_reuses;
}


ngx_int_t
ngx_http_clipper_rpc_peer_sure(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    peer = ngx_http_clipper_peer_find(fd);

    if (peer == NULL) {
        return NGX_DECLINED;
    }

    return peer->again <= ngx_http_clipper_peer_heard ? NGX_OK : NGX_AGAIN;
}


void
ngx_http_clipper_rpc_peer_keep(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    peer = ngx_http_clipper_peer_find(fd);

    if (peer && !peer->kept && !peer->shut) {
        ngx_http_clipper_peer_leave(peer);
        peer->kept = 1;
        ngx_http_clipper_peer_nkept++;
    }
}


void
ngx_http_clipper_rpc_peer_release(int fd)
{
    ngx_http_clipper_peer_t  *peer;

    peer = ngx_http_clipper_peer_find(fd);

    if (peer && peer->kept) {
        ngx_http_clipper_peer_leave(peer);
        ngx_http_clipper_peer_stranger(peer);
    }
}


/*
 * libzmq's thread may close the descriptor at any moment, and accept another
 * connection there: a copy stays what it is between the look and the end.
 */

void
ngx_http_clipper_rpc_peer_shut(int fd)
{
    int                       copy;
    ngx_http_clipper_peer_t  *peer;

    peer = ngx_http_clipper_peer_find(fd);

    if (peer == NULL || peer->shut) {
        return;
    }

    ngx_http_clipper_peer_leave(peer);
    peer->shut = 1;

    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy == -1 && errno != EMFILE && errno != ENFILE) {
        return;
    }

    if (ngx_http_clipper_peer_cookie(copy != -1 ? copy : fd)
        == peer->cookie)
    {
        (void) shutdown(copy != -1 ? copy : fd, SHUT_RDWR);
    }

    if (copy != -1) {
        (void) close(copy);
    }
}


/* those that stay have taken their descriptors before */

void
ngx_http_clipper_rpc_peer_settle(void)
{
    ngx_uint_t  most;

    if (ngx_http_clipper_process.retiring) {
        most = 0;

    } else {
        most = ngx_http_clipper_peer_spare
               - ngx_min(ngx_http_clipper_peer_nkept,
                         ngx_http_clipper_peer_spare);
        most = ngx_min(most, NGX_HTTP_CLIPPER_RPC_STRANGERS_MAX);
        most = ngx_max(most, NGX_HTTP_CLIPPER_RPC_STRANGERS_MIN);
    }

    while (ngx_http_clipper_peer_nstrangers > most) {

        if (most) {
            ngx_http_clipper_peer_log(ngx_http_clipper_peer_oldest(),
                                      "too many are open");
        }

        ngx_http_clipper_rpc_peer_shut(ngx_http_clipper_peer_oldest()->fd);
    }
}


static void
ngx_http_clipper_peer_stranger(ngx_http_clipper_peer_t *peer)
{
    peer->since_us = clipper_clock_us();
    peer->bytes = ngx_http_clipper_peer_bytes(peer);

    ngx_queue_insert_tail(&ngx_http_clipper_peer_strangers, &peer->link);
    ngx_http_clipper_peer_nstrangers++;

    if (!ngx_http_clipper_peer_timer.timer_set) {
        ngx_add_timer(&ngx_http_clipper_peer_timer,
                      NGX_HTTP_CLIPPER_PEER_LOOK);
    }
}


static ngx_http_clipper_peer_t *
ngx_http_clipper_peer_oldest(void)
{
    return ngx_queue_data(ngx_queue_head(&ngx_http_clipper_peer_strangers),
                          ngx_http_clipper_peer_t, link);
}


/* takes a peer out of its count; the caller gives it another or closes it */

static void
ngx_http_clipper_peer_leave(ngx_http_clipper_peer_t *peer)
{
    if (peer->kept) {
        peer->kept = 0;
        ngx_http_clipper_peer_nkept--;

    } else if (!peer->shut) {
        ngx_queue_remove(&peer->link);
        ngx_http_clipper_peer_nstrangers--;
    }
}


/* the number that only this socket has; 0: unknown, before Linux 4.12 */

static uint64_t
ngx_http_clipper_peer_cookie(int fd)
{
    uint64_t   cookie;
    socklen_t  len;

    cookie = 0;
    len = sizeof(cookie);

    (void) getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);

    return cookie;
}


/*
 * Time and bytes of strangers.  libzmq keeps the frames of a message until its
 * last one, however many there are, and nothing but the bytes tells of them.
 */

static void
ngx_http_clipper_peer_look(ngx_event_t *ev)
{
    uint64_t                  now_us;
    const char               *why;
    ngx_queue_t              *q, *next;
    ngx_http_clipper_peer_t  *peer;

    ngx_http_clipper_peer_sync();

    now_us = clipper_clock_us();

    for (q = ngx_queue_head(&ngx_http_clipper_peer_strangers);
         q != ngx_queue_sentinel(&ngx_http_clipper_peer_strangers);
         q = next)
    {
        next = ngx_queue_next(q);
        peer = ngx_queue_data(q, ngx_http_clipper_peer_t, link);

        if (now_us - peer->since_us > NGX_HTTP_CLIPPER_PEER_TIME) {
            why = "they took too long";

        } else if (ngx_http_clipper_peer_bytes(peer) - peer->bytes
                   > NGX_HTTP_CLIPPER_PEER_SAYS)
        {
            why = "they sent too much";

        } else {
            continue;
        }

        ngx_http_clipper_peer_log(peer, why);
        ngx_http_clipper_rpc_peer_shut(peer->fd);
    }

    if (ngx_http_clipper_peer_nstrangers) {
        ngx_add_timer(ev, NGX_HTTP_CLIPPER_PEER_LOOK);
    }
}


/* what has come on a connection; 0: unknown, as for a Unix socket */

static uint64_t
ngx_http_clipper_peer_bytes(ngx_http_clipper_peer_t *peer)
{
    socklen_t                     len;
    ngx_http_clipper_peer_info_t  info;

    len = sizeof(info);

    if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1
        || len < sizeof(info))
    {
        return 0;
    }

    return info.bytes_received;
}


static void
ngx_http_clipper_peer_log(ngx_http_clipper_peer_t *peer, const char *why)
{
    u_char           buf[NGX_SOCKADDR_STRLEN];
    size_t           len;
    uint64_t         now_us;
    socklen_t        socklen;
    ngx_sockaddr_t   sa;

    static uint64_t  logged_us;

    now_us = clipper_clock_us();

    if (logged_us && now_us - logged_us < NGX_HTTP_CLIPPER_PEER_LOG) {
        return;
    }

    logged_us = now_us;

    len = 0;
    socklen = sizeof(sa);

    if (getpeername(peer->fd, &sa.sockaddr, &socklen) == 0) {
        len = ngx_sock_ntop(&sa.sockaddr, socklen, buf, sizeof(buf), 1);
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "container RPC: closing connections on which no container "
                  "registered: %s, the last from \"%*s\"", why, len, buf);
}

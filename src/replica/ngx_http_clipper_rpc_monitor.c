
/*
 * The monitor of the ROUTER, see the header.
 */


#include "replica/ngx_http_clipper_rpc_monitor.h"
#include "replica/ngx_http_clipper_rpc_number.h"
#include "replica/ngx_http_clipper_rpc_peer.h"
#include "replica/ngx_http_clipper_rpc_zap.h"
#include "worker/ngx_http_clipper_zmq.h"


#define NGX_HTTP_CLIPPER_MONITOR_NAME  "inproc://monitor"

#if !defined(ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
#define ZMQ_EVENT_HANDSHAKE_SUCCEEDED  0            /* before libzmq 4.3 */
#define ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL  0
#define ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL   0
#endif

#define NGX_HTTP_CLIPPER_MONITOR_FAILED                                       \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL|ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)


static void ngx_http_clipper_monitor_read(void);


static ngx_http_clipper_zmq_t                  ngx_http_clipper_rpc_monitor;
static const ngx_http_clipper_rpc_handlers_t  *ngx_http_clipper_monitor_tell;


ngx_int_t
ngx_http_clipper_rpc_monitor_init(ngx_cycle_t *cycle, void *context,
    void *router, const ngx_http_clipper_rpc_handlers_t *handlers)
{
    int    unlimited;
    void  *socket;

    ngx_http_clipper_monitor_tell = handlers;
    unlimited = 0;

    if (zmq_socket_monitor(router, NGX_HTTP_CLIPPER_MONITOR_NAME,
                           ZMQ_EVENT_ACCEPTED|ZMQ_EVENT_DISCONNECTED
                           |ZMQ_EVENT_HANDSHAKE_SUCCEEDED
                           |NGX_HTTP_CLIPPER_MONITOR_FAILED)
        == -1)
    {
        return NGX_ERROR;
    }

    socket = zmq_socket(context, ZMQ_PAIR);
    ngx_http_clipper_rpc_monitor.socket = socket;

    /* a full pipe would block libzmq's thread */

    if (socket == NULL
        || zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof(int)) == -1
        || zmq_connect(socket, NGX_HTTP_CLIPPER_MONITOR_NAME) == -1)
    {
        return NGX_ERROR;
    }

    if (ngx_http_clipper_zmq_watch(cycle, &ngx_http_clipper_rpc_monitor,
                                   ngx_http_clipper_monitor_read)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* libzmq signals only a reader that has found nothing */

    ngx_http_clipper_monitor_read();

    return NGX_OK;
}


void
ngx_http_clipper_rpc_monitor_done(void *router)
{
    if (router) {
        (void) zmq_socket_monitor(router, NULL, 0);
    }

    ngx_http_clipper_zmq_unwatch(&ngx_http_clipper_rpc_monitor);
}


/* an event is two frames: u16 event and i32 value, then the address */

static void
ngx_http_clipper_monitor_read(void)
{
    int        more;
    int32_t    value;
    uint16_t   event;
    zmq_msg_t  msg;

    while (ngx_http_clipper_zmq_readable(&ngx_http_clipper_rpc_monitor)) {

        (void) zmq_msg_init(&msg);

        if (ngx_http_clipper_zmq_recv(ngx_http_clipper_rpc_monitor.socket,
                                      &msg)
            < (int) (sizeof(event) + sizeof(value)))
        {
            (void) zmq_msg_close(&msg);
            continue;
        }

        ngx_memcpy(&event, zmq_msg_data(&msg), sizeof(event));
        ngx_memcpy(&value, (u_char *) zmq_msg_data(&msg) + sizeof(event),
                   sizeof(value));

        more = zmq_msg_more(&msg);

        while (more) {
            if (ngx_http_clipper_zmq_recv(ngx_http_clipper_rpc_monitor.socket,
                                          &msg)
                == -1)
            {
                break;
            }

            more = zmq_msg_more(&msg);
        }

        (void) zmq_msg_close(&msg);

        if (event == ZMQ_EVENT_DISCONNECTED) {
            ngx_http_clipper_rpc_peer_closed(value);
            ngx_http_clipper_monitor_tell->closed(value);

        } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            ngx_http_clipper_rpc_number_given();

        } else if (event & NGX_HTTP_CLIPPER_MONITOR_FAILED) {
            ngx_http_clipper_rpc_zap_failed(
                event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ? value : 0);

        } else {
            ngx_http_clipper_rpc_peer_opened(value);
        }
    }

    ngx_http_clipper_rpc_peer_settle();
}


void
ngx_http_clipper_rpc_monitor_sync(void)
{
    if (ngx_http_clipper_rpc_monitor.socket) {
        ngx_http_clipper_monitor_read();
    }
}

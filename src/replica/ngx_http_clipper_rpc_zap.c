
/*
 * Keys that connect, see the header.
 *
 * A question is "1.0", its number, the domain, the peer's address, an
 * identity, the mechanism and the peer's public key.
 */


#include "replica/ngx_http_clipper_rpc_zap.h"
#include "base/clipper_clock.h"
#include "base/clipper_limiter.h"
#include "conf/ngx_http_clipper_conf_curve.h"
#include "proto/clipper_proto_refusal.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_zmq.h"


#define NGX_HTTP_CLIPPER_ZAP_BITE   64          /* questions */
#define NGX_HTTP_CLIPPER_ZAP_PARTS  6           /* of an answer */


enum {
    NGX_HTTP_CLIPPER_ZAP_VERSION = 0,
    NGX_HTTP_CLIPPER_ZAP_NUMBER,
    NGX_HTTP_CLIPPER_ZAP_DOMAIN,
    NGX_HTTP_CLIPPER_ZAP_ADDRESS,
    NGX_HTTP_CLIPPER_ZAP_IDENTITY,
    NGX_HTTP_CLIPPER_ZAP_MECHANISM,
    NGX_HTTP_CLIPPER_ZAP_KEY,

    NGX_HTTP_CLIPPER_ZAP_FRAMES
};


static ngx_uint_t ngx_http_clipper_zap_needed(ngx_array_t *endpoints);
static void ngx_http_clipper_zap_read(void);
static ngx_uint_t ngx_http_clipper_zap_receive(ngx_str_t *frames,
    zmq_msg_t *parts);
static ngx_uint_t ngx_http_clipper_zap_judge(ngx_str_t *frames);
static void ngx_http_clipper_zap_answer(ngx_str_t *frames, ngx_uint_t known);
static void ngx_http_clipper_zap_send(zmq_msg_t *parts);
static void ngx_http_clipper_zap_refuse(clipper_proto_refusal_e cause,
    ngx_str_t *address, ngx_str_t *text);


static ngx_http_clipper_zmq_t  ngx_http_clipper_zap;
static ngx_array_t            *ngx_http_clipper_zap_endpoints;


ngx_int_t
ngx_http_clipper_rpc_zap_init(ngx_cycle_t *cycle, void *context,
    ngx_array_t *endpoints)
{
    void  *socket;

    ngx_http_clipper_zap_endpoints = endpoints;

    if (!ngx_http_clipper_zap_needed(endpoints)) {
        return NGX_OK;
    }

    socket = zmq_socket(context, ZMQ_REP);
    ngx_http_clipper_zap.socket = socket;

    if (socket == NULL
        || ngx_http_clipper_zmq_set(socket, ZMQ_LINGER, 0, cycle->log)
           != NGX_OK
        || zmq_bind(socket, "inproc://zeromq.zap.01") == -1)
    {
        return NGX_ERROR;
    }

    return ngx_http_clipper_zmq_watch(cycle, &ngx_http_clipper_zap,
                                      ngx_http_clipper_zap_read);
}


static ngx_uint_t
ngx_http_clipper_zap_needed(ngx_array_t *endpoints)
{
    ngx_uint_t                    i;
    ngx_http_clipper_endpoint_t  *endpoint;

    endpoint = endpoints->elts;

    for (i = 0; i < endpoints->nelts; i++) {
        if (endpoint[i].curve) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_clipper_rpc_zap_done(void)
{
    ngx_http_clipper_zmq_unwatch(&ngx_http_clipper_zap);
}


static void
ngx_http_clipper_zap_read(void)
{
    zmq_msg_t    parts[NGX_HTTP_CLIPPER_ZAP_FRAMES];
    ngx_str_t    frames[NGX_HTTP_CLIPPER_ZAP_FRAMES];
    ngx_uint_t   i, n, bite;

    for (bite = 0; bite < NGX_HTTP_CLIPPER_ZAP_BITE; bite++) {

        if (!ngx_http_clipper_zmq_readable(&ngx_http_clipper_zap)) {
            return;
        }

        n = ngx_http_clipper_zap_receive(frames, parts);

        if (n > NGX_HTTP_CLIPPER_ZAP_NUMBER) {
            ngx_http_clipper_zap_answer(frames,
                                    n == NGX_HTTP_CLIPPER_ZAP_FRAMES
                                    && ngx_http_clipper_zap_judge(frames));
        }

        for (i = 0; i < n; i++) {
            (void) zmq_msg_close(&parts[i]);
        }
    }

    ngx_http_clipper_zmq_check(&ngx_http_clipper_zap);
}


/* libzmq itself asks, so a question has all frames and no others */

static ngx_uint_t
ngx_http_clipper_zap_receive(ngx_str_t *frames, zmq_msg_t *parts)
{
    int         more;
    ngx_uint_t  n;

    n = 0;

    do {
        (void) zmq_msg_init(&parts[n]);

        if (ngx_http_clipper_zmq_recv(ngx_http_clipper_zap.socket, &parts[n])
            == -1)
        {
            (void) zmq_msg_close(&parts[n]);
            break;
        }

        frames[n].data = zmq_msg_data(&parts[n]);
        frames[n].len = zmq_msg_size(&parts[n]);

        more = zmq_msg_more(&parts[n]);

    } while (++n < NGX_HTTP_CLIPPER_ZAP_FRAMES && more);

    return n;
}


static ngx_uint_t
ngx_http_clipper_zap_judge(ngx_str_t *frames)
{
    char                          text[41];
    ngx_str_t                    *key, *domain, shown;
    ngx_uint_t                    i;
    ngx_http_clipper_endpoint_t  *endpoint;

    key = &frames[NGX_HTTP_CLIPPER_ZAP_KEY];
    domain = &frames[NGX_HTTP_CLIPPER_ZAP_DOMAIN];
    endpoint = ngx_http_clipper_zap_endpoints->elts;

    if (key->len != NGX_HTTP_CLIPPER_CURVE_KEY) {
        return 0;
    }

    for (i = 0; i < ngx_http_clipper_zap_endpoints->nelts; i++) {

        if (endpoint[i].curve
            && endpoint[i].endpoint.len == domain->len
            && ngx_memcmp(endpoint[i].endpoint.data, domain->data, domain->len)
               == 0
            && ngx_http_clipper_conf_curve_knows(endpoint[i].curve, key->data))
        {
            return 1;
        }
    }

    shown.data = (u_char *) zmq_z85_encode(text, key->data, key->len);
    shown.len = sizeof(text) - 1;

    ngx_http_clipper_zap_refuse(CLIPPER_PROTO_REFUSAL_KEY,
                                &frames[NGX_HTTP_CLIPPER_ZAP_ADDRESS], &shown);

    return 0;
}


/*
 * All parts are there before the first is sent.  After a question the socket
 * takes no other before it has sent something: without memory this is an empty
 * message, which libzmq refuses, and the peer connects again.
 */

static void
ngx_http_clipper_zap_answer(ngx_str_t *frames, ngx_uint_t known)
{
    zmq_msg_t    parts[NGX_HTTP_CLIPPER_ZAP_PARTS];
    ngx_str_t    texts[NGX_HTTP_CLIPPER_ZAP_PARTS];
    ngx_uint_t   i;

    ngx_str_set(&texts[0], "1.0");
    texts[1] = frames[NGX_HTTP_CLIPPER_ZAP_NUMBER];

    if (known) {
        ngx_str_set(&texts[2], "200");
        ngx_str_set(&texts[3], "OK");

    } else {
        /* a failure for good would keep libzmq from connecting again */

        ngx_str_set(&texts[2], "300");
        ngx_str_set(&texts[3], "The key may not connect");
    }

    ngx_str_set(&texts[4], "");         /* the name of the user */
    ngx_str_set(&texts[5], "");         /* and what is known of him */

    for (i = 0; i < NGX_HTTP_CLIPPER_ZAP_PARTS; i++) {
        if (zmq_msg_init_size(&parts[i], texts[i].len) == -1) {
            break;
        }

        ngx_memcpy(zmq_msg_data(&parts[i]), texts[i].data, texts[i].len);
    }

    if (i == NGX_HTTP_CLIPPER_ZAP_PARTS) {
        ngx_http_clipper_zap_send(parts);

    } else {
        (void) ngx_http_clipper_zmq_send(ngx_http_clipper_zap.socket, "", 0, 0);
    }

    while (i) {
        (void) zmq_msg_close(&parts[--i]);
    }
}


/* only a signal can interrupt: another answer must not follow half of one */

static void
ngx_http_clipper_zap_send(zmq_msg_t *parts)
{
    int          flags;
    ngx_uint_t   i;

    for (i = 0; i < NGX_HTTP_CLIPPER_ZAP_PARTS; i++) {
        flags = i < NGX_HTTP_CLIPPER_ZAP_PARTS - 1
                ? ZMQ_DONTWAIT|ZMQ_SNDMORE : ZMQ_DONTWAIT;

        while (zmq_msg_send(&parts[i], ngx_http_clipper_zap.socket, flags)
               == -1)
        {
            if (errno != EINTR) {
                ngx_log_error(NGX_LOG_ALERT, ngx_http_clipper_process.log,
                              errno, "libzmq refused part %ui of %d of the "
                              "answer whether a key may connect", i + 1,
                              NGX_HTTP_CLIPPER_ZAP_PARTS);
                return;
            }
        }
    }
}


void
ngx_http_clipper_rpc_zap_failed(int32_t reason)
{
    ngx_str_t          text;
    clipper_proto_refusal_e  cause;

    static ngx_str_t  nobody = ngx_null_string;

    cause = CLIPPER_PROTO_REFUSAL_HANDSHAKE;
    ngx_str_set(&text, "");

#if (defined ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
    if (reason == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
        cause = CLIPPER_PROTO_REFUSAL_MECHANISM;
    }
#endif

    ngx_http_clipper_zap_refuse(cause, &nobody, &text);
}


static void
ngx_http_clipper_zap_refuse(clipper_proto_refusal_e cause, ngx_str_t *address,
    ngx_str_t *text)
{
    uint64_t                  key;
    ngx_uint_t                level, told;

    static clipper_limiter_t  limiters[CLIPPER_PROTO_REFUSALS];

    (void) __atomic_fetch_add(
                   &ngx_http_clipper_process.zone->header->refusals[cause], 1,
                   __ATOMIC_RELAXED);

    key = ngx_hash_key(address->data, address->len);

    told = clipper_limiter(&limiters[cause], key, clipper_clock_us());
    if (!told) {
        return;
    }

    /* whoever only looks whether the port is open fails as well */

    level = cause == CLIPPER_PROTO_REFUSAL_HANDSHAKE ? NGX_LOG_INFO
                                                     : NGX_LOG_WARN;

    ngx_log_error(level, ngx_http_clipper_process.log, 0,
                  "container refused: %V%s%V%s%V%s",
                  clipper_proto_refusal_text(cause),
                  text->len ? ", key " : "", text,
                  address->len ? ", peer " : "", address,
                  clipper_limiter_end(told));
}

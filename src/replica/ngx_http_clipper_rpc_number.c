
/*
 * Silent peers, see the header.
 *
 * Numbers below `low` are done.  A sample, the number of a fresh DEALER over
 * inproc, is an upper bound of those given before; our DEALER sends a secret,
 * by which its message is known.  The numbers between may be peers that have
 * gone: a message to such a number fails and reaches no container
 * (ZMQ_ROUTER_MANDATORY).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "replica/ngx_http_clipper_rpc_number.h"
#include <sys/random.h>


#define NGX_HTTP_CLIPPER_NUMBER_NAME    "inproc://numbers"
#define NGX_HTTP_CLIPPER_NUMBER_SECRET  16
#define NGX_HTTP_CLIPPER_NUMBER_SPEAKS  10      /* ms, time to speak first */
#define NGX_HTTP_CLIPPER_NUMBER_BITE    64      /* numbers in a row */
#define NGX_HTTP_CLIPPER_NUMBER_HEARD   4096    /* bits, a power of two */


static ngx_int_t ngx_http_clipper_number_sample(void);
static ngx_uint_t ngx_http_clipper_number_parse(
    ngx_http_clipper_identity_t *id, uint32_t *number);
static void ngx_http_clipper_number_due(ngx_event_t *ev);
static void ngx_http_clipper_number_tell(ngx_event_t *ev);


static void                                   *ngx_http_clipper_number_context;
static void                                   *ngx_http_clipper_number_dealer;
static ngx_http_clipper_zmq_t                 *ngx_http_clipper_number_router;
static const ngx_http_clipper_rpc_handlers_t  *ngx_http_clipper_number_user;

static uint32_t          ngx_http_clipper_number_low;
static uint32_t          ngx_http_clipper_number_high;  /* the sample's */
static ngx_uint_t        ngx_http_clipper_number_known; /* low is valid */
static ngx_uint_t        ngx_http_clipper_number_more;  /* sample again */

/* numbers from low on that have spoken, by their last bits */
static u_char            ngx_http_clipper_number_spoke[
                                           NGX_HTTP_CLIPPER_NUMBER_HEARD / 8];

static u_char            ngx_http_clipper_number_secret[
                                              NGX_HTTP_CLIPPER_NUMBER_SECRET];

static ngx_event_t       ngx_http_clipper_number_timer;
static ngx_event_t       ngx_http_clipper_number_next;
static ngx_connection_t  ngx_http_clipper_number_dummy;


ngx_int_t
ngx_http_clipper_rpc_number_init(ngx_cycle_t *cycle, void *context,
    ngx_http_clipper_zmq_t *router,
    const ngx_http_clipper_rpc_handlers_t *handlers)
{
    int                          major, minor, patch;
    u_char                       secret[NGX_HTTP_CLIPPER_NUMBER_SECRET];
    zmq_msg_t                    msg;
    ngx_uint_t                   i;
    ngx_http_clipper_identity_t  id;

    zmq_version(&major, &minor, &patch);

    /* the versions whose order of numbers and reports was tried */

    if (major != 4 || minor != 3 || patch < 4 || patch > 5) {
        return NGX_DECLINED;
    }

    ngx_http_clipper_number_context = context;
    ngx_http_clipper_number_router = router;
    ngx_http_clipper_number_user = handlers;

    ngx_http_clipper_number_dummy.fd = (ngx_socket_t) -1;

    ngx_http_clipper_number_timer.handler = ngx_http_clipper_number_due;
    ngx_http_clipper_number_timer.data = &ngx_http_clipper_number_dummy;
    ngx_http_clipper_number_timer.log = cycle->log;
    ngx_http_clipper_number_timer.cancelable = 1;

    ngx_http_clipper_number_next.handler = ngx_http_clipper_number_tell;
    ngx_http_clipper_number_next.data = &ngx_http_clipper_number_dummy;
    ngx_http_clipper_number_next.log = cycle->log;

    if (getrandom(ngx_http_clipper_number_secret, sizeof(secret), 0)
        != sizeof(secret)
        || zmq_bind(router->socket, NGX_HTTP_CLIPPER_NUMBER_NAME) == -1
        || ngx_http_clipper_number_sample() != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* no other peer can have connected, and inproc has no delay */

    for (i = 0; i < 2; i++) {
        (void) zmq_msg_init(&msg);

        if (ngx_http_clipper_zmq_recv(router->socket, &msg) == -1) {
            (void) zmq_msg_close(&msg);
            break;
        }

        if (i == 0) {
            id.len = (u_char) ngx_min(zmq_msg_size(&msg), sizeof(id.data));
            ngx_memcpy(id.data, zmq_msg_data(&msg), id.len);
        }

        (void) zmq_msg_close(&msg);
    }

    (void) zmq_close(ngx_http_clipper_number_dealer);
    ngx_http_clipper_number_dealer = NULL;

    if (i < 2 || !ngx_http_clipper_number_parse(&id,
                                                &ngx_http_clipper_number_low))
    {
        return NGX_DECLINED;
    }

    ngx_http_clipper_number_low++;
    ngx_http_clipper_number_high = ngx_http_clipper_number_low;
    ngx_http_clipper_number_known = 1;

    return NGX_OK;
}


void
ngx_http_clipper_rpc_number_done(void)
{
    if (ngx_http_clipper_number_dealer) {
        (void) zmq_close(ngx_http_clipper_number_dealer);
        ngx_http_clipper_number_dealer = NULL;
    }

    if (ngx_http_clipper_number_timer.timer_set) {
        ngx_del_timer(&ngx_http_clipper_number_timer);
    }

    if (ngx_http_clipper_number_next.posted) {
        ngx_delete_posted_event(&ngx_http_clipper_number_next);
    }

    ngx_http_clipper_number_known = 0;
}


/* a DEALER that connects now, and tells us its number */

static ngx_int_t
ngx_http_clipper_number_sample(void)
{
    int    linger;
    void  *dealer;

    linger = 0;
    dealer = zmq_socket(ngx_http_clipper_number_context, ZMQ_DEALER);

    if (dealer == NULL) {
        return NGX_ERROR;
    }

    if (zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof(linger)) == -1
        || zmq_connect(dealer, NGX_HTTP_CLIPPER_NUMBER_NAME) == -1
        || ngx_http_clipper_zmq_send(dealer, ngx_http_clipper_number_secret,
                                     NGX_HTTP_CLIPPER_NUMBER_SECRET, 0)
           == -1)
    {
        (void) zmq_close(dealer);
        return NGX_ERROR;
    }

    ngx_http_clipper_number_dealer = dealer;

    return NGX_OK;
}


/* an identity that libzmq made: 0, then the number from its highest byte on */

static ngx_uint_t
ngx_http_clipper_number_parse(ngx_http_clipper_identity_t *id,
    uint32_t *number)
{
    if (id->len != 5 || id->data[0] != 0) {
        return 0;
    }

    *number = (uint32_t) id->data[1] << 24 | (uint32_t) id->data[2] << 16
              | (uint32_t) id->data[3] << 8 | id->data[4];

    return 1;
}


void
ngx_http_clipper_rpc_number_given(void)
{
    if (!ngx_http_clipper_number_known) {
        return;
    }

    if (ngx_http_clipper_number_dealer) {
        ngx_http_clipper_number_more = 1;

    } else if (!ngx_http_clipper_number_timer.timer_set) {
        ngx_add_timer(&ngx_http_clipper_number_timer,
                      NGX_HTTP_CLIPPER_NUMBER_SPEAKS);
    }
}


static void
ngx_http_clipper_number_due(ngx_event_t *ev)
{
    if (ngx_http_clipper_number_dealer == NULL
        && ngx_http_clipper_number_sample() == NGX_OK)
    {
        ngx_http_clipper_zmq_check(ngx_http_clipper_number_router);
    }
}


ngx_uint_t
ngx_http_clipper_rpc_number_heard(ngx_http_clipper_identity_t *id, int fd,
    clipper_proto_frame_t *frames, ngx_uint_t n)
{
    uint32_t  number;

    if (!ngx_http_clipper_number_known
        || !ngx_http_clipper_number_parse(id, &number))
    {
        return 0;
    }

    /* only inproc has no descriptor */

    if (fd == -1
        && ngx_http_clipper_number_dealer
        && n == 1
        && frames[0].len == NGX_HTTP_CLIPPER_NUMBER_SECRET
        && ngx_memcmp(frames[0].data, ngx_http_clipper_number_secret,
                      NGX_HTTP_CLIPPER_NUMBER_SECRET)
           == 0)
    {
        (void) zmq_close(ngx_http_clipper_number_dealer);
        ngx_http_clipper_number_dealer = NULL;

        ngx_http_clipper_number_high = number;

        if (!ngx_http_clipper_number_next.posted) {
            ngx_post_event(&ngx_http_clipper_number_next, &ngx_posted_events);
        }

        if (ngx_http_clipper_number_more) {
            ngx_http_clipper_number_more = 0;
            ngx_http_clipper_rpc_number_given();
        }

        return 1;
    }

    if (number - ngx_http_clipper_number_low < NGX_HTTP_CLIPPER_NUMBER_HEARD) {
        number %= NGX_HTTP_CLIPPER_NUMBER_HEARD;
        ngx_http_clipper_number_spoke[number / 8] |= 1 << (number % 8);
    }

    return 0;
}


/* tells those up to the sample that have not spoken, and forgets their marks */

static void
ngx_http_clipper_number_tell(ngx_event_t *ev)
{
    u_char                      *spoke, bit;
    uint32_t                     number;
    ngx_uint_t                   i;
    ngx_http_clipper_identity_t  id;

    for (i = 0; i < NGX_HTTP_CLIPPER_NUMBER_BITE; i++) {

        number = ngx_http_clipper_number_low;

        if ((int32_t) (ngx_http_clipper_number_high - number) < 0) {
            return;
        }

        ngx_http_clipper_number_low++;

        spoke = &ngx_http_clipper_number_spoke[
                            number % NGX_HTTP_CLIPPER_NUMBER_HEARD / 8];
        bit = 1 << (number % 8);

        if (number != ngx_http_clipper_number_high && !(*spoke & bit)) {
            id.len = 5;
            id.data[0] = 0;
            id.data[1] = (u_char) (number >> 24);
            id.data[2] = (u_char) (number >> 16);
            id.data[3] = (u_char) (number >> 8);
            id.data[4] = (u_char) number;

            ngx_http_clipper_number_user->silent(&id);
        }

        *spoke &= ~bit;
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}

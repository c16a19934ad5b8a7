
/*
 * Addresses of the ROUTER, see the header.
 *
 * libzmq owns the duplicate that it was given.  For a deaf worker the number
 * of that descriptor stands for another socket meanwhile, at which nobody ever
 * connects.  What its epoll knows is still the first one, so that one is back
 * before libzmq closes it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "replica/ngx_http_clipper_rpc_bind.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_zmq.h"
#include <sys/un.h>


typedef struct {
    ngx_http_clipper_endpoint_t  *endpoint;
    int                           fd;           /* libzmq's */
    int                           heard;        /* its socket; -1: not deaf */
} ngx_http_clipper_bind_t;


static ngx_int_t ngx_http_clipper_bind_one(ngx_cycle_t *cycle,
    ngx_http_clipper_bind_t *bound);
static ngx_int_t ngx_http_clipper_bind_allow(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint);
static ngx_int_t ngx_http_clipper_bind_curve(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint);
static int ngx_http_clipper_bind_silence(void);
static ngx_int_t ngx_http_clipper_bind_set(ngx_cycle_t *cycle, int option,
    int value);


static void                     *ngx_http_clipper_bind_router;
static ngx_http_clipper_bind_t  *ngx_http_clipper_bound;
static ngx_uint_t                ngx_http_clipper_nbound;


ngx_int_t
ngx_http_clipper_rpc_bind_open(ngx_cycle_t *cycle, void *router,
    ngx_array_t *endpoints)
{
    ngx_uint_t                    i, keys;
    ngx_http_clipper_bind_t      *bound;
    ngx_http_clipper_endpoint_t  *endpoint;

    bound = ngx_pcalloc(cycle->pool,
                        endpoints->nelts * sizeof(ngx_http_clipper_bind_t));
    if (bound == NULL) {
        return NGX_ERROR;
    }

    ngx_http_clipper_bind_router = router;
    ngx_http_clipper_bound = bound;

    endpoint = endpoints->elts;

    /* those with keys last: libzmq cannot unset a domain */

    for (keys = 0; keys < 2; keys++) {
        for (i = 0; i < endpoints->nelts; i++) {

            if (keys != (endpoint[i].curve != NULL)) {
                continue;
            }

            bound->endpoint = &endpoint[i];
            bound->heard = -1;

            if (ngx_http_clipper_bind_one(cycle, bound++) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_http_clipper_nbound++;
        }
    }

    return NGX_OK;
}


/*
 * The ROUTER of every worker accepts on a duplicate of the one listening
 * socket that nginx's master opened.  Options apply to the binds that follow.
 */

static ngx_int_t
ngx_http_clipper_bind_one(ngx_cycle_t *cycle, ngx_http_clipper_bind_t *bound)
{
    int                           fd;
    void                         *router;
    int64_t                       size;
    ngx_http_clipper_endpoint_t  *endpoint;

    router = ngx_http_clipper_bind_router;
    endpoint = bound->endpoint;
    size = endpoint->max_message ? (int64_t) endpoint->max_message : -1;

    if (ngx_http_clipper_bind_allow(cycle, endpoint) != NGX_OK
        || ngx_http_clipper_bind_curve(cycle, endpoint) != NGX_OK)
    {
        return NGX_ERROR;
    }

    fd = fcntl(endpoint->fd, F_DUPFD_CLOEXEC, 0);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "clipper_rpc %V: fcntl(F_DUPFD_CLOEXEC) failed",
                      &endpoint->address);
        return NGX_ERROR;
    }

    if (zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &size, sizeof(size)) == -1
        || ngx_http_clipper_bind_set(cycle, ZMQ_USE_FD, fd) != NGX_OK
        || zmq_bind(router, (char *) endpoint->endpoint.data) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "clipper_rpc %V: zmq_bind() failed: %s",
                      &endpoint->address, zmq_strerror(errno));
        (void) close(fd);
        return NGX_ERROR;
    }

    bound->fd = fd;

    return ngx_http_clipper_bind_set(cycle, ZMQ_USE_FD, -1);
}


static ngx_int_t
ngx_http_clipper_bind_set(ngx_cycle_t *cycle, int option, int value)
{
    return ngx_http_clipper_zmq_set(ngx_http_clipper_bind_router, option,
                                    value, cycle->log);
}


/*
 * Filters of the endpoint's own address family: libzmq reads an IPv6 filter
 * only with the option ZMQ_IPV6, which turns IPv4 filters into mapped
 * addresses.
 */

static ngx_int_t
ngx_http_clipper_bind_allow(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint)
{
    void                      *router;
    ngx_uint_t                 i;
    ngx_http_clipper_allow_t  *allow;

    router = ngx_http_clipper_bind_router;
    allow = endpoint->allow.elts;

    (void) zmq_setsockopt(router, ZMQ_TCP_ACCEPT_FILTER, NULL, 0);

    if (ngx_http_clipper_bind_set(cycle, ZMQ_IPV6,
                                  endpoint->family == AF_INET6)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < endpoint->allow.nelts; i++) {

        if (allow[i].family == endpoint->family
            && zmq_setsockopt(router, ZMQ_TCP_ACCEPT_FILTER,
                              allow[i].cidr.data, allow[i].cidr.len)
               == -1)
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "clipper_rpc: allow=%V: %s", &allow[i].cidr,
                          zmq_strerror(errno));
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the domain tells the handler of ZAP which address a key is for */

static ngx_int_t
ngx_http_clipper_bind_curve(ngx_cycle_t *cycle,
    ngx_http_clipper_endpoint_t *endpoint)
{
    void  *router;

    if (endpoint->curve == NULL) {
        return NGX_OK;
    }

    router = ngx_http_clipper_bind_router;

    if (zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, endpoint->curve->secret,
                       NGX_HTTP_CLIPPER_CURVE_KEY) == -1
        || zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, endpoint->endpoint.data,
                          endpoint->endpoint.len) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "clipper_rpc %V: CURVE: %s", &endpoint->address,
                      zmq_strerror(errno));
        return NGX_ERROR;
    }

    return ngx_http_clipper_bind_set(cycle, ZMQ_CURVE_SERVER, 1);
}


void
ngx_http_clipper_rpc_bind_close(void)
{
    ngx_uint_t  i;

    ngx_http_clipper_rpc_bind_deaf(0);

    for (i = 0; i < ngx_http_clipper_nbound; i++) {
        (void) zmq_unbind(ngx_http_clipper_bind_router,
                 (char *) ngx_http_clipper_bound[i].endpoint->endpoint.data);
    }

    ngx_http_clipper_nbound = 0;
}


void
ngx_http_clipper_rpc_bind_deaf(ngx_uint_t deaf)
{
    int                       silence;
    ngx_uint_t                i;
    ngx_http_clipper_bind_t  *bound;

    silence = -1;

    for (i = 0; i < ngx_http_clipper_nbound; i++) {
        bound = &ngx_http_clipper_bound[i];

        if (deaf == (bound->heard != -1)) {
            continue;
        }

        if (!deaf) {
            (void) dup3(bound->heard, bound->fd, O_CLOEXEC);
            (void) close(bound->heard);
            bound->heard = -1;
            continue;
        }

        if (silence == -1) {
            silence = ngx_http_clipper_bind_silence();
        }

        if (silence != -1) {
            bound->heard = fcntl(bound->fd, F_DUPFD_CLOEXEC, 0);
        }

        if (bound->heard != -1) {
            (void) dup3(silence, bound->fd, O_CLOEXEC);
        }
    }

    if (silence != -1) {
        (void) close(silence);
    }
}


/* a listening socket without a path; the kernel chooses an abstract name */

static int
ngx_http_clipper_bind_silence(void)
{
    int                 fd;
    struct sockaddr_un  sun;

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    ngx_memzero(&sun, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (bind(fd, (struct sockaddr *) &sun, sizeof(sa_family_t)) == -1
        || listen(fd, 1) == -1)
    {
        (void) close(fd);
        return -1;
    }

    return fd;
}

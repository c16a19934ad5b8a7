
/*
 * Addresses, as configured: where containers connect to, and where Redis is.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_PEER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_PEER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* connections to clipper_rpc without a container, in a worker */
#define NGX_HTTP_CLIPPER_RPC_STRANGERS_MIN  16
#define NGX_HTTP_CLIPPER_RPC_STRANGERS_MAX  512

/* connections to clipper_rpc that a worker should have descriptors for */
#define NGX_HTTP_CLIPPER_RPC_ROOM           128

/* descriptors of a worker that are not connections */
#define NGX_HTTP_CLIPPER_RPC_OTHERS         32


/* who may connect: a CIDR, NUL-terminated */

typedef struct {
    ngx_str_t                     cidr;
    int                           family;
} ngx_http_clipper_allow_t;


/* encryption of an address, and whose keys may connect */

#define NGX_HTTP_CLIPPER_CURVE_KEY  32

typedef struct {
    u_char                        secret[NGX_HTTP_CLIPPER_CURVE_KEY];
    ngx_array_t                   clients;      /* public keys, sorted */
    unsigned                      has_secret:1;
    unsigned                      has_clients:1;
} ngx_http_clipper_curve_t;


typedef struct {
    ngx_str_t                     address;      /* as written */
    ngx_str_t                     endpoint;     /* as libzmq writes it, NUL-
                                                   terminated */
    size_t                        max_message;
    ngx_uint_t                    mode;         /* 0: default */
    ngx_array_t                   allow;        /* of .._allow_t */
    ngx_http_clipper_curve_t     *curve;        /* NULL: not encrypted */
    int                           family;       /* AF_INET, ... */
    ngx_uint_t                    listening;    /* index in the cycle */
    ngx_socket_t                  fd;           /* of the listening socket */
    u_char                       *file;         /* of the directive */
    ngx_uint_t                    line;
} ngx_http_clipper_endpoint_t;


typedef struct {
    ngx_str_t                     address;      /* as written */
    ngx_addr_t                   *addrs;
    ngx_uint_t                    naddrs;
    ngx_uint_t                    db;
    ngx_msec_t                    timeout;
    ngx_str_t                     user;         /* NULL: "default" */
    ngx_str_t                     password;     /* NULL: none */
    ngx_str_t                     prefix;       /* prefix of all keys */
} ngx_http_clipper_redis_conf_t;


#endif /* _NGX_HTTP_CLIPPER_CONF_PEER_H_INCLUDED_ */

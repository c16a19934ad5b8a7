
/*
 * The connection of a worker to Redis: hiredis in nginx's event loop.
 *
 * It connects when the worker starts, and again with exponential back-off and
 * jitter whenever it is lost.  Nothing here blocks: addresses are resolved
 * when the configuration is read.  A command without a reply within the
 * timeout closes the connection and fails all commands in progress; their
 * senders are told and decide what to do.
 */


#ifndef _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "conf/ngx_http_clipper.h"
#include <hiredis/hiredis.h>
#include <hiredis/async.h>


/* of a command in progress; reply NULL: the connection was lost */

typedef struct ngx_http_clipper_redis_call_s  ngx_http_clipper_redis_call_t;

struct ngx_http_clipper_redis_call_s {
    void                             (*handler)(
                                       ngx_http_clipper_redis_call_t *call,
                                       redisReply *reply);
};


/* ready() is called whenever the connection becomes usable */
ngx_int_t ngx_http_clipper_redis_init(ngx_cycle_t *cycle,
    ngx_http_clipper_redis_conf_t *conf, void (*ready)(void));
void ngx_http_clipper_redis_done(void);

/*
 * The worker retires: a command without a reply within a moment closes the
 * connection, if others() says that other workers will do its work.
 */
void ngx_http_clipper_redis_retire(ngx_uint_t (*others)(void));

ngx_uint_t ngx_http_clipper_redis_up(void);

/* commands without a reply */
ngx_uint_t ngx_http_clipper_redis_pending(void);

/*
 * Redis answered that it accepts no writes, like a primary that has become a
 * replica: the connection is closed, and the next one may reach another Redis.
 */
void ngx_http_clipper_redis_refused(void);

/*
 * For a worker that exits, outside its event loop: handles what arrives within
 * a time.  0: nothing arrived, or there is no connection.
 */
ngx_uint_t ngx_http_clipper_redis_wait(ngx_msec_t ms);

/*
 * NGX_OK: call->handler will be called once, otherwise never.  NGX_DECLINED:
 * not connected; NGX_ERROR: hiredis has refused it, as without memory.
 */
ngx_int_t ngx_http_clipper_redis_command(ngx_http_clipper_redis_call_t *call,
    ngx_uint_t argc, const char **argv, const size_t *len);


#endif /* _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_ */

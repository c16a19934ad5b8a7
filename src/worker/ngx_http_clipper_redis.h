
/*
 * The connection of a worker to Redis: hiredis in nginx's event loop.
 *
 * It connects when the worker starts and again, with exponential back-off and
 * jitter, whenever it is lost.  Nothing here blocks: addresses were resolved
 * when the configuration was read.  A command that is not answered within the
 * time-out costs the connection, and with it all commands under way; who sent
 * them is told and has to know what to do.
 */


#ifndef _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "conf/ngx_http_clipper.h"
#include <hiredis/hiredis.h>
#include <hiredis/async.h>


/* of a command under way; reply NULL: the connection was lost */

typedef struct ngx_http_clipper_redis_call_s  ngx_http_clipper_redis_call_t;

struct ngx_http_clipper_redis_call_s {
    void                             (*handler)(
                                       ngx_http_clipper_redis_call_t *call,
                                       redisReply *reply);
};


/* ready() is called each time the connection can be used */
ngx_int_t ngx_http_clipper_redis_init(ngx_cycle_t *cycle,
    ngx_http_clipper_redis_conf_t *conf, void (*ready)(void));
void ngx_http_clipper_redis_done(void);

/*
 * The worker retires: a command that is not answered within a moment costs the
 * connection, if others() says that somebody else can do without its answer.
 */
void ngx_http_clipper_redis_retire(ngx_uint_t (*others)(void));

ngx_uint_t ngx_http_clipper_redis_up(void);

/*
 * For a worker that ends, without its event loop: what comes within a time is
 * handled.  0: nothing came, or there is no connection.
 */
ngx_uint_t ngx_http_clipper_redis_wait(ngx_msec_t ms);

/*
 * NGX_OK: call->handler will be called once.  NGX_DECLINED: not connected, or
 * no memory; it will not.
 */
ngx_int_t ngx_http_clipper_redis_command(ngx_http_clipper_redis_call_t *call,
    ngx_uint_t argc, const char **argv, const size_t *len);


/* --- events (.._redis_event.c) --- */

/* NGX_ERROR: no free connection */
ngx_int_t ngx_http_clipper_redis_event_attach(redisAsyncContext *ac,
    ngx_log_t *log);

/* as ngx_http_clipper_redis_wait; the context may be gone afterwards */
ngx_uint_t ngx_http_clipper_redis_event_handle(redisAsyncContext *ac,
    ngx_msec_t ms);

/* closes the connection for good */
void ngx_http_clipper_redis_end(void);


#endif /* _NGX_HTTP_CLIPPER_REDIS_H_INCLUDED_ */

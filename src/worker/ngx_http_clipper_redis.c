
/*
 * The connection to Redis, see the header.
 *
 * After connecting, the worker sends authentication, the choice of the
 * database and a PING at once; the connection is up when all three have
 * succeeded.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "worker/ngx_http_clipper_redis.h"
#include "worker/ngx_http_clipper_redis_cause.h"
#include "worker/ngx_http_clipper_redis_event.h"
#include "worker/ngx_http_clipper_redis_guard.h"
#include "worker/ngx_http_clipper_watch.h"


#define NGX_HTTP_CLIPPER_REDIS_BACKOFF      50      /* ms, first pause */
#define NGX_HTTP_CLIPPER_REDIS_BACKOFF_MAX  5000
#define NGX_HTTP_CLIPPER_REDIS_MOMENT       100     /* ms, at retirement */
#define NGX_HTTP_CLIPPER_REDIS_LAST         500     /* ms, if nobody stays */


typedef struct {
    ngx_http_clipper_redis_conf_t  *conf;
    ngx_log_t                      *log;
    void                          (*ready)(void);
    redisAsyncContext              *context;   /* NULL: not connected */
    ngx_event_t                     reconnect;
    ngx_event_t                     timeout;
    ngx_msec_t                      until;     /* waiting to reconnect */
    ngx_uint_t                    (*others)(void);     /* NULL: not retiring */
    ngx_msec_t                      last;      /* then: the end of waiting */
    ngx_msec_t                      backoff;
    ngx_msec_t                      since;     /* it came up; 0: it did not */
    ngx_uint_t                      next;      /* address */
    ngx_uint_t                      pending;   /* commands without a reply */
    ngx_uint_t                      greeting;  /* of those, before it is up */
    unsigned                        up:1;
    unsigned                        done:1;
} ngx_http_clipper_redis_t;


static void ngx_http_clipper_redis_end(void);
static void ngx_http_clipper_redis_connect(ngx_event_t *ev);
static redisAsyncContext *ngx_http_clipper_redis_open(void);
static void ngx_http_clipper_redis_connected(const redisAsyncContext *ac,
    int status);
static void ngx_http_clipper_redis_disconnected(const redisAsyncContext *ac,
    int status);
static void ngx_http_clipper_redis_greet(void);
static ngx_int_t ngx_http_clipper_redis_greet_with(const char *command,
    const ngx_str_t *args, ngx_uint_t n);
static void ngx_http_clipper_redis_greeted(ngx_http_clipper_redis_call_t *call,
    redisReply *reply);
static void ngx_http_clipper_redis_answered(redisAsyncContext *ac,
    void *reply, void *data);
static void ngx_http_clipper_redis_await(void);
static void ngx_http_clipper_redis_await_until(ngx_msec_t until);
static void ngx_http_clipper_redis_await_moment(void);
static void ngx_http_clipper_redis_expired(ngx_event_t *ev);
static void ngx_http_clipper_redis_drop(const char *reason);
static void ngx_http_clipper_redis_lost(const char *reason);


static ngx_http_clipper_redis_t       ngx_http_clipper_redis;

static ngx_http_clipper_redis_call_t  ngx_http_clipper_redis_greeting = {
    ngx_http_clipper_redis_greeted
};


ngx_int_t
ngx_http_clipper_redis_init(ngx_cycle_t *cycle,
    ngx_http_clipper_redis_conf_t *conf, void (*ready)(void))
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    ngx_memzero(redis, sizeof(ngx_http_clipper_redis_t));

    redis->conf = conf;
    redis->log = cycle->log;
    redis->ready = ready;
    redis->backoff = NGX_HTTP_CLIPPER_REDIS_BACKOFF;

    ngx_http_clipper_watch_alone(&redis->reconnect, cycle->log,
                                 ngx_http_clipper_redis_connect);
    redis->reconnect.cancelable = 1;

    ngx_http_clipper_watch_alone(&redis->timeout, cycle->log,
                                 ngx_http_clipper_redis_expired);

    ngx_http_clipper_redis_connect(&redis->reconnect);

    return NGX_OK;
}


void
ngx_http_clipper_redis_done(void)
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    if (redis->conf == NULL) {
        return;
    }

    ngx_http_clipper_redis_end();

    if (redis->reconnect.timer_set) {
        ngx_del_timer(&redis->reconnect);
    }

    redis->conf = NULL;
}


static void
ngx_http_clipper_redis_end(void)
{
    ngx_http_clipper_redis.done = 1;

    ngx_http_clipper_redis_drop("worker exits");
}


ngx_uint_t
ngx_http_clipper_redis_wait(ngx_msec_t ms)
{
    return ngx_http_clipper_redis.context
         && ngx_http_clipper_redis_event_handle(ngx_http_clipper_redis.context,
                                                ms);
}


void
ngx_http_clipper_redis_retire(ngx_uint_t (*others)(void))
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;
    redis->others = others;
    redis->last = ngx_current_msec + NGX_HTTP_CLIPPER_REDIS_LAST;

    if (redis->timeout.timer_set) {
        ngx_del_timer(&redis->timeout);
        ngx_http_clipper_redis_await_until(redis->until);
    }
}


ngx_uint_t
ngx_http_clipper_redis_up(void)
{
    return ngx_http_clipper_redis.up;
}


ngx_uint_t
ngx_http_clipper_redis_pending(void)
{
    return ngx_http_clipper_redis.up ? ngx_http_clipper_redis.pending : 0;
}


void
ngx_http_clipper_redis_refused(void)
{
    ngx_http_clipper_redis_drop("it accepts no writes");
}


static void
ngx_http_clipper_redis_connect(ngx_event_t *ev)
{
    redisAsyncContext         *ac;
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    if (redis->context || redis->done) {
        return;
    }

    ac = ngx_http_clipper_redis_open();

    if (ac == NULL) {
        ngx_http_clipper_redis_lost("no memory");
        return;
    }

    if (ac->err) {
        ngx_http_clipper_redis_lost(ac->errstr);
        redisAsyncFree(ac);
        return;
    }

    if (ngx_http_clipper_redis_event_attach(ac, redis->log,
                                            ngx_http_clipper_redis_end)
        != NGX_OK)
    {
        ngx_http_clipper_redis_lost("no free connection");
        redisAsyncFree(ac);
        return;
    }

    redis->context = ac;
    redis->pending = 0;
    redis->greeting = 0;

    /* these add the events, and may return at once */

    (void) redisAsyncSetDisconnectCallback(ac,
                                           ngx_http_clipper_redis_disconnected);
    (void) redisAsyncSetConnectCallback(ac, ngx_http_clipper_redis_connected);

    ngx_http_clipper_redis_await();
}


static redisAsyncContext *
ngx_http_clipper_redis_open(void)
{
    u_char                     text[NGX_SOCKADDR_STRLEN + 1];
    size_t                     len;
    ngx_addr_t                *addr;
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;
    addr = &redis->conf->addrs[redis->next++ % redis->conf->naddrs];

#if (NGX_HAVE_UNIX_DOMAIN)
    if (addr->sockaddr->sa_family == AF_UNIX) {
        return redisAsyncConnectUnix(
                       ((struct sockaddr_un *) addr->sockaddr)->sun_path);
    }
#endif

    len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                        NGX_SOCKADDR_STRLEN, 0);

    /* without the brackets that people write */

    if (text[0] == '[') {
        len -= 2;
        ngx_memmove(text, text + 1, len);
    }

    text[len] = '\0';

    return redisAsyncConnect((char *) text,
                             ngx_inet_get_port(addr->sockaddr));
}


/* hiredis frees the context itself if this fails */

static void
ngx_http_clipper_redis_connected(const redisAsyncContext *ac, int status)
{
    if (ac != ngx_http_clipper_redis.context) {
        return;
    }

    if (status != REDIS_OK) {
        ngx_http_clipper_redis.context = NULL;
        ngx_http_clipper_redis_lost(ac->errstr);
        return;
    }

    ngx_http_clipper_redis_greet();
}


static void
ngx_http_clipper_redis_disconnected(const redisAsyncContext *ac, int status)
{
    if (ac != ngx_http_clipper_redis.context) {
        return;
    }

    ngx_http_clipper_redis.context = NULL;
    ngx_http_clipper_redis_lost(ngx_http_clipper_redis_guard_reason(ac));
}


static void
ngx_http_clipper_redis_greet(void)
{
    u_char                         number[NGX_INT_T_LEN + 1];
    ngx_int_t                      rc;
    ngx_str_t                      login[2], db;
    ngx_uint_t                     named;
    ngx_http_clipper_redis_t      *redis;
    ngx_http_clipper_redis_conf_t *conf;

    redis = &ngx_http_clipper_redis;
    conf = redis->conf;
    rc = NGX_OK;

    if (conf->password.data) {
        named = (conf->user.data != NULL);
        login[0] = conf->user;
        login[1] = conf->password;

        rc = ngx_http_clipper_redis_greet_with("AUTH",
                                               named ? login : &login[1],
                                               1 + named);
    }

    if (rc == NGX_OK && conf->db) {
        db.data = number;
        db.len = ngx_sprintf(number, "%ui", conf->db) - number;

        rc = ngx_http_clipper_redis_greet_with("SELECT", &db, 1);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_clipper_redis_greet_with("PING", NULL, 0);
    }

    if (rc != NGX_OK) {
        ngx_http_clipper_redis_drop("no memory");
    }
}


static ngx_int_t
ngx_http_clipper_redis_greet_with(const char *command, const ngx_str_t *args,
    ngx_uint_t n)
{
    size_t       lens[3];
    ngx_uint_t   i;
    const char  *argv[3];

    argv[0] = command;
    lens[0] = ngx_strlen(command);

    for (i = 0; i < n; i++) {
        argv[i + 1] = (char *) args[i].data;
        lens[i + 1] = args[i].len;
    }

    ngx_http_clipper_redis.greeting++;

    return ngx_http_clipper_redis_command(&ngx_http_clipper_redis_greeting,
                                          n + 1, argv, lens);
}


static void
ngx_http_clipper_redis_greeted(ngx_http_clipper_redis_call_t *call,
    redisReply *reply)
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    if (reply == NULL || redis->context == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_clipper_redis_drop(reply->str);
        return;
    }

    if (--redis->greeting) {
        return;
    }

    ngx_http_clipper_redis_cause_over(redis->log, &redis->conf->address);

    redis->up = 1;
    redis->since = ngx_current_msec;

    redis->ready();
}


ngx_int_t
ngx_http_clipper_redis_command(ngx_http_clipper_redis_call_t *call,
    ngx_uint_t argc, const char **argv, const size_t *len)
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    if (redis->context == NULL || (!redis->up && redis->greeting == 0)) {
        return NGX_DECLINED;
    }

    if (redisAsyncCommandArgv(redis->context, ngx_http_clipper_redis_answered,
                              call, (int) argc, argv, len)
        != REDIS_OK)
    {
        return NGX_ERROR;
    }

    redis->pending++;

    if (!redis->timeout.timer_set) {
        ngx_http_clipper_redis_await();
    }

    return NGX_OK;
}


/* a context that is being freed has no reply */

static void
ngx_http_clipper_redis_answered(redisAsyncContext *ac, void *reply,
    void *data)
{
    ngx_http_clipper_redis_t       *redis;
    ngx_http_clipper_redis_call_t  *call;

    redis = &ngx_http_clipper_redis;
    call = data;

    if (ac == redis->context && reply) {
        redis->pending--;

        /* each reply restarts the timeout */

        if (redis->timeout.timer_set) {
            ngx_del_timer(&redis->timeout);
        }

        if (redis->pending) {
            ngx_http_clipper_redis_await();
        }

    } else {
        reply = NULL;

        /*
         * hiredis calls the waiting commands before it reports the disconnect
         */

        redis->up = (ac == redis->context) ? 0 : redis->up;
    }

    call->handler(call, reply);
}


/* waits for the next reply: the whole timeout, or moment by moment */

static void
ngx_http_clipper_redis_await(void)
{
    ngx_http_clipper_redis_await_until(ngx_current_msec
                                       + ngx_http_clipper_redis.conf->timeout);
}


static void
ngx_http_clipper_redis_await_until(ngx_msec_t until)
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;
    redis->until = until;

    if (redis->others && (ngx_msec_int_t) (redis->last - until) < 0) {
        redis->until = redis->last;
    }

    ngx_http_clipper_redis_await_moment();
}


static void
ngx_http_clipper_redis_await_moment(void)
{
    ngx_msec_int_t             left;
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;
    left = (ngx_msec_int_t) (redis->until - ngx_current_msec);

    if (redis->others) {
        left = ngx_min(left, NGX_HTTP_CLIPPER_REDIS_MOMENT);
    }

    ngx_add_timer(&redis->timeout, (ngx_msec_t) ngx_max(left, 0));
}


static void
ngx_http_clipper_redis_expired(ngx_event_t *ev)
{
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    if (redis->others && !redis->others()
        && (ngx_msec_int_t) (redis->until - ngx_current_msec) > 0)
    {
        ngx_http_clipper_redis_await_moment();
        return;
    }

    ngx_http_clipper_redis_drop(redis->others ? "no answer, worker exits"
                                              : "timed out");
}


static void
ngx_http_clipper_redis_drop(const char *reason)
{
    redisAsyncContext  *ac;

    ac = ngx_http_clipper_redis.context;

    if (ac == NULL) {
        return;
    }

    ngx_http_clipper_redis.context = NULL;
    ngx_http_clipper_redis_lost(reason);

    redisAsyncFree(ac);
}


static void
ngx_http_clipper_redis_lost(const char *reason)
{
    ngx_msec_t                 pause;
    ngx_http_clipper_redis_t  *redis;

    redis = &ngx_http_clipper_redis;

    /* a connection that does not last does not end an outage */

    if (redis->since && ngx_current_msec - redis->since
                        > NGX_HTTP_CLIPPER_REDIS_BACKOFF_MAX)
    {
        redis->backoff = NGX_HTTP_CLIPPER_REDIS_BACKOFF;
    }

    redis->since = 0;
    redis->up = 0;
    redis->pending = 0;
    redis->greeting = 0;

    if (redis->timeout.timer_set) {
        ngx_del_timer(&redis->timeout);
    }

    if (redis->done) {
        return;
    }

    ngx_http_clipper_redis_cause(redis->log, &redis->conf->address, reason);

    pause = redis->backoff / 2 + (ngx_msec_t) ngx_random() % redis->backoff;
    redis->backoff = ngx_min(redis->backoff * 2,
                             NGX_HTTP_CLIPPER_REDIS_BACKOFF_MAX);

    if (!redis->reconnect.timer_set) {
        ngx_add_timer(&redis->reconnect, pause);
    }
}

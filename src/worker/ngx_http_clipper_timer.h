
/*
 * Timers in microseconds for one worker: a timerfd in nginx's event loop.
 *
 * nginx's own timers count milliseconds of a clock that the kernel updates
 * once a tick, which is too coarse for a deadline.  The descriptor is set only
 * for a time earlier than its current one, so a stream of queries with one
 * deadline costs no system call each.  During a graceful exit nginx waits for
 * its own timers only, so one of them stands for the timers here.
 */


#ifndef _NGX_HTTP_CLIPPER_TIMER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_TIMER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_clipper_timer_s  ngx_http_clipper_timer_t;

typedef void (*ngx_http_clipper_timer_handler_pt)(void *data);

struct ngx_http_clipper_timer_s {
    ngx_rbtree_node_t                  node;        /* key: time in us */
    ngx_http_clipper_timer_handler_pt  handler;
    void                              *data;
    unsigned                           set:1;
};


ngx_int_t ngx_http_clipper_timer_init(ngx_cycle_t *cycle);
void ngx_http_clipper_timer_done(void);

/*
 * calls timer->handler(timer->data) at at_us or shortly after; moves a set
 * timer
 */
void ngx_http_clipper_timer_add(ngx_http_clipper_timer_t *timer,
    uint64_t at_us);
void ngx_http_clipper_timer_del(ngx_http_clipper_timer_t *timer);

/* a graceful exit begins: timers that are set keep the worker */
void ngx_http_clipper_timer_retire(void);

/* its time is over: timers no longer keep the worker */
void ngx_http_clipper_timer_end(void);


#endif /* _NGX_HTTP_CLIPPER_TIMER_H_INCLUDED_ */

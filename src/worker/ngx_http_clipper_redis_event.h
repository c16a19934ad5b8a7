
/*
 * hiredis in nginx's event loop.
 *
 * hiredis owns the descriptor.  nginx's connection only carries its events and
 * is freed in the cleanup hook, before hiredis closes the descriptor.  Events
 * are level-triggered, because hiredis reads once per event.
 */


#ifndef _NGX_HTTP_CLIPPER_REDIS_EVENT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REDIS_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>


/*
 * end() is called when nginx closes the worker's connections: it is to free
 * the context.  NGX_ERROR: no free connection
 */
ngx_int_t ngx_http_clipper_redis_event_attach(redisAsyncContext *ac,
    ngx_log_t *log, void (*end)(void));

/*
 * For a worker that exits: handles what arrives within a time, and may free
 * the context.  0: nothing arrived
 */
ngx_uint_t ngx_http_clipper_redis_event_handle(redisAsyncContext *ac,
    ngx_msec_t ms);


#endif /* _NGX_HTTP_CLIPPER_REDIS_EVENT_H_INCLUDED_ */

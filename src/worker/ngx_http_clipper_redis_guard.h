
/*
 * Keeps hiredis from what Redis may send but never should.
 *
 * hiredis asserts that each reply has its command, and buffers a reply of any
 * size.  A reply that nothing asked for, or one that is too large, is an error
 * of the connection here: hiredis closes it.  An error that Redis sends by
 * itself, as when it has too many clients, is passed on.
 */


#ifndef _NGX_HTTP_CLIPPER_REDIS_GUARD_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_REDIS_GUARD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>


/* of a context without replies */
void ngx_http_clipper_redis_guard_attach(redisAsyncContext *ac);

/* before each read */
void ngx_http_clipper_redis_guard_read(redisAsyncContext *ac);

/* why a context with an error was closed */
const char *ngx_http_clipper_redis_guard_reason(const redisAsyncContext *ac);


#endif /* _NGX_HTTP_CLIPPER_REDIS_GUARD_H_INCLUDED_ */

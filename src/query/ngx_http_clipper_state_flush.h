
/*
 * Updates on their way to Redis.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_FLUSH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_FLUSH_H_INCLUDED_


#include "query/ngx_http_clipper_state_flow.h"


ngx_int_t ngx_http_clipper_state_flush_init(ngx_log_t *log);

/*
 * flushes once more, for a limited time, and closes the connection; returns how
 * many states are left
 */
ngx_uint_t ngx_http_clipper_state_flush_done(void);

/* flushes soon, with the updates that arrive until then */
void ngx_http_clipper_state_flush_later(void);
void ngx_http_clipper_state_flush_now(void);


#endif /* _NGX_HTTP_CLIPPER_STATE_FLUSH_H_INCLUDED_ */


/*
 * Reads of states from Redis.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_FETCH_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_FETCH_H_INCLUDED_


#include "query/ngx_http_clipper_state_flow.h"


/* NGX_DECLINED: Redis takes no more reads now; NGX_ERROR: out of memory */
ngx_int_t ngx_http_clipper_state_fetch(
    const ngx_http_clipper_state_name_of_t *name, uint64_t acked);

void ngx_http_clipper_state_fetch_init(ngx_log_t *log);
void ngx_http_clipper_state_fetch_done(void);

/*
 * Call it after NGX_AGAIN.  NGX_OK: w->handler(w->data) is called once, later:
 * get the state again then, and use the result, which may be that there is
 * none.  NGX_DECLINED: there is nothing to wait for.  The caller has its own
 * timer, and cancels before w is freed; a cancel without a wait does nothing.
 */
ngx_int_t ngx_http_clipper_state_fetch_wait(ngx_http_clipper_state_wait_t *w,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid);
void ngx_http_clipper_state_fetch_cancel(ngx_http_clipper_state_wait_t *w);


#endif /* _NGX_HTTP_CLIPPER_STATE_FETCH_H_INCLUDED_ */

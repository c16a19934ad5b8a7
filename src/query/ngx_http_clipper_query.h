
/*
 * The life of a query: one request of an application with n inputs.  It has
 * the policy choose models for each, asks them, waits no longer than the
 * deadline, and ends once, when every input has an answer or the default.
 *
 * There is one way down: selection chooses the models, and an ask is answered
 * from shared memory or waits there.  There is one way up: a call that is
 * answered at once returns NGX_OK and makes no further call; a call that waits
 * returns NGX_AGAIN and calls the handler later, once.
 *
 * A query belongs to the request's pool and to the worker that made it.  Its
 * clean-up leaves every queue when the pool goes, so a client that goes away
 * needs no other call.
 */


#ifndef _NGX_HTTP_CLIPPER_QUERY_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_QUERY_H_INCLUDED_


#include "query/ngx_http_clipper_query_type.h"
#include "shm/clipper_letter.h"


/*
 * Creates a query of an application that began at start_us; NULL: out of
 * memory.  The caller sets handler and data.
 */
ngx_http_clipper_query_t *ngx_http_clipper_query_create(ngx_pool_t *pool,
    ngx_log_t *log, ngx_http_clipper_app_t *app, uint64_t start_us);

/*
 * Chooses the versions to ask: the requested one, or with NULL those of the
 * links.  NGX_DECLINED: the requested version does not exist (no block
 * declares it, no link names it, no replica announced it); NGX_ERROR: out of
 * memory.
 */
ngx_int_t ngx_http_clipper_query_resolve(ngx_http_clipper_query_t *query,
    ngx_str_t *version);

/*
 * Asks for the n inputs, whose bytes may be overwritten once it returns.
 * NGX_OK: all answers are there; NGX_AGAIN: the handler will be called;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_clipper_query_start(ngx_http_clipper_query_t *query,
    clipper_item_t *items, u_char *data, ngx_uint_t n);

/* a letter from the mailbox, for the query that waits for it, if any */
void ngx_http_clipper_query_deliver(clipper_mail_t *mail);


/* names of outcomes and reasons in variables, metrics and answers */
extern ngx_str_t  ngx_http_clipper_query_outcomes[];
extern ngx_str_t  ngx_http_clipper_query_reasons[];


#endif /* _NGX_HTTP_CLIPPER_QUERY_H_INCLUDED_ */


/*
 * One input on its way to one model: answered by the cache, by a flight
 * already in progress, or by a new flight; or it fails with a reason.  It
 * belongs to a query.
 */


#ifndef _NGX_HTTP_CLIPPER_ASK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_ASK_H_INCLUDED_


#include "query/ngx_http_clipper_query_type.h"
#include "shm/clipper_letter.h"


struct ngx_http_clipper_ask_s {
    ngx_http_clipper_query_t    *query;
    uint32_t                     row;           /* of the model; 0: none */
    uint32_t                     row_gen;       /* of the name of the row */
    uint32_t                     waiter;        /* 0: it is not waiting */
    uint32_t                     gen;

    /* the result; DEFAULT: it failed for the reason */
    ngx_http_clipper_outcome_e   outcome;
    ngx_http_clipper_reason_e    reason;
    ngx_str_t                    output;
    ngx_str_t                    error;         /* "model:version: text", for
                                                   clipper_explain */
    uint64_t                     queue_us;
    uint64_t                     model_us;
    ngx_uint_t                   batch_size;
};


ngx_int_t ngx_http_clipper_ask_init(ngx_cycle_t *cycle);

/*
 * Asks for the input, whose bytes may be overwritten once it returns.
 * NGX_OK: it is over; NGX_AGAIN: it waits for a letter.
 */
ngx_int_t ngx_http_clipper_ask_start(ngx_http_clipper_ask_t *ask,
    const u_char *data, size_t len);

/* fails those of the n asks that are waiting, for the reason */
void ngx_http_clipper_ask_leave(ngx_http_clipper_ask_t *asks, ngx_uint_t n,
    ngx_http_clipper_reason_e reason);

/* the ask that a letter from the mailbox ends; NULL: it no longer waits */
ngx_http_clipper_ask_t *ngx_http_clipper_ask_deliver(clipper_mail_t *mail);


#endif /* _NGX_HTTP_CLIPPER_ASK_H_INCLUDED_ */

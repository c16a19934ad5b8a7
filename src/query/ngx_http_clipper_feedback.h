
/*
 * Feedback: POST <location>/update gives the label of a query, found by its id
 * or by user and input.  The application's policy learns from it how good the
 * answers of the members were.
 */


#ifndef _NGX_HTTP_CLIPPER_FEEDBACK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FEEDBACK_H_INCLUDED_


#include "query/ngx_http_clipper_feedback_claim.h"
#include "query/ngx_http_clipper_feedback_learn.h"


/* of results */
extern ngx_str_t  ngx_http_clipper_feedback_names[];


typedef struct ngx_http_clipper_feedback_s        ngx_http_clipper_feedback_t;

typedef void (*ngx_http_clipper_feedback_handler_pt)(
    ngx_http_clipper_feedback_t *feedback);


struct ngx_http_clipper_feedback_s {
    ngx_http_clipper_app_t                *app;
    ngx_pool_t                            *pool;
    ngx_log_t                             *log;
    ngx_str_t                              uid;       /* empty: none */
    ngx_str_t                              label;     /* JSON text */
    uint64_t                               query_id;
    unsigned                               has_id:1;

    ngx_http_clipper_feedback_handler_pt   handler;
    void                                  *data;      /* for the handler */

    ngx_http_clipper_feedback_e            result;

    ngx_http_clipper_query_t              *query;     /* private */
    ngx_http_clipper_feedback_claim_t     *claim;     /* private */
};


/*
 * The input may be overwritten after the return; with has_id it is ignored.
 * NGX_OK: feedback->result is set; NGX_AGAIN: the handler will be called;
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_clipper_feedback_start(
    ngx_http_clipper_feedback_t *feedback, u_char *input, size_t len,
    uint64_t start_us);


#endif /* _NGX_HTTP_CLIPPER_FEEDBACK_H_INCLUDED_ */


/*
 * The context of a request in the location of an application.
 */


#ifndef _NGX_HTTP_CLIPPER_CTX_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CTX_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "query/ngx_http_clipper_query.h"


typedef struct {
    ngx_http_clipper_query_t  *query;      /* NULL: none yet */
    ngx_str_t                  uid;        /* the context; empty: none */
    ngx_buf_t                 *page;       /* sent for an error page of nginx */
    uint64_t                   read_us;    /* body complete; 0: not yet */
    ngx_uint_t                 coding;     /* of the body; 0: none */
    unsigned                   outside:1;  /* the path of no application */
    unsigned                   update:1;   /* feedback, not a prediction */
    unsigned                   batch:1;    /* asked as "input_batch" */
    unsigned                   own:1;      /* it reads the body */
    unsigned                   finished:1; /* all answers have arrived */
    unsigned                   failed:1;   /* answered with an error */
    unsigned                   replaced:1; /* the error page is sent */
} ngx_http_clipper_ctx_t;


#endif /* _NGX_HTTP_CLIPPER_CTX_H_INCLUDED_ */


/*
 * A query, its asks and its selection.
 */


#ifndef _NGX_HTTP_CLIPPER_QUERY_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_QUERY_TYPE_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "query/ngx_http_clipper_answer.h"
#include "worker/ngx_http_clipper_timer.h"


typedef struct ngx_http_clipper_query_s      ngx_http_clipper_query_t;
typedef struct ngx_http_clipper_ask_s        ngx_http_clipper_ask_t;
typedef struct ngx_http_clipper_selection_s  ngx_http_clipper_selection_t;

typedef void (*ngx_http_clipper_query_handler_pt)(
    ngx_http_clipper_query_t *query);


struct ngx_http_clipper_query_s {
    ngx_http_clipper_app_t            *app;
    ngx_pool_t                        *pool;
    ngx_log_t                         *log;
    ngx_str_t                          uid;           /* set it before the
                                                         start; empty: none */

    uint64_t                           start_us;      /* when the body was
                                                         complete */
    uint64_t                           deadline_us;

    ngx_uint_t                         n;             /* inputs */
    ngx_http_clipper_answer_t         *answers;       /* n of them */

    ngx_http_clipper_query_handler_pt  handler;
    void                              *data;          /* for the handler */

    /* the rest is private */

    ngx_http_clipper_selection_t      *selection;
    ngx_http_clipper_ask_t            *asks;          /* n rows of links */
    ngx_uint_t                         nasks;
    ngx_uint_t                         pending;       /* asks without answer */
    u_char                            *inputs;        /* copies during a wait */
    clipper_item_t                    *items;
    ngx_http_clipper_timer_t           timer;         /* the deadline */
    unsigned                           everybody:1;   /* ask all links */
    unsigned                           quiet:1;       /* not counted */
    unsigned                           done:1;
};


#endif /* _NGX_HTTP_CLIPPER_QUERY_TYPE_H_INCLUDED_ */

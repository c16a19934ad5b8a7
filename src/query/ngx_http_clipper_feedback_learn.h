
/*
 * What a label teaches: the losses of the models that answered a query, added
 * to the states of the application and of the user.
 */


#ifndef _NGX_HTTP_CLIPPER_FEEDBACK_LEARN_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FEEDBACK_LEARN_H_INCLUDED_


#include "query/ngx_http_clipper_query.h"
#include "shm/clipper_record.h"


/* results of feedback, as counted by the metrics */

typedef enum {
    NGX_HTTP_CLIPPER_FEEDBACK_LEARNED = 0,
    NGX_HTTP_CLIPPER_FEEDBACK_IGNORED,          /* the policy does not learn */
    NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN,          /* no query to learn from */
    NGX_HTTP_CLIPPER_FEEDBACK_USELESS,          /* no answer can be judged */
    NGX_HTTP_CLIPPER_FEEDBACK_DROPPED,          /* no room for the state */
    NGX_HTTP_CLIPPER_FEEDBACK_KEPT,             /* for when Redis is back */
    NGX_HTTP_CLIPPER_FEEDBACK_FULL,             /* no room to keep it */
    NGX_HTTP_CLIPPER_FEEDBACK_AWAY,             /* only Redis may know the
                                                   query, and is away */
    NGX_HTTP_CLIPPER_FEEDBACK_RESULTS
} ngx_http_clipper_feedback_e;

/* how a label matches the answers that it is compared with */

typedef enum {
    NGX_HTTP_CLIPPER_FEEDBACK_RIGHT = 0,        /* a loss below 1 */
    NGX_HTTP_CLIPPER_FEEDBACK_WRONG,            /* none */
    NGX_HTTP_CLIPPER_FEEDBACK_OTHER,            /* another kind than all */
    NGX_HTTP_CLIPPER_FEEDBACK_MATCHES
} ngx_http_clipper_feedback_match_e;

extern ngx_str_t  ngx_http_clipper_feedback_learn_matches[];


/* the query has the user, and was resolved and loaded for this */
ngx_http_clipper_feedback_e ngx_http_clipper_feedback_learn(
    ngx_http_clipper_query_t *query, const ngx_str_t *label,
    clipper_record_t *record);

/* for the metrics */
void ngx_http_clipper_feedback_learn_count(ngx_http_clipper_app_t *app,
    ngx_http_clipper_feedback_e result);


#endif /* _NGX_HTTP_CLIPPER_FEEDBACK_LEARN_H_INCLUDED_ */


/*
 * Whose state it is, and who waits for it.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_TYPE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_TYPE_H_INCLUDED_


#include "learn/clipper_policy_state.h"


/*
 * Whose state, and the order of its members.  It belongs to a line-up and goes
 * with it: what outlives the call copies it.
 */

typedef struct {
    ngx_str_t                             *app_name;
    const clipper_policy_conf_t           *conf;
    ngx_uint_t                             n;         /* members, behind which
                                                         the policy's extra
                                                         rows are */
    const uint64_t                        *key;       /* of each, never 0 */
    const ngx_str_t                       *member_names;
                                                      /* "model:version" */
} ngx_http_clipper_state_id_t;


typedef void (*ngx_http_clipper_state_handler_pt)(void *data);

typedef struct {
    ngx_queue_t                            queue;
    ngx_http_clipper_state_handler_pt      handler;
    void                                  *data;
    ngx_uint_t                             waiting;   /* zero it first */
} ngx_http_clipper_state_wait_t;


#endif /* _NGX_HTTP_CLIPPER_STATE_TYPE_H_INCLUDED_ */


/*
 * Line-ups: the present versions of an application's links, with their names
 * as they were when it was made.  Each application has one, made again when a
 * link means another version, or when the registry has given a row to another
 * model.  Queries hold the one they began with.
 */


#ifndef _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "learn/clipper_policy_state.h"
#include "query/ngx_http_clipper_state.h"


typedef struct {
    uint32_t                       *rows;       /* of the registry, 0: none */
    uint32_t                       *gens;       /* of the rows' names */
    uint64_t                       *keys;       /* of the members */
    ngx_str_t                      *names;      /* "model:version" */
    ngx_http_clipper_state_id_t     id;
    clipper_policy_memo_t           memo;
    ngx_pool_t                     *pool;       /* its own */
    ngx_uint_t                      holds;
} ngx_http_clipper_lineup_t;


/* the same everywhere: members and users have one hash in all instances */
extern const uint64_t  ngx_http_clipper_lineup_public[2];

ngx_int_t ngx_http_clipper_lineup_init(ngx_cycle_t *cycle);
void ngx_http_clipper_lineup_done(void);

/*
 * The application's of now; NULL: no memory.  Unless it is held it may be gone
 * with the next call.
 */
ngx_http_clipper_lineup_t *ngx_http_clipper_lineup(
    ngx_http_clipper_app_t *app);

ngx_http_clipper_lineup_t *ngx_http_clipper_lineup_hold(
    ngx_http_clipper_lineup_t *lineup);
void ngx_http_clipper_lineup_release(ngx_http_clipper_lineup_t *lineup);


#endif /* _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_ */


/*
 * Line-ups: the current versions of an application's links, with their names.
 *
 * Each application has one.  It is rebuilt when a link means another version,
 * or when the registry has given a row to another model.  A query holds the one
 * that it began with.
 */


#ifndef _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "learn/clipper_policy_state.h"
#include "query/ngx_http_clipper_state.h"


typedef struct {
    uint32_t                       *rows;       /* in the registry; 0: none */
    uint32_t                       *gens;       /* of the names of the rows */
    uint64_t                       *keys;       /* of the members */
    ngx_str_t                      *names;      /* "model:version" */
    ngx_http_clipper_state_id_t     id;
    clipper_policy_memo_t           memo;
    ngx_pool_t                     *pool;       /* its own */
    ngx_uint_t                      holds;
} ngx_http_clipper_lineup_t;


/* the same everywhere: hashes of members and users agree in all instances */
extern const uint64_t  ngx_http_clipper_lineup_public[2];

ngx_int_t ngx_http_clipper_lineup_init(ngx_cycle_t *cycle);
void ngx_http_clipper_lineup_done(void);

/*
 * The current line-up of the application; NULL: out of memory.  Without a hold
 * it may be freed by the next call.
 */
ngx_http_clipper_lineup_t *ngx_http_clipper_lineup(
    ngx_http_clipper_app_t *app);

ngx_http_clipper_lineup_t *ngx_http_clipper_lineup_hold(
    ngx_http_clipper_lineup_t *lineup);
void ngx_http_clipper_lineup_release(ngx_http_clipper_lineup_t *lineup);


#endif /* _NGX_HTTP_CLIPPER_LINEUP_H_INCLUDED_ */


/*
 * What the policies have learned: a vector per application and one per user
 * of an application, with the layout of clipper_policy_state.h.
 *
 * The hot set lives in shared memory, bounded.  With clipper_redis everything
 * is in Redis too: what is added here is sent there in the background, and
 * what is not here is asked for.  Nothing blocks, and nothing that goes wrong
 * with Redis is an error of a query.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_


#include "learn/clipper_policy_state.h"
#include "shm/clipper_table.h"


/*
 * Whose state and in which order.  It lives as long as the configuration of
 * the worker: questions that are under way refer to it.
 */

typedef struct {
    ngx_str_t                             *app_name;
    const clipper_policy_conf_t           *conf;
    ngx_uint_t                             n;         /* members, behind which
                                                         the policy's extra
                                                         rows are */
    const uint64_t                        *key;       /* of each, never 0; as
                                                         policies see them */
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


/*
 * Fills vec, whose size is clipper_policy_state_size(policy, n).
 * uid: NULL or empty means the application's state.  NGX_OK; NGX_AGAIN: it is
 * not here and Redis is being asked; NGX_DECLINED: nothing is known (yet), vec
 * is zeroed, which is the state of a new user.  After NGX_AGAIN vec has what
 * is known without Redis.
 */
ngx_int_t ngx_http_clipper_state_get(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, double *vec);

/*
 * After NGX_AGAIN.  NGX_OK: w->handler(w->data) is called once, later, when
 * the state is here or cannot be had: get it again then, and take what comes.
 * NGX_DECLINED: there is nothing to wait for.  The caller has its own timer,
 * and cancels before w goes; to cancel what does not wait does nothing.
 */
ngx_int_t ngx_http_clipper_state_ask_wait(ngx_http_clipper_state_wait_t *w,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid);
void ngx_http_clipper_state_ask_cancel(ngx_http_clipper_state_wait_t *w);

/*
 * Adds a delta to the application's state and, if uid is not empty, to the
 * user's.  NGX_DECLINED: there was no room for one of them, which is counted.
 */
ngx_int_t ngx_http_clipper_state_add(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, const double *delta);


/*
 * The id of the next query: below 2^53, not guessable by counting, different
 * from those of other workers and of other instances on the same Redis.
 */
uint64_t ngx_http_clipper_state_id_next(clipper_zone_t *zone);


/* for the status and the metrics */

typedef struct {
    uint64_t                               redis;     /* configured */
    uint64_t                               up;        /* this worker's
                                                         connection */
    uint64_t                               rows;      /* applications, users */
    uint64_t                               rows_max;
    uint64_t                               pending;   /* not yet in Redis */
    uint64_t                               sent;      /* since the start */
    uint64_t                               dropped;
    uint64_t                               evicted;
    uint64_t                               errors;
} ngx_http_clipper_state_stat_t;

void ngx_http_clipper_state_stat(ngx_http_clipper_state_stat_t *stat);


/* after the fork; before the exit; when a graceful exit begins; at a death */
ngx_int_t ngx_http_clipper_state_init(ngx_cycle_t *cycle);
void ngx_http_clipper_state_done(void);
void ngx_http_clipper_state_retire(void);
void ngx_http_clipper_state_bury(void);

/* at each ring: sends what a worker that retires has left to others */
void ngx_http_clipper_state_take_over(void);


#endif /* _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_ */

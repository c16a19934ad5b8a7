
/*
 * What the policies have learned: a vector for each application and each of
 * its users, with the layout of clipper_policy_state.h.
 *
 * The hot set is in shared memory and bounded.  With clipper_redis, Redis
 * holds everything: updates are sent there in the background, and missing
 * states are read on demand.  Nothing blocks, and no failure of Redis is an
 * error of a query.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_


#include "query/ngx_http_clipper_state_type.h"
#include "shm/clipper_table.h"


/*
 * Fills vec, whose size is clipper_policy_state_size(policy, n).  uid: NULL or
 * empty means the application's state.  NGX_OK; NGX_AGAIN: the state is not
 * here and is read from Redis, vec has what is known without it; NGX_DECLINED:
 * nothing is known (yet), vec is zeroed, which is the state of a new user.
 */
ngx_int_t ngx_http_clipper_state_get(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, double *vec);

/*
 * The number of the next feedback, for zone->lesson: what it adds is noted
 * with it.  0: it cannot be noted, a death may lose it.
 */
uint64_t ngx_http_clipper_state_number(void);

/*
 * Adds a delta to the application's state and, if uid is not empty, to the
 * user's.  NGX_DECLINED: no room for one of them, counted.
 */
ngx_int_t ngx_http_clipper_state_add(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, const double *delta);


/* for status and metrics */

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


/* the worker has got its row after the start */
void ngx_http_clipper_state_entered(void);

/* after the fork; before the exit; when a graceful exit begins; at a death */
ngx_int_t ngx_http_clipper_state_init(ngx_cycle_t *cycle);
void ngx_http_clipper_state_done(void);
void ngx_http_clipper_state_retire(void);
void ngx_http_clipper_state_bury(void);

/* at a graceful exit: leaves the unsent updates to other workers */
void ngx_http_clipper_state_hand_over(void);

/* at each ring: sends what a retiring worker has left to others */
void ngx_http_clipper_state_take_over(void);


#endif /* _NGX_HTTP_CLIPPER_STATE_H_INCLUDED_ */

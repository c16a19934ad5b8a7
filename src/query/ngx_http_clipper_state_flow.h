
/*
 * Shared by the files of the part "state": the worker's view of the table, and
 * the name of a state.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_


#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_redis.h"
#include "query/ngx_http_clipper_state_type.h"
#include "shm/clipper_state_table.h"
#include "shm/clipper_table.h"
#include <ngx_sha1.h>


#define NGX_HTTP_CLIPPER_STATE_SOURCE_LEN   33      /* "@" and hex */
#define NGX_HTTP_CLIPPER_STATE_DIGEST_LEN   40
#define NGX_HTTP_CLIPPER_STATE_NUMBER_LEN   32

/*
 * values of a hash in an answer before the sums: clocks, the time of the last
 * delta, the source's number
 */
#define NGX_HTTP_CLIPPER_STATE_HEAD         (CLIPPER_POLICY_ROWS + 2)


typedef struct {
    clipper_state_table_t            table;
    ngx_http_clipper_redis_conf_t   *redis;     /* NULL: none */
    ngx_log_t                       *log;
    u_char                           source[
                                     NGX_HTTP_CLIPPER_STATE_SOURCE_LEN];
    void                           (*connected)(void);  /* or NULL */
} ngx_http_clipper_state_t;

extern ngx_http_clipper_state_t  ngx_http_clipper_state_flow;

/* the name of a state, with memory for its texts */

typedef struct {
    clipper_state_who_t              who;
    u_char                           owner[CLIPPER_STATE_NAME];
    u_char                           uid[CLIPPER_STATE_UID];
} ngx_http_clipper_state_name_of_t;

/* NGX_DECLINED: the policy has no state */
ngx_int_t ngx_http_clipper_state_flow_name(
    ngx_http_clipper_state_name_of_t *name,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid);


#endif /* _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_ */


/*
 * What the files of the part "state" share: the worker's view of the table,
 * the questions to Redis, the updates, and the format of keys and fields.
 *
 * Keys, after the prefix: "state:<app>:<policy>" is an application's state,
 * "state:<app>:<policy>:<uid>" a user's; a uid of more than 64 bytes is
 * represented by its SHA-1 in "digest:<app>:<policy>:<hex>".  Each is a hash:
 *
 *   t0, lambda, u0, mu, v   the clocks of all sums
 *   <model:version>/<field> a sum of the policy's, per member
 *   n                       how many deltas were added
 *   @<source>               "<number of its last delta> <n at that time>" of
 *                           the 16 sources (zones) that added last
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_


#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_redis.h"
#include "query/ngx_http_clipper_state.h"
#include "shm/clipper_state_table.h"
#include <ngx_sha1.h>


#define NGX_HTTP_CLIPPER_STATE_SOURCE_LEN   33      /* "@" and hex */
#define NGX_HTTP_CLIPPER_STATE_DIGEST_LEN   40
#define NGX_HTTP_CLIPPER_STATE_NUMBER_LEN   32

/* values of a hash in an answer before the sums: clocks, the source's number */
#define NGX_HTTP_CLIPPER_STATE_HEAD         (CLIPPER_POLICY_ROWS + 1)


typedef struct {
    clipper_state_table_t            table;
    ngx_http_clipper_redis_conf_t   *redis;     /* NULL: none */
    ngx_log_t                       *log;
    u_char                           source[
                                     NGX_HTTP_CLIPPER_STATE_SOURCE_LEN];
} ngx_http_clipper_state_t;

extern ngx_http_clipper_state_t  ngx_http_clipper_state;

/* at a graceful exit: leaves the unsent updates to other workers */
void ngx_http_clipper_state_hand_over(void);


/* a who with memory for its texts */

typedef struct {
    clipper_state_who_t              who;
    u_char                           owner[CLIPPER_STATE_NAME];
    u_char                           uid[CLIPPER_STATE_UID];
} ngx_http_clipper_state_name_of_t;


/* fields of a hash for the clocks, in their order */
extern const char  *ngx_http_clipper_state_text_clocks[CLIPPER_POLICY_ROWS];


/* NGX_DECLINED: the policy has no state */
ngx_int_t ngx_http_clipper_state_name(ngx_http_clipper_state_name_of_t *name,
    const ngx_http_clipper_state_id_t *id, const ngx_str_t *uid);

/* writes the Redis key unless p is NULL; returns its length */
size_t ngx_http_clipper_state_text_redis_key(u_char *p, uint32_t kind,
    const ngx_str_t *owner, const ngx_str_t *uid);

/*
 * An argument vector in one allocation, which hiredis copies.  Add all
 * arguments, make it, and add them again: the first pass only counts.
 */

typedef struct {
    size_t                           argc;
    size_t                           size;
    const char                     **argv;      /* NULL while counting */
    size_t                          *len;
    u_char                          *p;
} ngx_http_clipper_state_args_t;

void ngx_http_clipper_state_text_arg(ngx_http_clipper_state_args_t *args,
    const void *data, size_t len);
void ngx_http_clipper_state_text_arg_number(ngx_http_clipper_state_args_t *args,
    double value);
void ngx_http_clipper_state_text_arg_key(ngx_http_clipper_state_args_t *args,
    uint32_t kind, const ngx_str_t *owner, const ngx_str_t *uid);
void ngx_http_clipper_state_text_arg_field(ngx_http_clipper_state_args_t *args,
    const ngx_str_t *member, const char *field);

/* NGX_ERROR: out of memory; the caller frees args->argv */
ngx_int_t ngx_http_clipper_state_text_args_make(
    ngx_http_clipper_state_args_t *args);

/*
 * Parses a reply of NGX_HTTP_CLIPPER_STATE_HEAD and n values.  NGX_ERROR: it
 * has another form, or values that are not sums.
 */
ngx_int_t ngx_http_clipper_state_text_parse(redisReply *reply,
    clipper_state_reply_t *out, ngx_uint_t n, double *rows);

/* counts an error, and logs it once a minute */
void ngx_http_clipper_state_text_error(const char *what, redisReply *reply);


/* --- reads (.._state_ask.c) --- */

/* NGX_DECLINED: not possible now */
ngx_int_t ngx_http_clipper_state_ask(
    const ngx_http_clipper_state_name_of_t *name, uint64_t acked);

void ngx_http_clipper_state_ask_init(ngx_log_t *log);
void ngx_http_clipper_state_ask_done(void);


/* --- updates (.._state_flush.c) --- */

ngx_int_t ngx_http_clipper_state_flush_init(ngx_log_t *log);

/*
 * flushes once more, for a limited time, and closes the connection; returns
 * what is left
 */
ngx_uint_t ngx_http_clipper_state_flush_done(void);

/* flushes soon, with the updates that arrive until then */
void ngx_http_clipper_state_flush_later(void);
void ngx_http_clipper_state_flush_now(void);


/* --- query ids (.._state_id.c) --- */

/* asks Redis for this instance's number, unless it has one */
void ngx_http_clipper_state_id_ask(void);


#endif /* _NGX_HTTP_CLIPPER_STATE_FLOW_H_INCLUDED_ */

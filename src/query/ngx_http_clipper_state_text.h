
/*
 * Keys, fields and arguments of commands to Redis, and its replies.
 *
 * Keys, after the prefix: "state:<app>:<policy>" is an application's state,
 * "state:<app>:<policy>:<uid>" a user's; a uid of more than 64 bytes is
 * represented by its SHA-1 in "digest:<app>:<policy>:<hex>".  Each is a hash:
 *
 *   t0, lambda, u0, mu, v   the clocks of all sums; t0 is a time of Redis
 *   t1                      Redis' time when the last delta was added
 *   <model:version>/<field> a sum of the policy's, per member
 *   n                       how many deltas were added
 *   @<source>               "<number of its last delta> <n at that time>" of
 *                           the 16 sources (zones) that added last
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_TEXT_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_TEXT_H_INCLUDED_


#include "query/ngx_http_clipper_state_flow.h"


/* fields of a hash for the clocks, in their order */
extern const char  *ngx_http_clipper_state_text_clocks[CLIPPER_POLICY_ROWS];

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
 * Parses a reply of NGX_HTTP_CLIPPER_STATE_HEAD and n values after the `first`
 * ones.  NGX_ERROR: it is not of this form, with sums as values.
 */
ngx_int_t ngx_http_clipper_state_text_parse(redisReply *reply,
    ngx_uint_t first, clipper_state_reply_t *out, ngx_uint_t n, double *rows);

/* a number that is not negative; what follows a space is ignored */
ngx_int_t ngx_http_clipper_state_text_number(redisReply *reply, double *value);

/* counts an error, and logs it once a minute */
void ngx_http_clipper_state_text_error(const char *what, redisReply *reply);


#endif /* _NGX_HTTP_CLIPPER_STATE_TEXT_H_INCLUDED_ */


/*
 * Records of queries in Redis, for the time that "redis" of clipper_records
 * sets: a label may come later than the ring goes back, or at another
 * instance, and counts once.
 *
 * Whoever learns from a record claims it first, with a script: the claim stays
 * as long as the record would have.  An instance whose fate of a claim is
 * unknown may claim again.
 */


#ifndef _NGX_HTTP_CLIPPER_RECORD_REDIS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_RECORD_REDIS_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "shm/clipper_record.h"
#include "worker/ngx_http_clipper_redis.h"


/* what the instance knows of what it claims */

typedef enum {
    NGX_HTTP_CLIPPER_CLAIM_HERE = 0,            /* it has the record */
    NGX_HTTP_CLIPPER_CLAIM_AGAIN,               /* it may have claimed it, and
                                                   has not learned from it */
    NGX_HTTP_CLIPPER_CLAIM_FRESH                /* nothing */
} ngx_http_clipper_claim_e;


typedef struct ngx_http_clipper_record_claim_s  ngx_http_clipper_record_claim_t;

struct ngx_http_clipper_record_claim_s {
    ngx_http_clipper_redis_call_t     call;     /* private */
    ngx_uint_t                        evaled;   /* private */

    ngx_http_clipper_app_t           *app;
    ngx_str_t                         uid;
    uint64_t                          query_id;
    ngx_http_clipper_claim_e          mode;

    /*
     * NGX_OK: it is the instance's; the record is NULL if Redis has none.
     * NGX_DECLINED: there is none that this instance can learn from.
     * NGX_ERROR: Redis did not say.
     */
    void                            (*handler)(
                                       ngx_http_clipper_record_claim_t *claim,
                                       ngx_int_t rc,
                                       clipper_record_t *record);
};


/* records older than this are not learned from; 0: none are in Redis */
double ngx_http_clipper_record_redis_since(void);

/* whether a record can be sent now; if not, it is counted as not stored */
ngx_uint_t ngx_http_clipper_record_redis_ready(void);

void ngx_http_clipper_record_redis_put(ngx_http_clipper_app_t *app,
    const ngx_str_t *uid, const clipper_record_t *record);

/*
 * NGX_OK: the handler will be called; NGX_DECLINED: Redis is away; NGX_ERROR:
 * out of memory.
 */
ngx_int_t ngx_http_clipper_record_redis_claim(
    ngx_http_clipper_record_claim_t *claim);


#endif /* _NGX_HTTP_CLIPPER_RECORD_REDIS_H_INCLUDED_ */

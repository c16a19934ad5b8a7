
/*
 * Feedback for records that are in Redis, too: claims the record, and then
 * learns from it.
 *
 * While Redis is away the label is kept, in the ring of records, and claims
 * are made once it is back: nothing counts twice, whoever else was given the
 * label meanwhile.
 */


#ifndef _NGX_HTTP_CLIPPER_FEEDBACK_CLAIM_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_FEEDBACK_CLAIM_H_INCLUDED_


#include "query/ngx_http_clipper_feedback_learn.h"
#include "query/ngx_http_clipper_record_redis.h"


typedef struct ngx_http_clipper_feedback_claim_s
    ngx_http_clipper_feedback_claim_t;

typedef void (*ngx_http_clipper_feedback_claim_handler_pt)(void *data,
    ngx_http_clipper_feedback_e result);


typedef struct {
    ngx_http_clipper_app_t                      *app;
    ngx_str_t                                    uid;
    ngx_str_t                                    label;
    uint64_t                                     query_id;
    ngx_http_clipper_claim_e                     mode;
    ngx_uint_t                                   place;    /* 1: only Redis may
                                                              have the record */
    uint64_t                                     until_us;
    ngx_http_clipper_feedback_claim_handler_pt   handler;
    void                                        *data;
    ngx_http_clipper_feedback_e                  result;
} ngx_http_clipper_feedback_label_t;


/*
 * The record is this worker's to claim.  NGX_OK: label->result is set;
 * NGX_AGAIN: the handler will be called, at until_us at the latest, unless
 * detached; NGX_ERROR: out of memory.  Texts are copied.
 */
ngx_int_t ngx_http_clipper_feedback_claim(
    ngx_http_clipper_feedback_label_t *label,
    ngx_http_clipper_feedback_claim_t **claim);

/* nobody waits any more; the label is learned from all the same */
void ngx_http_clipper_feedback_claim_detach(
    ngx_http_clipper_feedback_claim_t *claim);


/* after the fork, behind the states; before the exit, ahead of them */
void ngx_http_clipper_feedback_claim_init(ngx_cycle_t *cycle);
void ngx_http_clipper_feedback_claim_done(void);


#endif /* _NGX_HTTP_CLIPPER_FEEDBACK_CLAIM_H_INCLUDED_ */


/*
 * The answer to one input: where it came from, and how it was chosen.
 */


#ifndef _NGX_HTTP_CLIPPER_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_CLIPPER_ANSWER = 0,
    NGX_HTTP_CLIPPER_CACHED,
    NGX_HTTP_CLIPPER_JOINED,
    NGX_HTTP_CLIPPER_DEFAULT,
    NGX_HTTP_CLIPPER_ERROR,
    NGX_HTTP_CLIPPER_ABORTED,
    NGX_HTTP_CLIPPER_OUTCOMES
} ngx_http_clipper_outcome_e;


/* why the default was answered */

typedef enum {
    NGX_HTTP_CLIPPER_REASON_NONE = 0,
    NGX_HTTP_CLIPPER_NO_REPLICA,
    NGX_HTTP_CLIPPER_DEADLINE,
    NGX_HTTP_CLIPPER_QUEUE_FULL,
    NGX_HTTP_CLIPPER_LOW_CONFIDENCE,
    NGX_HTTP_CLIPPER_MODEL_ERROR,
    NGX_HTTP_CLIPPER_SHEDDING,
    NGX_HTTP_CLIPPER_REASONS
} ngx_http_clipper_reason_e;


/* the answer to one input, and how it was chosen */

typedef struct {
    uint64_t                           query_id;      /* below 2^53 */
    ngx_http_clipper_outcome_e         outcome;
    ngx_http_clipper_reason_e          reason;
    ngx_str_t                          output;        /* model's or default */
    ngx_str_t                          error;         /* of its own model
                                                         error, if known */
    uint64_t                           queue_us;
    uint64_t                           model_us;
    ngx_uint_t                         batch_size;

    uint64_t                           asked;         /* bit i: link i */
    ngx_int_t                          served;        /* link, or -1: several
                                                         or none */
    double                             propensity;    /* below 0: none */
    double                             confidence;    /* below 0: one model */
} ngx_http_clipper_answer_t;


#endif /* _NGX_HTTP_CLIPPER_ANSWER_H_INCLUDED_ */

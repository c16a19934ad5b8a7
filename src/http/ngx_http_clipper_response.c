
/*
 * Writes responses: computes the length, then fills one buffer.
 */


#include "http/ngx_http_clipper_response.h"
#include "json/clipper_json.h"


/* the longest text around an answer, without output and explanation */

#define NGX_HTTP_CLIPPER_RESPONSE_FRAME                                       \
    (sizeof("{\"query_id\":,\"output\":,\"default\":false,"                   \
            "\"default_explanation\":\"\",\"default_reason\":\"\","            \
            "\"confidence\":},")                                              \
     + CLIPPER_JSON_DOUBLE_LEN                                                \
     + CLIPPER_JSON_U64_LEN)

#define NGX_HTTP_CLIPPER_RESPONSE_BATCH                                       \
    (sizeof("{\"batch_predictions\":[]}\n") - 1)


/* by ngx_http_clipper_reason_e */

static ngx_str_t  ngx_http_clipper_explanations[] = {
    ngx_string("The default was used"),
    ngx_string("No connected models found for query"),
    ngx_string("Failed to retrieve a prediction response within the "
               "specified latency SLO"),
    ngx_string("The default was used: queue_full"),
    ngx_string("The default was used: low_confidence"),
    ngx_string("The default was used: model_error"),
    ngx_string("Failed to retrieve a prediction response within the "
               "specified latency SLO")
};


static size_t ngx_http_clipper_response_room(ngx_http_clipper_query_t *query,
    clipper_json_output_t *out);
static u_char *ngx_http_clipper_response_answer(u_char *p,
    ngx_http_clipper_answer_t *answer, clipper_json_output_t *out);
static u_char *ngx_http_clipper_response_confidence(u_char *p,
    ngx_http_clipper_answer_t *answer);


ngx_int_t
ngx_http_clipper_response_answers(ngx_http_request_t *r,
    ngx_http_clipper_query_t *query, ngx_uint_t batch)
{
    u_char                     *p;
    ngx_buf_t                  *b;
    ngx_uint_t                  i;
    ngx_http_clipper_answer_t  *answer;
    clipper_json_output_t       one, *out;

    /* a batch of one input is answered like a single input */

    batch = batch && query->n != 1;
    answer = query->answers;
    out = &one;

    if (query->n > 1) {
        out = ngx_palloc(r->pool, query->n * sizeof(clipper_json_output_t));
        if (out == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    b = ngx_create_temp_buf(r->pool,
                            ngx_http_clipper_response_room(query, out));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = b->last;

    if (batch) {
        p = ngx_cpymem(p, "{\"batch_predictions\":[",
                       sizeof("{\"batch_predictions\":[") - 1);
    }

    for (i = 0; i < query->n; i++) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_http_clipper_response_answer(p, &answer[i], &out[i]);
    }

    if (batch) {
        *p++ = ']';
        *p++ = '}';
    }

    *p++ = LF;

    b->last = p;

    return ngx_http_clipper_response_send(r, NGX_HTTP_OK, b);
}


/* classifies each output; returns an upper bound of the size of all answers */

static size_t
ngx_http_clipper_response_room(ngx_http_clipper_query_t *query,
    clipper_json_output_t *out)
{
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_clipper_answer_t  *answer;

    len = NGX_HTTP_CLIPPER_RESPONSE_BATCH;

    for (i = 0; i < query->n; i++) {
        answer = &query->answers[i];

        if (answer->reason == NGX_HTTP_CLIPPER_MODEL_ERROR) {
            len += clipper_json_string_len(answer->error.data,
                                           answer->error.len);
        }

        clipper_json_output(&out[i], answer->output.data, answer->output.len,
                            CLIPPER_LEX_MAX_DEPTH);

        len += NGX_HTTP_CLIPPER_RESPONSE_FRAME + out[i].len
               + ngx_http_clipper_explanations[answer->reason].len
               + ngx_http_clipper_query_reasons[answer->reason].len;
    }

    return len;
}


static u_char *
ngx_http_clipper_response_answer(u_char *p, ngx_http_clipper_answer_t *answer,
    clipper_json_output_t *out)
{
    u_char     *quote;
    ngx_str_t  *text;

    p = ngx_cpymem(p, "{\"query_id\":", sizeof("{\"query_id\":") - 1);
    p = clipper_json_u64(p, answer->query_id);
    p = ngx_cpymem(p, ",\"output\":", sizeof(",\"output\":") - 1);
    p = clipper_json_output_write(p, out);

    if (answer->reason == NGX_HTTP_CLIPPER_REASON_NONE) {
        p = ngx_cpymem(p, ",\"default\":false",
                       sizeof(",\"default\":false") - 1);

        return ngx_http_clipper_response_confidence(p, answer);
    }

    p = ngx_cpymem(p, ",\"default\":true,\"default_explanation\":\"",
                   sizeof(",\"default\":true,\"default_explanation\":\"") - 1);

    text = &ngx_http_clipper_explanations[answer->reason];
    p = ngx_cpymem(p, text->data, text->len);

    if (answer->reason == NGX_HTTP_CLIPPER_MODEL_ERROR && answer->error.len) {
        *p++ = ',';

        /* a part of this string: a space and nothing for its quotes */

        quote = p;
        p = clipper_json_string(p, answer->error.data, answer->error.len);
        *quote = ' ';
        p--;
    }

    p = ngx_cpymem(p, "\",\"default_reason\":\"",
                   sizeof("\",\"default_reason\":\"") - 1);

    text = &ngx_http_clipper_query_reasons[answer->reason];
    p = ngx_cpymem(p, text->data, text->len);

    *p++ = '"';

    return ngx_http_clipper_response_confidence(p, answer);
}


/* ends an answer; with several models it includes the confidence */

static u_char *
ngx_http_clipper_response_confidence(u_char *p,
    ngx_http_clipper_answer_t *answer)
{
    if (answer->confidence >= 0) {
        p = ngx_cpymem(p, ",\"confidence\":", sizeof(",\"confidence\":") - 1);
        p = clipper_json_double(p, answer->confidence);
    }

    *p++ = '}';

    return p;
}


ngx_int_t
ngx_http_clipper_response_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, ngx_str_t *cause)
{
    ngx_buf_t  *b;

    b = ngx_http_clipper_response_error_buf(r->pool, error, cause);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_response_send(r, status, b);
}


ngx_buf_t *
ngx_http_clipper_response_error_buf(ngx_pool_t *pool, const char *error,
    ngx_str_t *cause)
{
    u_char     *p;
    size_t      len;
    ngx_buf_t  *b;

    len = ngx_strlen(error);

    b = ngx_create_temp_buf(pool, sizeof("{\"error\":,\"cause\":}\n") - 1
                            + clipper_json_string_len(
                                  (u_char *) error, len)
                            + clipper_json_string_len(
                                  cause->data, cause->len));
    if (b == NULL) {
        return NULL;
    }

    p = ngx_cpymem(b->last, "{\"error\":", sizeof("{\"error\":") - 1);
    p = clipper_json_string(p, (u_char *) error, len);
    p = ngx_cpymem(p, ",\"cause\":", sizeof(",\"cause\":") - 1);
    p = clipper_json_string(p, cause->data, cause->len);
    *p++ = '}';
    *p++ = LF;

    b->last = p;

    return b;
}


void
ngx_http_clipper_response_type(ngx_http_request_t *r, off_t length)
{
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    r->headers_out.content_length_n = length;

    if (r->headers_out.content_length) {
        r->headers_out.content_length->hash = 0;
        r->headers_out.content_length = NULL;
    }
}


ngx_int_t
ngx_http_clipper_response_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    r->headers_out.status = status;
    ngx_http_clipper_response_type(r, b->last - b->pos);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

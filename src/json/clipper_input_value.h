
/*
 * Inside the input scanner: the state of one scan, and how an input is read.
 *
 * Return codes: NGX_OK, read; NGX_DECLINED, an error of meaning was remembered
 * and the value was skipped; NGX_ERROR, the scan ends, ctx->lex tells why.
 */


#ifndef _CLIPPER_INPUT_VALUE_H_INCLUDED_
#define _CLIPPER_INPUT_VALUE_H_INCLUDED_


#include "json/clipper_input.h"
#include "json/clipper_lex_scalar.h"


#define CLIPPER_INPUT_ROWS  8


typedef struct {
    clipper_input_t                      *in;
    const clipper_input_conf_t           *conf;

    clipper_lex_t                         lex;

    /* the first errors of meaning: of the other members, and of the input */

    clipper_input_error_t                 member;
    clipper_input_error_t                 input;

    unsigned                              seen_input:1;
    unsigned                              seen_batch:1;
    unsigned                              nan:1;

    /* offsets of the texts of members, as the buffer may move */

    size_t                                offsets[CLIPPER_INPUT_ROWS];

    size_t                                start;     /* of this input */
    unsigned                              within:1;  /* its brackets */
} clipper_input_ctx_t;


/* one input; key: the member's name, or NULL for an element of a batch */

ngx_int_t  clipper_input_value(clipper_input_ctx_t *ctx, const char *key);

/* remembers an error for the next value, and skips it */

ngx_int_t clipper_input_value_refuse(clipper_input_ctx_t *ctx, ngx_uint_t code,
    ngx_uint_t what, const char *expected, const char *key, size_t number);


#endif /* _CLIPPER_INPUT_VALUE_H_INCLUDED_ */

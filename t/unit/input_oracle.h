
/*
 * The expected result of the input scanner for a valid document, derived from
 * jansson's tree; input_check.h does the rest.
 */


#ifndef _INPUT_ORACLE_H_INCLUDED_
#define _INPUT_ORACLE_H_INCLUDED_


#include <jansson.h>

#include "json/clipper_input.h"


#define ORACLE_FLAGS  (JSON_DECODE_ANY|JSON_ALLOW_NUL)


typedef struct {
    const clipper_input_conf_t           *conf;
    ngx_uint_t                            mode;

    /* expected */

    ngx_uint_t                            code;
    ngx_uint_t                            what;
    ngx_uint_t                            kind;

    /* jansson cannot tell: an integer literal that needs more than 64 bits */

    ngx_uint_t                            unknown;

    const char                           *failure;
} oracle_t;


/*
 * NULL when the scanner's result is right, else a text that describes the
 * difference.  o has conf and mode, all else 0.  a is the document with
 * integers as integers, NULL if jansson failed; b has integers as reals.
 */
const char *input_oracle_compare(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in);


#endif /* _INPUT_ORACLE_H_INCLUDED_ */

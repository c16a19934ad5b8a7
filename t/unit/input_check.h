
/*
 * Checks the input scanner with one body.  Used by the unit tests and by the
 * fuzz target.
 */


#ifndef _INPUT_CHECK_H_INCLUDED_
#define _INPUT_CHECK_H_INCLUDED_


#include "json/clipper_input.h"


#define INPUT_CHECK_CUTS  64


/* comparisons with jansson, by error code and error.what */

extern size_t  input_check_seen[5][5];


/*
 * NULL when the scanner agrees with jansson about the body in one piece, gives
 * the same result for the body cut up as asked, and reports a syntax error at
 * the first byte that no valid document could have there; else a text that
 * describes the difference.  cuts is a rising list of INPUT_CHECK_CUTS at
 * most.  All memory given to the scanner ends where its content ends.
 */
const char *input_check(const clipper_input_conf_t *conf, ngx_uint_t mode,
    const u_char *body, size_t len, const size_t *cuts, size_t ncuts);


#endif /* _INPUT_CHECK_H_INCLUDED_ */

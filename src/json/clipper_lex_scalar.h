
/*
 * Scalars of the JSON tokenizer; the next byte is the first of one.
 *
 * Return codes as in clipper_lex.h.
 */


#ifndef _CLIPPER_LEX_SCALAR_H_INCLUDED_
#define _CLIPPER_LEX_SCALAR_H_INCLUDED_


#include "json/clipper_lex.h"
#include "json/clipper_number.h"


/* a string, decoded and appended to out, if not NULL */

ngx_int_t clipper_lex_scalar_string(clipper_lex_t *lex, clipper_scratch_t *out);

ngx_int_t clipper_lex_scalar_number(clipper_lex_t *lex,
    clipper_number_t *number);

/* true, false or null; with lex->nan NaN, too */

ngx_int_t clipper_lex_scalar_literal(clipper_lex_t *lex);


#endif /* _CLIPPER_LEX_SCALAR_H_INCLUDED_ */

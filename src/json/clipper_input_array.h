
/*
 * The hot loops of the input scanner: runs of plain numbers in one piece of
 * memory.
 *
 * Promise: only a shortcut.  A run takes elements, each with its delimiter, as
 * long as they have an ordinary shape (at most 8 digits before the point and
 * 19 altogether, no exponent), are valid for the type, and are not near the
 * end of the piece.  It stops before any other element, which the tokenizer
 * then reads, so the result is the same as without the run.
 */


#ifndef _CLIPPER_INPUT_ARRAY_H_INCLUDED_
#define _CLIPPER_INPUT_ARRAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * p: where an element is expected; up to CLIPPER_INPUT_BEFORE bytes before it
 * are read, nothing past last.  *out is moved up to out_last, a multiple of the
 * element's size away.  Returns where the next element is expected or, with
 * *closed set, the bracket after the last one.  It looks at 64 bytes at a time,
 * and at up to 8 after them; with less than CLIPPER_INPUT_WINDOW to last it
 * takes no element.  strict: an integer is not a real number.
 */

#define CLIPPER_INPUT_BEFORE  8
#define CLIPPER_INPUT_WINDOW  80


typedef const u_char *(*clipper_input_run_pt)(const u_char *p,
    const u_char *last, u_char **out, u_char *out_last, ngx_uint_t strict,
    ngx_uint_t *closed);


const u_char *clipper_input_array_run_ints(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed);
const u_char *clipper_input_array_run_floats(const u_char *p,
    const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed);
const u_char *clipper_input_array_run_doubles(const u_char *p,
    const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed);


#endif /* _CLIPPER_INPUT_ARRAY_H_INCLUDED_ */

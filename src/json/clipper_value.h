
/*
 * Outputs and labels as values: a byte string that is one JSON value stands
 * for that value, any other for a string of its bytes.
 *
 * Promise: values that every JSON reader takes for the same are equal here.
 * Numbers: 1, 1.0 and 1e0; integers up to 64 bits exactly, all others as the
 * nearest doubles.  Strings: after resolving escapes.  Arrays: element by
 * element.  Objects: member by member in the order written.  No allocation, no
 * recursion.
 */


#ifndef _CLIPPER_VALUE_H_INCLUDED_
#define _CLIPPER_VALUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "json/clipper_number.h"


typedef struct {
    ngx_str_t                   text;           /* without outer white space */
    unsigned                    raw:1;          /* not JSON: a string */
} clipper_value_t;


/* brackets are tokens of their own kind; commas and colons are not tokens */

#define CLIPPER_VALUE_END      0
#define CLIPPER_VALUE_STRING   '"'
#define CLIPPER_VALUE_NUMBER   '0'
#define CLIPPER_VALUE_LITERAL  'n'              /* true, false, null */

typedef struct {
    u_char                      kind;
    unsigned                    raw:1;          /* a string without quotes */
    const u_char               *start;
    const u_char               *end;
    clipper_number_t            number;
} clipper_token_t;

typedef struct {
    const u_char               *pos;
    const u_char               *last;
    unsigned                    raw:1;
} clipper_cursor_t;


void clipper_value_init(clipper_value_t *value, const u_char *data,
    size_t len);

void clipper_value_open(const clipper_value_t *value,
    clipper_cursor_t *cursor);

/*
 * Returns the tokens of a value one by one, then NGX_DONE with the kind
 * CLIPPER_VALUE_END.
 */
ngx_int_t  clipper_value_next(clipper_cursor_t *cursor, clipper_token_t *token);

/*
 * Whether two values are equal.  With `shape` any two numbers are equal;
 * brackets, keys and everything else must be the same, in the same places.
 */
ngx_uint_t clipper_value_equal(const clipper_value_t *one,
    const clipper_value_t *two, ngx_uint_t shape);

/* equal values have the same hash, for one `shape` */
uint64_t clipper_value_hash(const clipper_value_t *value, ngx_uint_t shape);

/*
 * The value that the text in a string stands for, as if it were an output of
 * its own: "7" is the number 7, "cat" is the text.  A text with escapes is
 * copied to `buf`, which must live as long as `inner`.  NGX_DECLINED: not a
 * string; NGX_ABORT: longer than `buf`.
 */
ngx_int_t  clipper_value_inner(const clipper_value_t *value,
    clipper_value_t *inner, u_char *buf, size_t size);

/* NGX_DECLINED: not a single number */
ngx_int_t  clipper_value_number(const clipper_value_t *value, double *number);


#endif /* _CLIPPER_VALUE_H_INCLUDED_ */


/*
 * JSON writer and validator for responses.
 *
 * Promise: whatever bytes go in, the output is valid JSON in valid UTF-8, and
 * every length function returns exactly what its writer writes, so that a
 * response is allocated once.  No allocation, no recursion, no nginx object.
 */


#ifndef _CLIPPER_JSON_H_INCLUDED_
#define _CLIPPER_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "json/clipper_lex.h"


#define CLIPPER_JSON_U64_LEN     20
#define CLIPPER_JSON_DOUBLE_LEN  26


typedef struct {
    ngx_str_t                   text;       /* the caller's bytes */
    size_t                      len;        /* as written */
    unsigned                    verbatim:1; /* one JSON value, copied */
} clipper_json_output_t;


/*
 * Is the byte string exactly one JSON value, white space around it allowed,
 * within max_depth (at most CLIPPER_LEX_MAX_DEPTH, a scalar has depth 0), and
 * without a number beyond DBL_MAX?  NGX_OK: value is the range without that
 * white space.  NGX_DECLINED: it is not.
 */

ngx_int_t clipper_json_value(const u_char *data, size_t len,
    ngx_uint_t max_depth, ngx_str_t *value);

/*
 * A string with its quotes: '"', '\' and control characters are escaped, all
 * else is copied, each byte of invalid UTF-8 that starts no valid sequence
 * becomes U+FFFD (one for a maximal part of a sequence, as Unicode advises).
 */

size_t clipper_json_string_len(const u_char *data, size_t len);
u_char *clipper_json_string(u_char *dst, const u_char *data, size_t len);

/*
 * The output rule: a byte string that is one JSON value is embedded without
 * outer white space, any other becomes a string.  The bytes must stay until
 * they are written; writing takes exactly out->len bytes.
 */

void clipper_json_output(clipper_json_output_t *out, const u_char *data,
    size_t len, ngx_uint_t max_depth);
u_char *clipper_json_output_write(u_char *dst,
    const clipper_json_output_t *out);

/*
 * Numbers: at most the lengths defined above, no terminator.  A double is
 * written with the fewest digits that read back to it, always as a real
 * ("1.0", "1e+300"); NaN and infinities are written as null.
 */

u_char  *clipper_json_u64(u_char *dst, uint64_t value);
u_char  *clipper_json_double(u_char *dst, double value);

/* how many digits those are, of a finite value; 0 has one */
ngx_uint_t  clipper_json_digits(double value);


#endif /* _CLIPPER_JSON_H_INCLUDED_ */


/*
 * JSON numbers: grammar, and conversion to binary64, binary32 and integers.
 *
 * Promise: every literal of any length becomes the nearest value, ties to even
 * (binary32 directly, not by way of binary64), independent of the locale.
 *
 * How: up to 15 digits and small powers of ten by one exact operation
 * (W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990); else
 * a product with 128 bits of the power of five (M. Eisel and D. Lemire,
 * "Number Parsing at a Gigabyte per Second", 2021), see _number_lemire.h; where
 * that cannot be sure, and for literals whose digits after the 19th matter, a
 * comparison with the middle of two neighbours, see _number_exact.h.
 */


#ifndef _CLIPPER_NUMBER_H_INCLUDED_
#define _CLIPPER_NUMBER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A number as written.  Its value is mantissa * 10^exponent or, when truncated
 * is set, something between that and (mantissa + 1) * 10^exponent.  The digits
 * are the caller's memory.
 */

typedef struct {
    const u_char     *integer;      /* digits before the point */
    const u_char     *fraction;     /* digits behind it */
    size_t            ninteger;
    size_t            nfraction;
    uint64_t          mantissa;     /* first 19 significant digits */
    int64_t           exponent;
    unsigned          negative:1;
    unsigned          real:1;       /* has a fraction or an exponent */
    unsigned          truncated:1;
} clipper_number_t;


/* a binary format; the ranges of powers of ten are proven by Lemire 2021 */

typedef struct {
    int               bits;         /* of the mantissa as stored */
    int               bias;
    int               infinite;     /* exponent field of infinity */
    int               min_tie;      /* powers where a tie is possible */
    int               max_tie;
    int               min_power;    /* below: rounds to zero */
    int               max_power;    /* above: rounds to infinity */
} clipper_number_format_t;


/*
 * Checks the literal at p, which ends at last at most.  Returns its end, or
 * NULL with *error at the first byte (or last) that cannot continue it and
 * *reason.
 */

const u_char *clipper_number_scan(const u_char *p,
    const u_char *last, clipper_number_t *number, const u_char **error,
    const char **reason);

/* whether it is beyond DBL_MAX after rounding */

ngx_uint_t  clipper_number_overflows(const clipper_number_t *number);

/* an overflow gives infinity; "-0" gives -0.0 */

double clipper_number_double(const clipper_number_t *number);

/*
 * NGX_DECLINED: the literal as a double is beyond FLT_MAX.  (A literal between
 * FLT_MAX and the middle to the next float is declined, as the original did.)
 */

ngx_int_t  clipper_number_float(const clipper_number_t *number, float *value);

/* NGX_DECLINED: not written as an integer of 32 bits */

ngx_int_t  clipper_number_int32(const clipper_number_t *number, int32_t *value);

/* whether it is an integer literal in [-2^63, 2^64 - 1] */

ngx_uint_t  clipper_number_is_int64(const clipper_number_t *number);


#endif /* _CLIPPER_NUMBER_H_INCLUDED_ */

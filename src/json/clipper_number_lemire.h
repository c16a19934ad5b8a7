
/*
 * mantissa * 10^power to the nearest binary64 or binary32, inline for the loops
 * over arrays.  After M. Eisel and D. Lemire, "Number Parsing at a Gigabyte per
 * Second", Software: Practice and Experience 51(8), 2021, written anew.
 *
 * The mantissa, shifted to 64 full bits, is multiplied by the first 128 bits of
 * 5^power.  The upper half of the product is right except for a carry out of
 * what was cut off, and that carry can only matter when all bits below those
 * that are kept are ones; then the second word of the power joins in.
 */


#ifndef _CLIPPER_NUMBER_LEMIRE_H_INCLUDED_
#define _CLIPPER_NUMBER_LEMIRE_H_INCLUDED_


#include "json/clipper_number.h"
#include "json/clipper_number_table.h"


/* powers of five that 128 bits hold exactly, or whose inverses can be ties */

#define CLIPPER_NUMBER_MIN_SURE   (-27)
#define CLIPPER_NUMBER_MAX_SURE   55


/* here, so that the compiler folds them into the code */

static const clipper_number_format_t
    clipper_number_format64 = { 52, 1023, 0x7ff, -4, 23, -342, 308 };

static const clipper_number_format_t
    clipper_number_format32 = { 23, 127, 0xff, -17, 10, -64, 38 };


static ngx_inline uint64_t
clipper_number_lemire_mul(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128  product;

    product = (unsigned __int128) a * b;
    *low = (uint64_t) product;

    return (uint64_t) (product >> 64);
#else
    uint64_t  al, ah, bl, bh, mid, carry;

    al = (uint32_t) a;
    ah = a >> 32;
    bl = (uint32_t) b;
    bh = b >> 32;

    mid = ah * bl + ((al * bl) >> 32);
    carry = mid >> 32;
    mid = (uint32_t) mid + al * bh;
    *low = a * b;

    return ah * bh + carry + (mid >> 32);
#endif
}


/*
 * The bits without sign.  *unsure is set, and not cleared, when the result may
 * be one unit off; mantissa must not be 0 and power must be in the table.
 */

static ngx_inline __attribute__((always_inline)) uint64_t
clipper_number_lemire_bits(uint64_t mantissa, int power,
    const clipper_number_format_t *f, ngx_uint_t *unsure)
{
    int              zeros, upper, shift, exponent;
    uint64_t         high, low, high2, low2, m, below, infinity;
    const uint64_t  *five;

    zeros = __builtin_clzll(mantissa);
    mantissa <<= zeros;

    five = clipper_number_table + 2 * (power - CLIPPER_NUMBER_TABLE_MIN);

    below = UINT64_MAX >> (f->bits + 3);

    high = clipper_number_lemire_mul(mantissa, five[0], &low);

    if ((high & below) == below) {
        high2 = clipper_number_lemire_mul(mantissa, five[1], &low2);
        low += high2;
        high += (low < high2);

        if (low == UINT64_MAX
            && (power < CLIPPER_NUMBER_MIN_SURE
                || power > CLIPPER_NUMBER_MAX_SURE))
        {
            *unsure = 1;
        }
    }

    upper = (int) (high >> 63);
    shift = upper + 64 - f->bits - 3;
    m = high >> shift;

    /* floor(power * log2(10)) + 63: exact for all powers of the table */

    exponent = ((217706 * power) >> 16) + 63 + upper - zeros + f->bias;

    if (exponent <= 0) {

        if (exponent <= -63) {
            return 0;
        }

        /* subnormal: no tie here, min_tie is far above */

        m >>= 1 - exponent;
        m += m & 1;
        m >>= 1;

        return m;
    }

    /* exactly in the middle of two values: to the even one */

    if (low <= 1 && (m & 3) == 1 && power >= f->min_tie && power <= f->max_tie
        && (m << shift) == high)
    {
        m &= ~(uint64_t) 1;
    }

    m = (m + 1) >> 1;

    /* the leading bit, and what rounding carries, go to the exponent */

    m += (uint64_t) (exponent - 1) << f->bits;
    infinity = (uint64_t) f->infinite << f->bits;

    return ngx_min(m, infinity);
}


/*
 * The same for binary64 where -18 <= power <= -8 and 10^15 <= mantissa: such a
 * value is neither subnormal nor infinite nor in the middle of two others, and
 * 128 bits of the power are always enough.
 */

static ngx_inline __attribute__((always_inline)) uint64_t
clipper_number_lemire_fraction(uint64_t mantissa, int power)
{
    int              zeros, upper, exponent;
    uint64_t         high, low, high2, low2;
    const uint64_t  *five;

    zeros = __builtin_clzll(mantissa);
    mantissa <<= zeros;

    five = clipper_number_table + 2 * (power - CLIPPER_NUMBER_TABLE_MIN);

    high = clipper_number_lemire_mul(mantissa, five[0], &low);

    if ((high & 0x1ff) == 0x1ff) {
        low = mantissa * five[0];       /* so that it is not kept till here */
        high2 = clipper_number_lemire_mul(mantissa, five[1], &low2);
        high += (low + high2 < high2);
    }

    upper = (int) (high >> 63);
    exponent = ((217706 * power) >> 16) + 63 + upper - zeros + 1023;

    return ((uint64_t) (exponent - 1) << 52)
           + (((high >> (upper + 9)) + 1) >> 1);
}


#endif /* _CLIPPER_NUMBER_LEMIRE_H_INCLUDED_ */

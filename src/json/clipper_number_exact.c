
/*
 * The exact way of the number parser: the literal's digits are compared as a
 * big integer with the middle between two neighbouring values.
 *
 * Promise: right for every literal, with bounded memory on the stack and time
 * linear in the number of digits.  Nothing else is assumed of the first guess
 * than that it is near.
 */


#include "json/clipper_number.h"


/*
 * The middle between two doubles has at most 768 significant digits, so digits
 * behind the 770th only matter by being there.  The smallest power of ten is
 * then 10^-1093, and both sides of a comparison, being near to each other, stay
 * below 2^54 * 5^1093 < 2^2600.
 */

#define CLIPPER_NUMBER_EXACT_DIGITS  770
#define CLIPPER_NUMBER_EXACT_LIMBS   128


typedef struct {
    ngx_uint_t  n;                  /* limbs in use, the last is not 0 */
    uint32_t    limb[CLIPPER_NUMBER_EXACT_LIMBS];
} clipper_number_big_t;


static int64_t clipper_number_exact_digits(clipper_number_big_t *big,
    const clipper_number_t *n);
static ngx_int_t clipper_number_exact_compare(
    const clipper_number_big_t *digits, int64_t exponent,
    const clipper_number_format_t *f, uint64_t bits);
static void clipper_number_big_mul(clipper_number_big_t *big, uint32_t factor,
    uint32_t carry);
static void clipper_number_big_pow5(clipper_number_big_t *big,
    ngx_uint_t power);
static void clipper_number_big_shift(clipper_number_big_t *big,
    ngx_uint_t bits);
static ngx_int_t clipper_number_big_compare(const clipper_number_big_t *a,
    const clipper_number_big_t *b);


uint64_t
clipper_number_exact(const clipper_number_t *n,
    const clipper_number_format_t *f, uint64_t close)
{
    int64_t               exponent;
    uint64_t              infinity;
    ngx_int_t             rc;
    clipper_number_big_t  digits;

    infinity = (uint64_t) f->infinite << f->bits;

    exponent = clipper_number_exact_digits(&digits, n);

    /* up while the number is above the middle to the next value */

    while (close < infinity) {
        rc = clipper_number_exact_compare(&digits, exponent, f, close);

        if (rc < 0 || (rc == 0 && (close & 1) == 0)) {
            break;
        }

        close++;
    }

    /* down while it is below the middle to the one before */

    while (close > 0) {
        rc = clipper_number_exact_compare(&digits, exponent, f, close - 1);

        if (rc > 0 || (rc == 0 && (close & 1) == 0)) {
            break;
        }

        close--;
    }

    return close;
}


/* number = big * 10^result, or just above it by less than the last digit */

static int64_t
clipper_number_exact_digits(clipper_number_big_t *big,
    const clipper_number_t *n)
{
    size_t      i, total, used;
    u_char      c;
    int64_t     exponent;
    uint32_t    factor, part;
    ngx_uint_t  sticky;

    big->n = 0;
    used = 0;
    part = 0;
    factor = 1;
    sticky = 0;
    total = n->ninteger + n->nfraction;

    for (i = 0; i < total; i++) {
        c = i < n->ninteger ? n->integer[i] : n->fraction[i - n->ninteger];

        if (used == 0 && c == '0') {
            continue;
        }

        if (used == CLIPPER_NUMBER_EXACT_DIGITS) {

            if (c != '0') {
                sticky = 1;
                break;
            }

            continue;
        }

        used++;
        part = part * 10 + (c - '0');
        factor *= 10;

        if (factor == 1000000000) {
            clipper_number_big_mul(big, factor, part);
            part = 0;
            factor = 1;
        }
    }

    clipper_number_big_mul(big, factor, part);

    /* where the mantissa's last digit is, there is the 19th of these */

    exponent = n->exponent;

    if (used > 19) {
        exponent -= used - 19;
    }

    if (sticky) {
        clipper_number_big_mul(big, 10, 1);
        exponent--;
    }

    return exponent;
}


/* the digits against the middle of the value of these bits and the next one */

static ngx_int_t
clipper_number_exact_compare(const clipper_number_big_t *digits,
    int64_t exponent, const clipper_number_format_t *f, uint64_t bits)
{
    int64_t               power;
    uint64_t              m;
    clipper_number_big_t  left, right;

    m = bits & (((uint64_t) 1 << f->bits) - 1);
    power = (int64_t) (bits >> f->bits);

    if (power) {
        m |= (uint64_t) 1 << f->bits;

    } else {
        power = 1;
    }

    /* the middle is (2m + 1) * 2^power */

    power -= f->bias + f->bits + 1;
    m = 2 * m + 1;

    left = *digits;

    right.n = 0;
    clipper_number_big_mul(&right, 0, (uint32_t) (m >> 32));
    clipper_number_big_shift(&right, 32);
    clipper_number_big_mul(&right, 1, (uint32_t) m);

    if (exponent >= 0) {
        clipper_number_big_pow5(&left, exponent);

    } else {
        clipper_number_big_pow5(&right, -exponent);
    }

    if (exponent >= power) {
        clipper_number_big_shift(&left, exponent - power);

    } else {
        clipper_number_big_shift(&right, power - exponent);
    }

    return clipper_number_big_compare(&left, &right);
}


/* big = big * factor + carry */

static void
clipper_number_big_mul(clipper_number_big_t *big, uint32_t factor,
    uint32_t carry)
{
    uint64_t    product;
    ngx_uint_t  i;

    for (i = 0; i < big->n; i++) {
        product = (uint64_t) big->limb[i] * factor + carry;
        big->limb[i] = (uint32_t) product;
        carry = (uint32_t) (product >> 32);
    }

    if (carry && big->n < CLIPPER_NUMBER_EXACT_LIMBS) {
        big->limb[big->n++] = carry;
    }
}


static void
clipper_number_big_pow5(clipper_number_big_t *big, ngx_uint_t power)
{
    for ( /* void */ ; power >= 13; power -= 13) {
        clipper_number_big_mul(big, 1220703125, 0);
    }

    for ( /* void */ ; power; power--) {
        clipper_number_big_mul(big, 5, 0);
    }
}


static void
clipper_number_big_shift(clipper_number_big_t *big, ngx_uint_t bits)
{
    ngx_uint_t  limbs;

    limbs = bits / 32;
    bits %= 32;

    if (bits) {
        clipper_number_big_mul(big, (uint32_t) 1 << bits, 0);
    }

    if (big->n == 0 || limbs == 0
        || limbs > CLIPPER_NUMBER_EXACT_LIMBS - big->n)
    {
        return;
    }

    ngx_memmove(&big->limb[limbs], &big->limb[0], big->n * sizeof(uint32_t));
    ngx_memzero(&big->limb[0], limbs * sizeof(uint32_t));
    big->n += limbs;
}


static ngx_int_t
clipper_number_big_compare(const clipper_number_big_t *a,
    const clipper_number_big_t *b)
{
    ngx_uint_t  i;

    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }

    for (i = a->n; i; i--) {
        if (a->limb[i - 1] != b->limb[i - 1]) {
            return a->limb[i - 1] < b->limb[i - 1] ? -1 : 1;
        }
    }

    return 0;
}


/*
 * A number and the middle of two others as integers, see the header.
 *
 * The number is digits * 10^e, the middle is odd * 2^k.  The power of five goes
 * to the side where its exponent is positive, and so does what is left of the
 * powers of two.  Both sides are then as large as the number of its digits, or
 * as a power of five below 5^1093 with 54 bits more: the smallest number is
 * 2.47e-324, whose 769th digit stands for 10^-1092.
 */


#include "json/clipper_number_exact.h"
#include "json/clipper_number_lemire.h"


/* 5^1092 * 2^54 has 2590 bits, 10^769 has 2555; one limb more for shifts */

#define CLIPPER_NUMBER_EXACT_LIMBS  42

/* the largest powers of five and ten that a limb holds */

#define CLIPPER_NUMBER_EXACT_FIVE   27
#define CLIPPER_NUMBER_EXACT_TEN    19


#if (CLIPPER_NUMBER_EXACT_COUNT)
#define clipper_number_exact_count(n)  clipper_number_exact_work += (n)
#else
#define clipper_number_exact_count(n)
#endif


/* the lowest limb first; the highest is not 0 */

typedef struct {
    ngx_uint_t        n;
    uint64_t          limbs[CLIPPER_NUMBER_EXACT_LIMBS];
} clipper_number_exact_t;


static int64_t clipper_number_exact_digits(const clipper_number_t *n,
    clipper_number_exact_t *big);
static int64_t clipper_number_exact_middle(uint64_t bits,
    const clipper_number_format_t *f, clipper_number_exact_t *big);
static void clipper_number_exact_power5(clipper_number_exact_t *big,
    ngx_uint_t power);
static void clipper_number_exact_multiply(clipper_number_exact_t *big,
    uint64_t factor, uint64_t carry);
static void clipper_number_exact_shift(clipper_number_exact_t *big,
    ngx_uint_t bits);
static int clipper_number_exact_compare(const clipper_number_exact_t *a,
    const clipper_number_exact_t *b);


ngx_uint_t
clipper_number_exact_up(const clipper_number_t *n, uint64_t bits,
    const clipper_number_format_t *f)
{
    int                     order;
    int64_t                 ten, two;
    clipper_number_exact_t  number, middle;

    ten = clipper_number_exact_digits(n, &number);
    two = clipper_number_exact_middle(bits, f, &middle);

    if (ten > 0) {
        clipper_number_exact_power5(&number, ten);

    } else {
        clipper_number_exact_power5(&middle, -ten);
    }

    if (ten > two) {
        clipper_number_exact_shift(&number, ten - two);

    } else {
        clipper_number_exact_shift(&middle, two - ten);
    }

    order = clipper_number_exact_compare(&number, &middle);

    return order > 0 || (order == 0 && (bits & 1));
}


/* the significant digits, and a 1 for all that are left out; the exponent */

static int64_t
clipper_number_exact_digits(const clipper_number_t *n,
    clipper_number_exact_t *big)
{
    size_t    i, used;
    u_char    c;
    int64_t   exponent;
    uint64_t  chunk, ten;

    big->n = 1;
    big->limbs[0] = n->mantissa;
    exponent = n->exponent;

    if (!n->truncated) {
        return exponent;
    }

    used = 0;
    chunk = 0;
    ten = 1;

    for (i = 0; i < n->ninteger + n->nfraction; i++) {
        c = i < n->ninteger ? n->integer[i] : n->fraction[i - n->ninteger];

        if (used == 0 && c == '0') {
            continue;
        }

        if (used == CLIPPER_NUMBER_EXACT_DIGITS) {

            if (c == '0') {
                continue;
            }

            c = '1';
        }

        /* the first ones are the mantissa */

        if (used++ < CLIPPER_NUMBER_EXACT_TEN) {
            continue;
        }

        chunk = chunk * 10 + (c - '0');
        ten *= 10;
        exponent--;

        if (used % CLIPPER_NUMBER_EXACT_TEN == 0) {
            clipper_number_exact_multiply(big, ten, chunk);
            chunk = 0;
            ten = 1;
        }

        if (used > CLIPPER_NUMBER_EXACT_DIGITS) {
            break;
        }
    }

    clipper_number_exact_multiply(big, ten, chunk);

    return exponent;
}


/* twice the mantissa and one; the exponent */

static int64_t
clipper_number_exact_middle(uint64_t bits, const clipper_number_format_t *f,
    clipper_number_exact_t *big)
{
    int64_t   exponent;
    uint64_t  lead;

    lead = (uint64_t) 1 << f->bits;
    exponent = bits >> f->bits;
    bits &= lead - 1;

    if (exponent) {
        bits |= lead;

    } else {
        exponent = 1;                   /* subnormal */
    }

    big->n = 1;
    big->limbs[0] = 2 * bits + 1;

    return exponent - f->bias - f->bits - 1;
}


static void
clipper_number_exact_power5(clipper_number_exact_t *big, ngx_uint_t power)
{
    uint64_t  five;

    for ( /* void */ ; power >= CLIPPER_NUMBER_EXACT_FIVE;
         power -= CLIPPER_NUMBER_EXACT_FIVE)
    {
        clipper_number_exact_multiply(big, 7450580596923828125, 0);
    }

    for (five = 1; power; power--) {
        five *= 5;
    }

    clipper_number_exact_multiply(big, five, 0);
}


/* the factor is not 0, the carry is added */

static void
clipper_number_exact_multiply(clipper_number_exact_t *big, uint64_t factor,
    uint64_t carry)
{
    uint64_t    high, low;
    ngx_uint_t  i;

    for (i = 0; i < big->n; i++) {
        high = clipper_number_lemire_mul(big->limbs[i], factor, &low);
        low += carry;
        carry = high + (low < carry);
        big->limbs[i] = low;
    }

    clipper_number_exact_count(big->n);

    if (carry) {
        big->limbs[big->n++] = carry;
    }
}


static void
clipper_number_exact_shift(clipper_number_exact_t *big, ngx_uint_t bits)
{
    ngx_uint_t  i, whole;

    whole = bits / 64;
    bits %= 64;

    if (bits) {
        clipper_number_exact_multiply(big, (uint64_t) 1 << bits, 0);
    }

    if (whole == 0) {
        return;
    }

    for (i = big->n; i--; /* void */ ) {
        big->limbs[i + whole] = big->limbs[i];
    }

    ngx_memzero(big->limbs, whole * sizeof(uint64_t));
    big->n += whole;
}


/* as memcmp() */

static int
clipper_number_exact_compare(const clipper_number_exact_t *a,
    const clipper_number_exact_t *b)
{
    ngx_uint_t  i;

    if (a->n != b->n) {
        return a->n > b->n ? 1 : -1;
    }

    for (i = a->n; i--; /* void */ ) {

        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] > b->limbs[i] ? 1 : -1;
        }
    }

    return 0;
}

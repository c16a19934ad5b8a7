
#include "json/clipper_number_exact.h"
#include "json/clipper_number_lemire.h"


/*
 * The number of digits that a uint64_t always holds; and an exponent that no
 * body is long enough to balance with zeros, to which larger ones are cut.
 */

#define CLIPPER_NUMBER_DIGITS        19
#define CLIPPER_NUMBER_EXPONENT_MAX  ((int64_t) 1 << 60)

static const u_char *clipper_number_digits(const u_char *p,
    const u_char *last);
static const u_char *clipper_number_exponent(const u_char *p,
    const u_char *last, int64_t *exponent, const u_char **error);
static void clipper_number_collect(clipper_number_t *n, int64_t exponent);
static uint64_t clipper_number_convert(const clipper_number_t *n,
    const clipper_number_format_t *f);
static uint64_t clipper_number_scale(uint64_t mantissa, int64_t power,
    const clipper_number_format_t *f, ngx_uint_t *unsure);


const u_char *
clipper_number_scan(const u_char *p, const u_char *last, clipper_number_t *n,
    const u_char **error, const char **reason)
{
    int64_t  exponent;

    exponent = 0;
    *n = (clipper_number_t) { 0 };

    if (p < last && *p == '-') {
        n->negative = 1;
        p++;
    }

    n->integer = p;

    if (p < last && *p == '0') {
        p++;

    } else {
        p = clipper_number_digits(p, last);
    }

    n->ninteger = p - n->integer;
    n->fraction = p;

    if (n->ninteger == 0) {
        *error = p;
        *reason = "Invalid value.";
        return NULL;
    }

    if (p < last && *p == '.') {
        n->real = 1;
        n->fraction = ++p;
        p = clipper_number_digits(p, last);
        n->nfraction = p - n->fraction;

        if (n->nfraction == 0) {
            *error = p;
            *reason = "Miss fraction part in number.";
            return NULL;
        }
    }

    if (p < last && (*p | 0x20) == 'e') {
        n->real = 1;
        p = clipper_number_exponent(p + 1, last, &exponent, error);

        if (p == NULL) {
            *reason = "Miss exponent in number.";
            return NULL;
        }
    }

    clipper_number_collect(n, exponent);

    return p;
}


static const u_char *
clipper_number_exponent(const u_char *p, const u_char *last, int64_t *exponent,
    const u_char **error)
{
    ngx_uint_t     negative;
    const u_char  *start;

    negative = 0;

    if (p < last && (*p == '+' || *p == '-')) {
        negative = (*p == '-');
        p++;
    }

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {
        if (*exponent < CLIPPER_NUMBER_EXPONENT_MAX / 16) {
            *exponent = *exponent * 10 + (*p - '0');
        }
    }

    if (p == start) {
        *error = p;
        return NULL;
    }

    if (negative) {
        *exponent = -*exponent;
    }

    return p;
}


static const u_char *
clipper_number_digits(const u_char *p, const u_char *last)
{
    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* sets mantissa, exponent and truncated from the digits */

static void
clipper_number_collect(clipper_number_t *n, int64_t exponent)
{
    size_t         i, used;
    uint64_t       mantissa;
    const u_char  *digits;

    used = 0;
    mantissa = 0;

    digits = n->integer;

    for (i = 0; i < n->ninteger && used < CLIPPER_NUMBER_DIGITS; i++) {
        mantissa = mantissa * 10 + (digits[i] - '0');
        used += (mantissa != 0);
    }

    exponent += n->ninteger - i;

    while (i < n->ninteger && digits[i] == '0') {
        i++;
    }

    n->truncated = i < n->ninteger;

    digits = n->fraction;

    for (i = 0; i < n->nfraction && used < CLIPPER_NUMBER_DIGITS; i++)
    {
        mantissa = mantissa * 10 + (digits[i] - '0');
        used += (mantissa != 0);
    }

    exponent -= i;

    while (i < n->nfraction && digits[i] == '0') {
        i++;
    }

    n->truncated |= i < n->nfraction;

    n->mantissa = mantissa;
    n->exponent = exponent;
}


ngx_uint_t
clipper_number_overflows(const clipper_number_t *n)
{
    /* mantissa + 1 <= 10^19, so below 10^308; most numbers end here */

    if (n->exponent < 308 - CLIPPER_NUMBER_DIGITS
        || n->mantissa == 0)
    {
        return 0;
    }

    return clipper_number_convert(n, &clipper_number_format64)
           >> 52 == 0x7ff;
}


double
clipper_number_double(const clipper_number_t *n)
{
    double    value;
    uint64_t  bits;

    bits = clipper_number_convert(n, &clipper_number_format64);
    bits |= (uint64_t) n->negative << 63;
    ngx_memcpy(&value, &bits, sizeof(double));

    return value;
}


ngx_int_t
clipper_number_float(const clipper_number_t *n, float *value)
{
    double    d;
    uint32_t  bits;

    bits = clipper_number_convert(n, &clipper_number_format32);

    /* only literals that round to FLT_MAX or more can exceed it */

    if (bits >= 0x7f7fffff) {
        d = clipper_number_double(n);

        if (d < 0) {
            d = -d;
        }

        if (d > (double) __FLT_MAX__) {
            return NGX_DECLINED;
        }
    }

    bits |= (uint32_t) n->negative << 31;
    ngx_memcpy(value, &bits, sizeof(float));

    return NGX_OK;
}


ngx_int_t
clipper_number_int32(const clipper_number_t *n, int32_t *value)
{
    if (n->real || n->exponent != 0
        || n->mantissa > (uint64_t) INT32_MAX + n->negative)
    {
        return NGX_DECLINED;
    }

    *value = n->negative ? (int32_t) -(int64_t) n->mantissa
                         : (int32_t) n->mantissa;

    return NGX_OK;
}


ngx_uint_t
clipper_number_is_int64(const clipper_number_t *n)
{
    u_char  digit;

    if (n->real) {
        return 0;
    }

    if (n->exponent == 0) {
        return !n->negative || n->mantissa <= (uint64_t) 1 << 63;
    }

    /* 20 digits: up to 18446744073709551615 */

    if (n->exponent != 1 || n->negative) {
        return 0;
    }

    digit = n->integer[n->ninteger - 1] - '0';

    return n->mantissa <= (UINT64_MAX - digit) / 10;
}


/* the bits without the sign */

static uint64_t
clipper_number_convert(const clipper_number_t *n,
    const clipper_number_format_t *f)
{
    uint64_t    low, high;
    ngx_uint_t  unsure;

    unsure = 0;
    low = clipper_number_scale(n->mantissa, n->exponent, f, &unsure);
    high = low;

    /* less than a unit in the 19th digit above: the same or the next */

    if (n->truncated) {
        high = clipper_number_scale(n->mantissa + 1, n->exponent, f, &unsure);
    }

    if (unsure) {
        low -= low > 0;
        high += high < (uint64_t) f->infinite << f->bits;
    }

    while (low < high && clipper_number_exact_up(n, low, f)) {
        low++;
    }

    return low;
}


static uint64_t
clipper_number_scale(uint64_t mantissa, int64_t power,
    const clipper_number_format_t *f, ngx_uint_t *unsure)
{
    if (mantissa == 0 || power < f->min_power) {
        return 0;
    }

    if (power > f->max_power) {
        return (uint64_t) f->infinite << f->bits;
    }

    return clipper_number_lemire_bits(mantissa, (int) power, f, unsure);
}

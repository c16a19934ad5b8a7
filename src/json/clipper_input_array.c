
#include "json/clipper_input_array.h"
#include "json/clipper_input.h"
#include "json/clipper_input_store.h"
#include "json/clipper_number_lemire.h"

#if (__x86_64__ && !CLIPPER_PORTABLE)
#include <emmintrin.h>
#define CLIPPER_INPUT_SSE2  1
#endif


#define CLIPPER_INPUT_ZEROS   0x3030303030303030

/* inline: a call would pass the place of the next number through memory */

#define CLIPPER_INPUT_INLINE  ngx_inline __attribute__((always_inline))


typedef struct {
    uint64_t        mantissa;
    uint64_t        negative;       /* 0 or 1 */
    ngx_uint_t      fraction;       /* digits after the point; 0: none */
    const u_char   *end;            /* at the comma or bracket */
} clipper_input_plain_t;


static const uint64_t  clipper_input_tens[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
    1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
    100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
    1000000000000000000, 10000000000000000000u
};

static const double  clipper_input_tens64[] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
    1e14, 1e15, 1e16, 1e17, 1e18, 1e19
};

static const float  clipper_input_tens32[] = {
    1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f
};


static CLIPPER_INPUT_INLINE uint64_t
clipper_input_load(const u_char *p)
{
    uint64_t  v;

    ngx_memcpy(&v, p, sizeof(uint64_t));

#if !(NGX_HAVE_LITTLE_ENDIAN)
    v = __builtin_bswap64(v);
#endif

    return v;
}


#if (CLIPPER_INPUT_SSE2)

/* for 16 bytes: bit i is set when p[i] is a digit */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_digits(const u_char *p)
{
    __m128i  v;

    v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) p), _mm_set1_epi8('0'));
    v = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v);

    return (uint32_t) _mm_movemask_epi8(v);
}

#endif


/* for 64 bytes: bit i is set when p[i] is not a digit */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_others(const u_char *p)
{
#if (CLIPPER_INPUT_SSE2)
    uint64_t    digits;

    digits = clipper_input_digits(p);
    digits |= clipper_input_digits(p + 16) << 16;
    digits |= clipper_input_digits(p + 32) << 32;
    digits |= clipper_input_digits(p + 48) << 48;

    return ~digits;
#else
    uint64_t    others;
    ngx_uint_t  i;

    others = 0;

    for (i = 0; i < 64; i++) {
        others |= (uint64_t) (p[i] < '0' || p[i] > '9') << i;
    }

    return others;
#endif
}


/* the value of 8 digits, each a byte from 0 to 9, the first one lowest */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_eight(uint64_t v)
{
    v = v * 10 + (v >> 8);

    return ((v & 0x000000ff000000ff) * (100 + ((uint64_t) 1000000 << 32))
            + (v >> 16 & 0x000000ff000000ff) * (1 + ((uint64_t) 10000 << 32)))
           >> 32;
}


/* of the first n digits at p, 1 <= n <= 8; p[0] to p[7] are read */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_value8(const u_char *p, ngx_uint_t n)
{
    uint64_t  v;

    /* the digits at the top, zeros for those that are missing */

    v = clipper_input_load(p) ^ CLIPPER_INPUT_ZEROS;

    return clipper_input_eight(v << (64 - 8 * n));
}


/* of the first n digits at p, 0 <= n <= 3 */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_value3(const u_char *p, ngx_uint_t n)
{
    uint32_t  v;

    v = (uint32_t) clipper_input_load(p)
        ^ (uint32_t) CLIPPER_INPUT_ZEROS;
    v = v << 8 << (24 - 8 * n);
    v = (v * 10 + (v >> 8)) & 0x00ff00ff;

    return (v * 100 + (v >> 16)) & 0xffff;
}


/* of the n digits before end, 9 <= n <= 16 */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_value16(const u_char *end, ngx_uint_t n)
{
#if (CLIPPER_INPUT_SSE2)
    __m128i              v;
    uint64_t             eights;
    static const u_char  mask[32] __attribute__((aligned(32))) = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255
    };

    v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) (end - 16)),
                     _mm_set1_epi8('0'));
    v = _mm_and_si128(v, _mm_loadu_si128((const __m128i *) (mask + n)));

    /* pairs, fours, eights of digits */

    v = _mm_add_epi16(_mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi16(0xff)),
                                      _mm_set1_epi16(10)),
                      _mm_srli_epi16(v, 8));
    v = _mm_madd_epi16(v, _mm_set1_epi32(100 | 1 << 16));
    v = _mm_packs_epi32(v, v);
    v = _mm_madd_epi16(v, _mm_set1_epi32(10000 | 1 << 16));

    /* straight into a register; GCC 12 would take the way through memory */

    eights = (uint64_t) _mm_cvtsi128_si64(v);
    __asm__ ("" : "+r" (eights));

    return (eights & 0xffffffff) * 100000000 + (eights >> 32);
#else
    return clipper_input_value8(end - 8, 8)
           + clipper_input_value8(end - n, n - 8) * 100000000;
#endif
}


/*
 * 1: an ordinary number, and the comma or bracket after it; else 0.  Bit i of
 * others is set when p[i] is not a digit.  Its upper bits are 0 where nothing
 * is known yet, so the result 0 may also mean that too little is known.
 *
 * The next number waits for nothing but its place, a few operations on others:
 * the sign is shifted away, not branched on.
 */

static CLIPPER_INPUT_INLINE ngx_uint_t
clipper_input_plain(const u_char *p, uint64_t others,
    clipper_input_plain_t *plain)
{
    uint64_t    behind;
    ngx_uint_t  n, f, k, len;

    plain->negative = others & 1;
    others >>= plain->negative;
    behind = others & (others - 1);

    if (behind == 0 || (*p == '-') != plain->negative) {
        return 0;
    }

    p += plain->negative;
    n = __builtin_ctzll(others);

    if (n - 1 > 7 || (*p == '0' && n != 1)) {
        return 0;
    }

    len = n;

    plain->mantissa = (n == 1) ? (uint64_t) *p - '0'
                               : clipper_input_value8(p, n);
    plain->fraction = 0;

    if (p[n] == '.') {
        len = __builtin_ctzll(behind);
        f = len - n - 1;

        if (f == 0 || len > 20) {
            return 0;
        }

        plain->fraction = f;

        if (f <= 8) {
            plain->mantissa *= clipper_input_tens[f];
            plain->mantissa += clipper_input_value8(p + n + 1, f);

        } else {

            /* the last 16; what is before them joins the integer */

            k = f - ngx_min(f, 16);

            plain->mantissa *= clipper_input_tens[k];
            plain->mantissa += clipper_input_value3(p + n + 1, k);
            plain->mantissa *= clipper_input_tens[f - k];
            plain->mantissa += clipper_input_value16(p + len, f - k);
        }
    }

    plain->end = p + len;

    return p[len] == ',' || p[len] == ']';
}


/* blanks before an element: usually none or one */

static CLIPPER_INPUT_INLINE const u_char *
clipper_input_blank(const u_char *p, const u_char *last)
{
    while (*p <= ' ') {

        if ((*p != ' ' && *p != LF && *p != CR && *p != '\t')
            || last - p < CLIPPER_INPUT_WINDOW)
        {
            break;
        }

        p++;
    }

    return p;
}


/* one exact operation is correctly rounded (Clinger), else the long product */

static CLIPPER_INPUT_INLINE uint64_t
clipper_input_bits64(const clipper_input_plain_t *plain, ngx_uint_t *unsure)
{
#if (__FLT_EVAL_METHOD__ == 0)
    double    value;
    uint64_t  bits;
#endif

    /* so many digits are at most 8 before the point, and at least 8 after */

    if (plain->mantissa >= 1000000000000000) {
        return clipper_number_lemire_fraction(plain->mantissa,
                                              -(int) plain->fraction);
    }

#if (__FLT_EVAL_METHOD__ == 0)

    value = (double) (int64_t) plain->mantissa
            / clipper_input_tens64[plain->fraction];
    ngx_memcpy(&bits, &value, sizeof(double));

    return bits;

#else

    if (plain->mantissa == 0) {
        return 0;
    }

    return clipper_number_lemire_bits(plain->mantissa, -(int) plain->fraction,
                                      &clipper_number_format64, unsure);
#endif
}


static CLIPPER_INPUT_INLINE uint32_t
clipper_input_bits32(const clipper_input_plain_t *plain, ngx_uint_t *unsure)
{
#if (__FLT_EVAL_METHOD__ == 0)
    float     value;
    uint32_t  bits;

    if (plain->mantissa < 0x1000000 && plain->fraction <= 10) {
        value = (float) (int32_t) plain->mantissa
                / clipper_input_tens32[plain->fraction];
        ngx_memcpy(&bits, &value, sizeof(float));

        return bits;
    }
#endif

    if (plain->mantissa == 0) {
        return 0;
    }

    return clipper_number_lemire_bits(plain->mantissa, -(int) plain->fraction,
                                      &clipper_number_format32, unsure);
}


/* writes an element of the type to dst; 0: it is not plain for the type */

static CLIPPER_INPUT_INLINE ngx_uint_t
clipper_input_store(u_char *dst, ngx_uint_t type,
    const clipper_input_plain_t *plain, ngx_uint_t strict)
{
    uint32_t    value;
    uint64_t    bits;
    ngx_uint_t  unsure;

    if (type == CLIPPER_INTS) {
        value = (uint32_t) plain->mantissa;
        clipper_input_store32(dst, plain->negative ? -value : value);

        return plain->fraction == 0;
    }

    if (plain->fraction == 0 && strict) {
        return 0;
    }

    unsure = 0;

    if (type == CLIPPER_FLOATS) {
        value = clipper_input_bits32(plain, &unsure);
        value |= (uint32_t) plain->negative << 31;
        clipper_input_store32(dst, value);

    } else {
        bits = clipper_input_bits64(plain, &unsure);
        bits |= plain->negative << 63;
        clipper_input_store64(dst, bits);
    }

    return !unsure;
}


/* type and size are constants where it is called, so each call is a loop */

static CLIPPER_INPUT_INLINE const u_char *
clipper_input_run(const u_char *p, const u_char *last, u_char **out,
    u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed, ngx_uint_t type,
    size_t size)
{
    u_char                *dst;
    uint64_t               others;
    const u_char          *window;
    clipper_input_plain_t  plain;

    dst = *out;
    window = NULL;
    others = 0;

    while (dst < out_last) {

        if (!clipper_input_plain(p, others, &plain)) {

            /* not ordinary, or the window does not reach far enough */

            if (p == window || last - p < CLIPPER_INPUT_WINDOW) {
                break;
            }

            p = clipper_input_blank(p, last);
            window = p;
            others = clipper_input_others(p);

            continue;
        }

        if (!clipper_input_store(dst, type, &plain, strict)) {
            break;
        }

        dst += size;

        if (*plain.end == ']') {
            p = plain.end;
            *closed = 1;
            break;
        }

        others >>= plain.end + 1 - p;
        p = plain.end + 1;

        if (*p == ' ') {
            others >>= 1;
            p++;
        }
    }

    *out = dst;

    return p;
}


const u_char *
clipper_input_array_run_doubles(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed)
{
    return clipper_input_run(p, last, out, out_last, strict, closed,
                             CLIPPER_DOUBLES, sizeof(double));
}


const u_char *
clipper_input_array_run_floats(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed)
{
    return clipper_input_run(p, last, out, out_last, strict, closed,
                             CLIPPER_FLOATS, sizeof(float));
}


const u_char *
clipper_input_array_run_ints(const u_char *p, const u_char *last, u_char **out,
    u_char *out_last, ngx_uint_t strict, ngx_uint_t *closed)
{
    return clipper_input_run(p, last, out, out_last, strict, closed,
                             CLIPPER_INTS, sizeof(int32_t));
}

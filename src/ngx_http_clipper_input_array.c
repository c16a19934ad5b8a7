
#include "ngx_http_clipper_input_array.h"
#include "ngx_http_clipper_number_lemire.h"

#if (__SSE2__ && !NGX_HTTP_CLIPPER_PORTABLE)
#include <emmintrin.h>
#define NGX_HTTP_CLIPPER_INPUT_SSE2  1
#endif


/* a blank, a sign, the 32 bytes a number may have, and what is read ahead */

#define NGX_HTTP_CLIPPER_INPUT_WINDOW  64

#define NGX_HTTP_CLIPPER_INPUT_ZEROS   0x3030303030303030

/* a call would put the place of the next number through memory */

#define NGX_HTTP_CLIPPER_INPUT_INLINE  ngx_inline __attribute__((always_inline))


typedef struct {
    uint64_t        mantissa;
    uint64_t        negative;       /* 0 or 1 */
    ngx_uint_t      fraction;       /* digits behind the point; 0: none */
    const u_char   *end;            /* behind the comma */
} ngx_http_clipper_input_plain_t;


static const uint64_t  ngx_http_clipper_input_tens[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
    1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
    100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
    1000000000000000000, 10000000000000000000u
};

static const double  ngx_http_clipper_input_tens64[] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
    1e14, 1e15, 1e16, 1e17, 1e18, 1e19
};

static const float  ngx_http_clipper_input_tens32[] = {
    1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f
};


static NGX_HTTP_CLIPPER_INPUT_INLINE uint64_t
ngx_http_clipper_input_load(const u_char *p)
{
    uint64_t  v;

    ngx_memcpy(&v, p, sizeof(uint64_t));

#if !(NGX_HAVE_LITTLE_ENDIAN)
    v = __builtin_bswap64(v);
#endif

    return v;
}


/*
 * For 32 bytes: bit i of digits is set when p[i] is no digit, bit i of ends
 * when it is neither a digit nor one of './'.  The bits above are set.
 */

static NGX_HTTP_CLIPPER_INPUT_INLINE void
ngx_http_clipper_input_classify(const u_char *p, uint64_t *digits,
    uint64_t *ends)
{
#if (NGX_HTTP_CLIPPER_INPUT_SSE2)
    __m128i  a, b, c, d, zero, dot;

    zero = _mm_set1_epi8('0');
    dot = _mm_set1_epi8('.');

    a = _mm_loadu_si128((const __m128i *) p);
    b = _mm_loadu_si128((const __m128i *) (p + 16));

    c = _mm_sub_epi8(a, dot);
    d = _mm_sub_epi8(b, dot);
    c = _mm_cmpeq_epi8(_mm_min_epu8(c, _mm_set1_epi8('9' - '.')), c);
    d = _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8('9' - '.')), d);

    *ends = ~(uint64_t) ((uint32_t) _mm_movemask_epi8(c)
                         | (uint32_t) _mm_movemask_epi8(d) << 16);

    a = _mm_sub_epi8(a, zero);
    b = _mm_sub_epi8(b, zero);
    a = _mm_cmpeq_epi8(_mm_min_epu8(a, _mm_set1_epi8(9)), a);
    b = _mm_cmpeq_epi8(_mm_min_epu8(b, _mm_set1_epi8(9)), b);

    *digits = ~(uint64_t) ((uint32_t) _mm_movemask_epi8(a)
                           | (uint32_t) _mm_movemask_epi8(b) << 16);
#else
    u_char      c;
    ngx_uint_t  i;

    *digits = UINT64_MAX << 32;
    *ends = UINT64_MAX << 32;

    for (i = 0; i < 32; i++) {
        c = p[i];
        *digits |= (uint64_t) (c < '0' || c > '9') << i;
        *ends |= (uint64_t) (c < '.' || c > '9') << i;
    }
#endif
}


/* the value of the first n digits at p, 1 <= n <= 8; p[0] to p[7] are read */

static NGX_HTTP_CLIPPER_INPUT_INLINE uint64_t
ngx_http_clipper_input_value8(const u_char *p, ngx_uint_t n)
{
    uint64_t  v;

    /* the digits at the top, zeros instead of what is not there */

    v = ngx_http_clipper_input_load(p) ^ NGX_HTTP_CLIPPER_INPUT_ZEROS;
    v <<= 64 - 8 * n;

    v = v * 10 + (v >> 8);

    return ((v & 0x000000ff000000ff) * (100 + ((uint64_t) 1000000 << 32))
            + (v >> 16 & 0x000000ff000000ff) * (1 + ((uint64_t) 10000 << 32)))
           >> 32;
}


/* the value of the n digits before end, 9 <= n <= 19 */

static NGX_HTTP_CLIPPER_INPUT_INLINE uint64_t
ngx_http_clipper_input_value19(const u_char *end, ngx_uint_t n)
{
#if (NGX_HTTP_CLIPPER_INPUT_SSE2)
    __m128i              v;
    uint64_t             low, high;
    ngx_uint_t           k;
    static const u_char  mask[32] __attribute__((aligned(32))) = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255
    };

    k = ngx_min(n, 16);

    v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) (end - 16)),
                     _mm_set1_epi8('0'));
    v = _mm_and_si128(v, _mm_loadu_si128((const __m128i *) (mask + k)));

    /* pairs, fours, eights of digits */

    v = _mm_add_epi16(_mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi16(0xff)),
                                      _mm_set1_epi16(10)),
                      _mm_srli_epi16(v, 8));
    v = _mm_madd_epi16(v, _mm_set1_epi32(100 | 1 << 16));
    v = _mm_packs_epi32(v, v);
    v = _mm_madd_epi16(v, _mm_set1_epi32(10000 | 1 << 16));

    _mm_storel_epi64((__m128i *) &low, v);

    high = low & 0xffffffff;
    low >>= 32;

    low += high * 100000000;

    if (n > 16) {
        low += ngx_http_clipper_input_value8(end - n, n - 16)
               * 10000000000000000;
    }

    return low;
#else
    uint64_t  v;

    v = ngx_http_clipper_input_value8(end - 8, 8);

    if (n > 16) {
        v += ngx_http_clipper_input_value8(end - 16, 8) * 100000000;
        n -= 16;
        v += ngx_http_clipper_input_value8(end - 16 - n, n)
             * 10000000000000000;

    } else {
        n -= 8;
        v += ngx_http_clipper_input_value8(end - 8 - n, n) * 100000000;
    }

    return v;
#endif
}


/* an ordinary number and the comma behind it: 1, else 0 */

static NGX_HTTP_CLIPPER_INPUT_INLINE ngx_uint_t
ngx_http_clipper_input_plain(const u_char *p,
    ngx_http_clipper_input_plain_t *plain)
{
    uint64_t    digits, ends;
    ngx_uint_t  n, f, len;

    /*
     * What the next number waits for is only its place: it comes from one
     * classification, and the sign is shifted away, not branched on.
     */

    plain->negative = (*p == '-');

    ngx_http_clipper_input_classify(p, &digits, &ends);

    digits >>= plain->negative;
    ends >>= plain->negative;
    p += plain->negative;

    len = __builtin_ctzll(ends);
    n = __builtin_ctzll(digits);

    plain->end = p + len + 1;

    if (n - 1 > 7 || (*p == '0' && n != 1) || p[len] != ',') {
        return 0;
    }

    plain->mantissa = ngx_http_clipper_input_value8(p, n);
    plain->fraction = 0;

    if (n == len) {
        return 1;
    }

    f = len - n - 1;

    if (p[n] != '.' || f - 1 > 18 || len > 20
        || f != (ngx_uint_t) __builtin_ctzll(digits >> (n + 1)))
    {
        return 0;
    }

    plain->fraction = f;
    plain->mantissa *= ngx_http_clipper_input_tens[f];

    if (f <= 8) {
        plain->mantissa += ngx_http_clipper_input_value8(p + n + 1, f);

    } else {
        plain->mantissa += ngx_http_clipper_input_value19(p + len, f);
    }

    return 1;
}


/* blanks before an element: usually none or one */

static NGX_HTTP_CLIPPER_INPUT_INLINE const u_char *
ngx_http_clipper_input_blank(const u_char *p, const u_char *last)
{
    while (*p <= ' ') {

        if ((*p != ' ' && *p != LF && *p != CR && *p != '\t')
            || last - p < NGX_HTTP_CLIPPER_INPUT_WINDOW)
        {
            break;
        }

        p++;
    }

    return p;
}


/* one exact operation is correctly rounded (Clinger), else the long product */

static NGX_HTTP_CLIPPER_INPUT_INLINE uint64_t
ngx_http_clipper_input_bits64(const ngx_http_clipper_input_plain_t *plain,
    ngx_uint_t *unsure)
{
#if (__FLT_EVAL_METHOD__ == 0)
    double    value;
    uint64_t  bits;

    if (plain->mantissa < 1000000000000000) {
        value = (double) (int64_t) plain->mantissa
                / ngx_http_clipper_input_tens64[plain->fraction];
        ngx_memcpy(&bits, &value, sizeof(double));

        return bits;
    }
#else
    if (plain->mantissa == 0) {
        return 0;
    }
#endif

    return ngx_http_clipper_number_bits(plain->mantissa,
                                        -(int) plain->fraction,
                                        &ngx_http_clipper_number_format64,
                                        unsure);
}


static NGX_HTTP_CLIPPER_INPUT_INLINE uint32_t
ngx_http_clipper_input_bits32(const ngx_http_clipper_input_plain_t *plain,
    ngx_uint_t *unsure)
{
#if (__FLT_EVAL_METHOD__ == 0)
    float     value;
    uint32_t  bits;

    if (plain->mantissa < 0x1000000 && plain->fraction <= 10) {
        value = (float) (int32_t) plain->mantissa
                / ngx_http_clipper_input_tens32[plain->fraction];
        ngx_memcpy(&bits, &value, sizeof(float));

        return bits;
    }
#endif

    if (plain->mantissa == 0) {
        return 0;
    }

    return ngx_http_clipper_number_bits(plain->mantissa,
                                        -(int) plain->fraction,
                                        &ngx_http_clipper_number_format32,
                                        unsure);
}


const u_char *
ngx_http_clipper_input_run_doubles(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict)
{
    u_char                         *dst;
    uint64_t                        bits;
    ngx_uint_t                      unsure;
    ngx_http_clipper_input_plain_t  plain;

    unsure = 0;

    for (dst = *out; dst < out_last; dst += sizeof(uint64_t)) {

        if (last - p < NGX_HTTP_CLIPPER_INPUT_WINDOW) {
            break;
        }

        p = ngx_http_clipper_input_blank(p, last);

        if (!ngx_http_clipper_input_plain(p, &plain)
            || (strict && plain.fraction == 0))
        {
            break;
        }

        bits = ngx_http_clipper_input_bits64(&plain, &unsure);

        if (unsure) {
            break;
        }

        bits |= plain.negative << 63;
        ngx_http_clipper_input_store64(dst, bits);

        p = plain.end;
    }

    *out = dst;

    return p;
}


const u_char *
ngx_http_clipper_input_run_floats(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict)
{
    u_char                         *dst;
    uint32_t                        bits;
    ngx_uint_t                      unsure;
    ngx_http_clipper_input_plain_t  plain;

    unsure = 0;

    for (dst = *out; dst < out_last; dst += sizeof(uint32_t)) {

        if (last - p < NGX_HTTP_CLIPPER_INPUT_WINDOW) {
            break;
        }

        p = ngx_http_clipper_input_blank(p, last);

        if (!ngx_http_clipper_input_plain(p, &plain)
            || (strict && plain.fraction == 0))
        {
            break;
        }

        bits = ngx_http_clipper_input_bits32(&plain, &unsure);

        if (unsure) {
            break;
        }

        bits |= (uint32_t) plain.negative << 31;
        ngx_http_clipper_input_store32(dst, bits);

        p = plain.end;
    }

    *out = dst;

    return p;
}


const u_char *
ngx_http_clipper_input_run_ints(const u_char *p, const u_char *last,
    u_char **out, u_char *out_last, ngx_uint_t strict)
{
    u_char                         *dst;
    uint32_t                        value;
    ngx_http_clipper_input_plain_t  plain;

    for (dst = *out; dst < out_last; dst += sizeof(uint32_t)) {

        if (last - p < NGX_HTTP_CLIPPER_INPUT_WINDOW) {
            break;
        }

        p = ngx_http_clipper_input_blank(p, last);

        if (!ngx_http_clipper_input_plain(p, &plain) || plain.fraction) {
            break;
        }

        value = (uint32_t) plain.mantissa;

        ngx_http_clipper_input_store32(dst, plain.negative ? -value : value);

        p = plain.end;
    }

    *out = dst;

    return p;
}

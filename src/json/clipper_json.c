
#include "json/clipper_json.h"
#include "json/clipper_lex.h"
#include "json/clipper_number.h"
#include "base/clipper_utf8.h"

#include <float.h>
#include <math.h>


/* digits that always read back to the same double */

#define CLIPPER_JSON_DIGITS  17


/* digit[0].digit[1]... * 10^exponent */

typedef struct {
    int     n;
    int     exponent;
    u_char  digit[CLIPPER_JSON_DIGITS];
} clipper_json_decimal_t;


static const u_char  *clipper_json_plain(const u_char *p, const u_char *last);
static size_t clipper_json_special(const u_char *p, size_t n, u_char *dst,
    size_t *len);
static void clipper_json_shortest(clipper_json_decimal_t *decimal,
    double value);
static ngx_uint_t clipper_json_decimal(clipper_json_decimal_t *decimal,
    double value, int digits);
static u_char *clipper_json_decimal_write(u_char *dst,
    const clipper_json_decimal_t *decimal);


ngx_int_t
clipper_json_value(const u_char *data, size_t len, ngx_uint_t max_depth,
    ngx_str_t *value)
{
    clipper_lex_t      lex;
    clipper_segment_t  segment;

    if (len == 0) {
        return NGX_DECLINED;
    }

    /* only read */

    segment.pos = (u_char *) data;
    segment.last = segment.pos + len;

    clipper_lex_init(&lex, &segment, 1, max_depth, NULL);

    (void) clipper_lex_space(&lex);

    value->data = segment.pos + clipper_lex_offset(&lex);

    if (clipper_lex_skip(&lex) != NGX_OK) {
        return NGX_DECLINED;
    }

    value->len = segment.pos + clipper_lex_offset(&lex) - value->data;

    if (clipper_lex_done(&lex) != NGX_OK) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


size_t
clipper_json_string_len(const u_char *data, size_t len)
{
    size_t         n, written;
    u_char         buf[6];
    const u_char  *p, *last;

    n = 2;
    p = data;
    last = data + len;

    while (p < last) {
        data = p;
        p = clipper_json_plain(p, last);
        n += p - data;

        if (p < last) {
            p += clipper_json_special(p, last - p, buf, &written);
            n += written;
        }
    }

    return n;
}


u_char *
clipper_json_string(u_char *dst, const u_char *data, size_t len)
{
    size_t         written;
    const u_char  *p, *last;

    p = data;
    last = data + len;

    *dst++ = '"';

    while (p < last) {
        data = p;
        p = clipper_json_plain(p, last);
        dst = ngx_cpymem(dst, data, p - data);

        if (p < last) {
            p += clipper_json_special(p, last - p, dst, &written);
            dst += written;
        }
    }

    *dst++ = '"';

    return dst;
}


/* the first byte that cannot be copied as it is */

static const u_char *
clipper_json_plain(const u_char *p, const u_char *last)
{
    while (p < last && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* the bytes read at p, and the 1 to 6 bytes written for them */

static size_t
clipper_json_special(const u_char *p, size_t n, u_char *dst, size_t *len)
{
    size_t             taken, good;
    const char        *simple;
    static const char  from[] = "\"\\\b\f\n\r\t";
    static const char  to[] = "\"\\bfnrt";
    static const char  hex[] = "0123456789abcdef";

    if (*p < 0x80) {
        simple = *p ? ngx_strchr(from, *p) : NULL;

        dst[0] = '\\';

        if (simple) {
            dst[1] = to[simple - from];
            *len = 2;

        } else {
            dst[1] = 'u';
            dst[2] = '0';
            dst[3] = '0';
            dst[4] = hex[*p >> 4];
            dst[5] = hex[*p & 0xf];
            *len = 6;
        }

        return 1;
    }

    taken = clipper_utf8_len(p, n, &good);

    if (taken) {
        ngx_memcpy(dst, p, taken);
        *len = taken;

        return taken;
    }

    *len = clipper_utf8_write(dst, 0xfffd) - dst;

    return good ? good : 1;
}


void
clipper_json_output(clipper_json_output_t *out, const u_char *data, size_t len,
    ngx_uint_t max_depth)
{
    if (clipper_json_value(data, len, max_depth, &out->text)
        == NGX_OK)
    {
        out->verbatim = 1;
        out->len = out->text.len;

        return;
    }

    out->verbatim = 0;
    out->text.data = (u_char *) data;
    out->text.len = len;
    out->len = clipper_json_string_len(data, len);
}


u_char *
clipper_json_output_write(u_char *dst, const clipper_json_output_t *out)
{
    if (out->verbatim) {
        return ngx_cpymem(dst, out->text.data, out->text.len);
    }

    return clipper_json_string(dst, out->text.data, out->text.len);
}


u_char *
clipper_json_u64(u_char *dst, uint64_t value)
{
    u_char   buf[CLIPPER_JSON_U64_LEN];
    u_char  *p;

    static const u_char  pairs[] =
        "00010203040506070809" "10111213141516171819" "20212223242526272829"
        "30313233343536373839" "40414243444546474849" "50515253545556575859"
        "60616263646566676869" "70717273747576777879" "80818283848586878889"
        "90919293949596979899";

    for (p = buf + sizeof(buf); value > 9; value /= 100) {
        p -= 2;
        ngx_memcpy(p, pairs + 2 * (value % 100), 2);
    }

    if (value || p == buf + sizeof(buf)) {
        *--p = (u_char) ('0' + value);
    }

    return ngx_cpymem(dst, p, buf + sizeof(buf) - p);
}


u_char *
clipper_json_double(u_char *dst, double value)
{
    clipper_json_decimal_t  decimal;

    if (!isfinite(value)) {
        return ngx_cpymem(dst, "null", 4);
    }

    if (signbit(value)) {
        *dst++ = '-';
        value = -value;
    }

    clipper_json_shortest(&decimal, value);

    return clipper_json_decimal_write(dst, &decimal);
}


ngx_uint_t
clipper_json_digits(double value)
{
    clipper_json_decimal_t  decimal;

    clipper_json_shortest(&decimal, fabs(value));

    return decimal.n;
}


/* the fewest digits that read back to value >= 0 */

static void
clipper_json_shortest(clipper_json_decimal_t *decimal, double value)
{
    int  digits;

    /*
     * Every decimal of up to 15 digits survives a normal double, so 15 digits
     * without trailing zeros are the shortest text, if they read back.
     */

    digits = (value < DBL_MIN) ? 1 : DBL_DIG;

    while (!clipper_json_decimal(decimal, value, digits)
           && digits < CLIPPER_JSON_DIGITS)
    {
        digits++;
    }
}


/* writes value >= 0 with this many digits; 1: they read back to it */

static ngx_uint_t
clipper_json_decimal(clipper_json_decimal_t *decimal, double value, int digits)
{
    char              text[CLIPPER_JSON_DOUBLE_LEN + 16];
    char             *p;
    clipper_number_t  number;

    /* the decimal point depends on the locale, so only digits are used */

    snprintf(text, sizeof(text), "%.*e", digits - 1, value);

    ngx_memzero(&number, sizeof(clipper_number_t));
    decimal->digit[0] = text[0];
    decimal->n = 1;
    number.mantissa = text[0] - '0';

    for (p = text + 1; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            decimal->digit[decimal->n++] = *p;
            number.mantissa = number.mantissa * 10 + (*p - '0');
        }
    }

    decimal->exponent = atoi(p + 1);
    number.exponent = decimal->exponent - (decimal->n - 1);

    while (decimal->n > 1 && decimal->digit[decimal->n - 1] == '0') {
        decimal->n--;
    }

    return clipper_number_double(&number) == value;
}


/* in Python's notation: positional from 1e-4 up to below 1e16 */

static u_char *
clipper_json_decimal_write(u_char *dst, const clipper_json_decimal_t *decimal)
{
    int  i, point;

    if (decimal->exponent < -4 || decimal->exponent >= 16) {
        *dst++ = decimal->digit[0];

        if (decimal->n > 1) {
            *dst++ = '.';
            dst = ngx_cpymem(dst, &decimal->digit[1], decimal->n - 1);
        }

        return dst + sprintf((char *) dst, "e%+03d", decimal->exponent);
    }

    point = decimal->exponent + 1;

    if (point <= 0) {
        *dst++ = '0';
        *dst++ = '.';

        for (i = point; i < 0; i++) {
            *dst++ = '0';
        }

        return ngx_cpymem(dst, decimal->digit, decimal->n);
    }

    for (i = 0; i < ngx_max(point + 1, decimal->n); i++) {

        if (i == point) {
            *dst++ = '.';
        }

        *dst++ = (i < decimal->n) ? decimal->digit[i] : '0';
    }

    return dst;
}

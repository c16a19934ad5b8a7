
#include "base/clipper_base64.h"


#define X  0xff     /* not in the alphabet */
#define S  0xfe     /* white space */
#define P  0xfd     /* padding */

#define CLIPPER_BASE64_OTHER  0x80


static ssize_t clipper_base64_prefix(const u_char *data, size_t len);
static ngx_int_t clipper_base64_padding(const u_char *data, size_t len,
    size_t at, ngx_uint_t n, size_t *bad);


static const u_char  clipper_base64_values[256] = {
    X,  X,  X,  X,  X,  X,  X,  X,  X,  S,  S,  X,  X,  S,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    S,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  62, X,  62, X,  63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X,  X,  X,  P,  X,  X,
    X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  63,
    X,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X
};


ssize_t
clipper_base64_decode(u_char *data, size_t len, size_t *bad)
{
    u_char        *dst;
    uint32_t       v, a, b, c, d;
    ssize_t        prefix;
    ngx_uint_t     n;
    const u_char  *src, *last, *value;

    prefix = clipper_base64_prefix(data, len);
    if (prefix == NGX_ERROR) {
        *bad = 0;
        return NGX_ERROR;
    }

    src = data + prefix;
    dst = data;
    last = data + len;
    value = clipper_base64_values;

    do {

        while (last - src >= 4) {
            a = value[src[0]];
            b = value[src[1]];
            c = value[src[2]];
            d = value[src[3]];

            if ((a | b | c | d) & CLIPPER_BASE64_OTHER) {
                break;
            }

            dst[0] = (u_char) (a << 2 | b >> 4);
            dst[1] = (u_char) (b << 4 | c >> 2);
            dst[2] = (u_char) (c << 6 | d);

            src += 4;
            dst += 3;
        }

        /* a group with white space in it, or the last one */

        v = 0;

        for (n = 0; n < 4 && src < last; src++) {
            a = value[*src];

            if (a == S) {
                continue;
            }

            if (a & CLIPPER_BASE64_OTHER) {
                break;
            }

            v = v << 6 | a;
            n++;
        }

        if (n == 4) {
            dst[0] = (u_char) (v >> 16);
            dst[1] = (u_char) (v >> 8);
            dst[2] = (u_char) v;
            dst += 3;
        }

    } while (n == 4);

    if (clipper_base64_padding(data, len, src - data, n, bad) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n) {
        v <<= 6 * (4 - n);
        *dst++ = (u_char) (v >> 16);
    }

    if (n == 3) {
        *dst++ = (u_char) (v >> 8);
    }

    return dst - data;
}


/* the length of "data:...;base64,"; NGX_ERROR: a data URL of another kind */

static ssize_t
clipper_base64_prefix(const u_char *data, size_t len)
{
    const u_char  *comma;

    if (len < sizeof("data:") - 1
        || strncasecmp((const char *) data, "data:", 5) != 0)
    {
        return 0;
    }

    comma = memchr(data, ',', len);

    if (comma == NULL || comma - data < 5 + 7
        || strncasecmp((const char *) comma - 7, ";base64", 7) != 0)
    {
        return NGX_ERROR;
    }

    return comma + 1 - data;
}


/* the rest of the text at this place, after n characters of the last group */

static ngx_int_t
clipper_base64_padding(const u_char *data, size_t len, size_t at, ngx_uint_t n,
    size_t *bad)
{
    u_char      v;
    ngx_uint_t  marks;

    marks = 0;

    for ( /* void */ ; at < len; at++) {
        v = clipper_base64_values[data[at]];

        if (v == P && n >= 2 && n + marks < 4) {
            marks++;

        } else if (v != S) {
            *bad = at;
            return NGX_ERROR;
        }
    }

    if (n == 1 || (marks && n + marks != 4)) {
        *bad = len;
        return NGX_ERROR;
    }

    return NGX_OK;
}

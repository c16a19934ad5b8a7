
#include "base/clipper_base64.h"


#define X  0xff     /* not in the alphabet */


static const u_char  clipper_base64_values[256] = {
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  62, X,  X,  X,  63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X,  X,  X,  X,  X,  X,
    X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  X,
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
clipper_base64_decode(u_char *data, size_t len)
{
    u_char        *dst;
    uint32_t       a, b, c, d;
    const u_char  *src, *last, *value;

    /* padding counts only if it completes the last group of four */

    if (len && len % 4 == 0 && data[len - 1] == '=') {
        len -= (data[len - 2] == '=') ? 2 : 1;
    }

    if (len % 4 == 1) {
        return NGX_ERROR;
    }

    src = data;
    dst = data;
    last = data + len - len % 4;
    value = clipper_base64_values;

    while (src < last) {
        a = value[src[0]];
        b = value[src[1]];
        c = value[src[2]];
        d = value[src[3]];

        if ((a | b | c | d) == X) {
            return NGX_ERROR;
        }

        dst[0] = (u_char) (a << 2 | b >> 4);
        dst[1] = (u_char) (b << 4 | c >> 2);
        dst[2] = (u_char) (c << 6 | d);

        src += 4;
        dst += 3;
    }

    if (len % 4) {
        a = value[src[0]];
        b = value[src[1]];
        c = (len % 4 == 3) ? value[src[2]] : 0;

        if ((a | b | c) == X) {
            return NGX_ERROR;
        }

        *dst++ = (u_char) (a << 2 | b >> 4);

        if (len % 4 == 3) {
            *dst++ = (u_char) (b << 4 | c >> 2);
        }
    }

    return dst - data;
}

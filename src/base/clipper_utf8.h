
/*
 * One sequence of UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF): check or write.
 */


#ifndef _CLIPPER_UTF8_H_INCLUDED_
#define _CLIPPER_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The length of the valid sequence at p, where n >= 1 bytes are readable.  0:
 * invalid, and *good is the number of bytes that could begin a sequence (n if
 * it is only cut off).
 */

static ngx_inline size_t
clipper_utf8_len(const u_char *p, size_t n, size_t *good)
{
    size_t  i, len;
    u_char  c, low, high;

    c = p[0];
    low = 0x80;
    high = 0xbf;
    *good = 0;

    if (c < 0x80) {
        return 1;

    } else if (c < 0xc2) {
        return 0;

    } else if (c < 0xe0) {
        len = 2;

    } else if (c < 0xf0) {
        len = 3;
        low = (c == 0xe0) ? 0xa0 : 0x80;
        high = (c == 0xed) ? 0x9f : 0xbf;

    } else if (c < 0xf5) {
        len = 4;
        low = (c == 0xf0) ? 0x90 : 0x80;
        high = (c == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    for (i = 1; i < len; i++) {
        *good = i;

        if (i == n || p[i] < low || p[i] > high) {
            return 0;
        }

        low = 0x80;
        high = 0xbf;
    }

    return len;
}


/* code is not a surrogate and at most 0x10ffff; writes 1 to 4 bytes */

static ngx_inline u_char *
clipper_utf8_write(u_char *dst, uint32_t code)
{
    if (code < 0x80) {
        *dst++ = (u_char) code;

    } else if (code < 0x800) {
        *dst++ = (u_char) (0xc0 | code >> 6);
        *dst++ = (u_char) (0x80 | (code & 0x3f));

    } else if (code < 0x10000) {
        *dst++ = (u_char) (0xe0 | code >> 12);
        *dst++ = (u_char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (u_char) (0x80 | (code & 0x3f));

    } else {
        *dst++ = (u_char) (0xf0 | code >> 18);
        *dst++ = (u_char) (0x80 | (code >> 12 & 0x3f));
        *dst++ = (u_char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (u_char) (0x80 | (code & 0x3f));
    }

    return dst;
}


/* how many of n bytes to keep, up to max, so that no sequence is cut in two */

static ngx_inline size_t
clipper_utf8_cut(const u_char *p, size_t n, size_t max)
{
    if (n <= max) {
        return n;
    }

    while (max && (p[max] & 0xc0) == 0x80) {
        max--;
    }

    return max;
}


#endif /* _CLIPPER_UTF8_H_INCLUDED_ */


/*
 * Text from outside as one line, see the header.
 */


#include "base/clipper_plain.h"
#include "base/clipper_utf8.h"


static size_t clipper_plain_good(const u_char *p, size_t n);


ngx_uint_t
clipper_plain_is(const u_char *src, size_t len)
{
    size_t  i, n;

    for (i = 0; i < len; i += n) {
        n = clipper_plain_good(src + i, len - i);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


u_char *
clipper_plain(u_char *dst, u_char *end, const u_char *src, size_t len)
{
    size_t  i, n;

    static const u_char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < len; /* void */ ) {
        n = clipper_plain_good(src + i, len - i);

        if ((size_t) (end - dst) < (n ? n : CLIPPER_PLAIN_MAX)) {
            break;
        }

        if (n) {
            dst = ngx_cpymem(dst, src + i, n);
            i += n;
            continue;
        }

        *dst++ = '\\';
        *dst++ = 'x';
        *dst++ = hex[src[i] >> 4];
        *dst++ = hex[src[i] & 0xf];
        i++;
    }

    return dst;
}


void
clipper_plain_text(ngx_str_t *text, u_char *buf, size_t size)
{
    text->len = clipper_plain(buf, buf + size, text->data, text->len) - buf;
    text->data = buf;
}


/* the length of the visible character at p; 0: it is none */

static size_t
clipper_plain_good(const u_char *p, size_t n)
{
    size_t  good;

    if (p[0] < 0x80) {
        return p[0] >= 0x20 && p[0] != 0x7f;
    }

    if (p[0] == 0xc2 && n > 1 && p[1] < 0xa0) {
        return 0;
    }

    return clipper_utf8_len(p, n, &good);
}


/*
 * Request bodies at random: text and len are the body, seed is where the random
 * numbers come from.
 */


#ifndef _CLIPPER_INPUT_DOCUMENTS_H_INCLUDED_
#define _CLIPPER_INPUT_DOCUMENTS_H_INCLUDED_


#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json/clipper_input.h"


#define SIZE  65536


static uint64_t  seed;
static char      text[SIZE];
static size_t    len;


static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed;
}


/* appends, and never more than fits with what closes a document */

static void
put(const char *s)
{
    size_t  n;

    n = strlen(s);

    if (len + n < SIZE - 4096) {
        memcpy(text + len, s, n);
        len += n;
    }
}


static void
put_space(void)
{
    static const char  *spaces[] = { " ", "\n", "\t", "\r\n", "   ", "\n    " };

    if (rnd() % 8 == 0) {
        put(spaces[rnd() % 6]);
    }
}


/* any number of digits before and behind the point */

static void
put_digits(void)
{
    char    buf[64];
    size_t  i, n, f;

    n = rnd() % 10;
    f = 1 + rnd() % 22;

    i = sprintf(buf, "%s%d", rnd() % 4 ? "" : "-",
                (int) (rnd() % 9) + (n > 0));

    while (n--) {
        buf[i++] = (char) ('0' + rnd() % 10);
    }

    buf[i++] = '.';

    while (f--) {
        buf[i++] = (char) ('0' + rnd() % 10);
    }

    buf[i] = '\0';
    put(buf);
}


static void
put_number(void)
{
    char      buf[128];
    double    d;
    size_t    n;
    uint64_t  bits;

    switch (rnd() % 11) {

    case 10:
        put_digits();
        return;

    case 0:
        sprintf(buf, "%d", (int) (rnd() % 300) - 20);
        break;

    case 1:
        sprintf(buf, "%lld", (long long) rnd() >> (rnd() % 64));
        break;

    case 2:
        sprintf(buf, "%s%llu", rnd() % 2 ? "-" : "",
                (unsigned long long) rnd());
        break;

    case 3:
        sprintf(buf, "%.3f", (double) (rnd() % 100000) / 1000 - 20);
        break;

    case 4:
        sprintf(buf, "%.17g", (double) rnd() / 18446744073709551616.0);
        break;

    case 5:
        do {
            bits = rnd();
            memcpy(&d, &bits, sizeof(double));
        } while (!isfinite(d));

        sprintf(buf, "%.*e", (int) (rnd() % 20), d);
        break;

    case 6:
        n = sprintf(buf, "%llu.%0*llu", (unsigned long long) rnd() % 1000000,
                    (int) (rnd() % 30), (unsigned long long) rnd());
        if (rnd() % 2) {
            sprintf(buf + n, "E%+d", (int) (rnd() % 80) - 40);
        }
        break;

    case 7:
        sprintf(buf, "%.1f", (double) (rnd() % 256));
        break;

    case 8:
        sprintf(buf, "%s0%s", rnd() % 2 ? "-" : "",
                rnd() % 2 ? "" : rnd() % 2 ? ".0" : "e0");
        break;

    default:
        sprintf(buf, "%.9g", ((double) (rnd() % 2000000) - 1000000) / 7.0);
    }

    put(buf);
}


static void
put_string(void)
{
    size_t              i, n;
    static const char  *parts[] = {
        "a", "input", "hello world, this is a longer piece of text", "\\n",
        "\\\"", "\\\\", "\\/", "\\u0000", "\\u0041", "\\u00e9",
        "\\ud83d\\ude00", "\\uDBFF\\uDFFF", "\\u20AC", "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\x7f", "/", "0",
        "\\b\\f\\n\\r\\t"
    };

    put("\"");

    for (i = 0, n = rnd() % 6; i < n; i++) {
        put(parts[rnd() % (sizeof(parts) / sizeof(parts[0]))]);
    }

    put("\"");
}


static void
put_base64(void)
{
    char    buf[80];
    size_t  i, n;
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    n = rnd() % 60;

    for (i = 0; i < n; i++) {
        buf[i] = alphabet[rnd() % 64];
    }

    if (rnd() % 2) {
        while (n % 4) {
            buf[n++] = '=';
        }
    }

    if (rnd() % 16 == 0 && n) {
        buf[rnd() % n] = "=-_ *"[rnd() % 5];
    }

    buf[n] = '\0';

    put("\"");
    put(buf);
    put("\"");
}


static void
put_value(int depth)
{
    char    name[16];
    size_t  i, n;

    put_space();

    switch (rnd() % (depth > 0 ? 8 : 6)) {

    case 0:
        put("null");
        break;

    case 1:
        put("true");
        break;

    case 2:
        put("false");
        break;

    case 3:
        put_string();
        break;

    case 4:
    case 5:
        put_number();
        break;

    case 6:
        put("[");
        for (i = 0, n = rnd() % 5; i < n; i++) {
            put(i ? "," : "");
            put_value(depth - 1);
        }
        put_space();
        put("]");
        break;

    default:
        put("{");
        for (i = 0, n = rnd() % 5; i < n; i++) {
            sprintf(name, "%s\"n%zu\":", i ? "," : "", i);
            put(name);
            put_value(depth - 1);
        }
        put_space();
        put("}");
    }

    put_space();
}


static void
put_input(ngx_uint_t type)
{
    size_t  i, n;

    put_space();

    if (rnd() % 40 == 0) {
        put_value(2);
        return;
    }

    if (type == CLIPPER_STRINGS) {
        put_string();
        return;
    }

    if (type == CLIPPER_BYTES) {
        put_base64();
        return;
    }

    put("[");

    for (i = 0, n = rnd() % (rnd() % 8 ? 12 : 200); i < n; i++) {
        put(i == 0 ? "" : rnd() % 8 ? ", " : ",");
        put_space();

        if (rnd() % 200 == 0) {
            put_value(1);

        } else if (type == CLIPPER_INTS && rnd() % 50) {
            len += sprintf(text + len, "%d",
                           (int) rnd() >> (rnd() % 32));
        } else {
            put_number();
        }

        put_space();
    }

    put("]");
}


static void
make_document(const clipper_input_conf_t *conf, ngx_uint_t mode)
{
    size_t              i, n;
    static const char  *names[] = {
        "\"input\"", "\"in\\u0070ut\"", "\"version\"", "\"uid\"", "\"label\"",
        "\"query_id\"", "\"other\"", "\"\"", "\"inputs\"", "\"Input\""
    };

    len = 0;

    if (rnd() % 50 == 0) {
        put_value(3);
        return;
    }

    put_space();
    put("{");

    n = rnd() % 5;

    for (i = 0; i < n; i++) {
        put(i ? "," : "");
        put_space();

        if (rnd() % 2) {
            put("\"input_batch\":[");
            if (rnd() % 10) {
                put_input(conf->type);
                while (rnd() % 3) {
                    put(",");
                    put_input(conf->type);
                }
            }
            put("]");

        } else if (rnd() % 3) {
            put(names[rnd() % 2]);
            put(":");
            put_input(conf->type);

        } else {
            put(names[rnd() % 10]);
            put_space();
            put(":");
            put_value(3);
        }

        put_space();
    }

    put("}");
    put_space();
}


static void
make_conf(clipper_input_conf_t *conf)
{
    memset(conf, 0, sizeof(clipper_input_conf_t));

    conf->type = rnd() % 5;
    conf->strict = (rnd() % 8 == 0);
    conf->max_batch = rnd() % 8 ? 1000 : 2;
    conf->max_elements = rnd() % 8 ? 1000000 : 10;
    conf->max_depth = rnd() % 8 ? 1024 : 3;
}


static void
mutate(void)
{
    size_t              at, n;
    static const char   bytes[] =
        "{}[],:\"\\0123456789.eE+-tfnul \n\x80\xc3\x1f";

    if (len == 0 || len > SIZE - 8) {
        return;
    }

    at = rnd() % len;

    switch (rnd() % 5) {

    case 0:
        text[at] = bytes[rnd() % (sizeof(bytes) - 1)];
        break;

    case 1:
        text[at] ^= (char) (1 << rnd() % 8);
        break;

    case 2:
        memmove(text + at, text + at + 1, len - at - 1);
        len--;
        break;

    case 3:
        memmove(text + at + 1, text + at, len - at);
        text[at] = bytes[rnd() % (sizeof(bytes) - 1)];
        len++;
        break;

    default:
        n = rnd() % 20;
        len = (n < len && rnd() % 2) ? len - n : at;
    }
}


#endif /* _CLIPPER_INPUT_DOCUMENTS_H_INCLUDED_ */

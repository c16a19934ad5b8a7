
/* Random documents for the scanner, mostly valid ones. */

#include "input_documents.h"
#include "splitmix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>


uint64_t  doc_seed;
char      doc_text[DOC_SIZE];
size_t    doc_len;


uint64_t
doc_rnd(void)
{
    return splitmix(doc_seed++);
}


void
doc_put(const char *s)
{
    size_t  n;

    n = strlen(s);

    if (doc_len + n < DOC_SIZE - 4096) {
        memcpy(doc_text + doc_len, s, n);
        doc_len += n;
    }
}


static void
doc_space(void)
{
    static const char  *spaces[] = { " ", "\n", "\t", "\r\n", "   ", "\n    " };

    if (doc_rnd() % 8 == 0) {
        doc_put(spaces[doc_rnd() % 6]);
    }
}


/* any number of digits before and behind the point */

static void
doc_digits(void)
{
    char    buf[64];
    size_t  i, n, f;

    n = doc_rnd() % 10;
    f = 1 + doc_rnd() % 22;

    i = sprintf(buf, "%s%d", doc_rnd() % 4 ? "" : "-",
                (int) (doc_rnd() % 9) + (n > 0));

    while (n--) {
        buf[i++] = (char) ('0' + doc_rnd() % 10);
    }

    buf[i++] = '.';

    while (f--) {
        buf[i++] = (char) ('0' + doc_rnd() % 10);
    }

    buf[i] = '\0';
    doc_put(buf);
}


void
doc_number(void)
{
    char      buf[128];
    double    d;
    size_t    n;
    uint64_t  bits;

    switch (doc_rnd() % 11) {

    case 10:
        doc_digits();
        return;

    case 0:
        sprintf(buf, "%d", (int) (doc_rnd() % 300) - 20);
        break;

    case 1:
        sprintf(buf, "%lld", (long long) doc_rnd() >> (doc_rnd() % 64));
        break;

    case 2:
        sprintf(buf, "%s%llu", doc_rnd() % 2 ? "-" : "",
                (unsigned long long) doc_rnd());
        break;

    case 3:
        sprintf(buf, "%.3f", (double) (doc_rnd() % 100000) / 1000 - 20);
        break;

    case 4:
        sprintf(buf, "%.17g", (double) doc_rnd() / 18446744073709551616.0);
        break;

    case 5:
        do {
            bits = doc_rnd();
            memcpy(&d, &bits, sizeof(double));
        } while (!isfinite(d));

        sprintf(buf, "%.*e", (int) (doc_rnd() % 20), d);
        break;

    case 6:
        n = sprintf(buf, "%llu.%0*llu",
                    (unsigned long long) doc_rnd() % 1000000,
                    (int) (doc_rnd() % 30), (unsigned long long) doc_rnd());
        if (doc_rnd() % 2) {
            sprintf(buf + n, "E%+d", (int) (doc_rnd() % 80) - 40);
        }
        break;

    case 7:
        sprintf(buf, "%.1f", (double) (doc_rnd() % 256));
        break;

    case 8:
        sprintf(buf, "%s0%s", doc_rnd() % 2 ? "-" : "",
                doc_rnd() % 2 ? "" : doc_rnd() % 2 ? ".0" : "e0");
        break;

    default:
        sprintf(buf, "%.9g", ((double) (doc_rnd() % 2000000) - 1000000) / 7.0);
    }

    doc_put(buf);
}


static void
doc_string(void)
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

    doc_put("\"");

    for (i = 0, n = doc_rnd() % 6; i < n; i++) {
        doc_put(parts[doc_rnd() % (sizeof(parts) / sizeof(parts[0]))]);
    }

    doc_put("\"");
}


static void
doc_base64(void)
{
    char    buf[80];
    size_t  i, n;
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    n = doc_rnd() % 60;

    for (i = 0; i < n; i++) {
        buf[i] = alphabet[doc_rnd() % 64];
    }

    if (doc_rnd() % 2) {
        while (n % 4) {
            buf[n++] = '=';
        }
    }

    while (doc_rnd() % 4 == 0 && n) {
        buf[doc_rnd() % n] = "=-_ *"[doc_rnd() % 5];
    }

    buf[n] = '\0';

    doc_put("\"");
    doc_put(buf);
    doc_put("\"");
}


static void
doc_value(int depth)
{
    char    name[16];
    size_t  i, n;

    doc_space();

    switch (doc_rnd() % (depth > 0 ? 8 : 6)) {

    case 0:
        doc_put("null");
        break;

    case 1:
        doc_put("true");
        break;

    case 2:
        doc_put("false");
        break;

    case 3:
        doc_string();
        break;

    case 4:
    case 5:
        doc_number();
        break;

    case 6:
        doc_put("[");
        for (i = 0, n = doc_rnd() % 5; i < n; i++) {
            doc_put(i ? "," : "");
            doc_value(depth - 1);
        }
        doc_space();
        doc_put("]");
        break;

    default:
        doc_put("{");
        for (i = 0, n = doc_rnd() % 5; i < n; i++) {
            sprintf(name, "%s\"n%zu\":", i ? "," : "", i);
            doc_put(name);
            doc_value(depth - 1);
        }
        doc_space();
        doc_put("}");
    }

    doc_space();
}


static void
doc_input(ngx_uint_t type)
{
    size_t  i, n;

    doc_space();

    if (doc_rnd() % 40 == 0) {
        doc_value(2);
        return;
    }

    if (type == CLIPPER_STRINGS) {
        doc_string();
        return;
    }

    if (type == CLIPPER_BYTES) {
        doc_base64();
        return;
    }

    doc_put("[");

    for (i = 0, n = doc_rnd() % (doc_rnd() % 8 ? 12 : 200); i < n; i++) {
        doc_put(i == 0 ? "" : doc_rnd() % 8 ? ", " : ",");
        doc_space();

        if (doc_rnd() % 200 == 0) {
            doc_value(1);

        } else if (doc_rnd() % 100 == 0) {
            doc_put("null");

        } else if (type == CLIPPER_INTS && doc_rnd() % 50) {
            doc_len += sprintf(doc_text + doc_len, "%d",
                               (int) doc_rnd() >> (doc_rnd() % 32));
        } else {
            doc_number();
        }

        doc_space();
    }

    doc_put("]");
}


void
doc_make(const clipper_input_conf_t *conf, ngx_uint_t mode)
{
    size_t              i, n;
    static const char  *names[] = {
        "\"input\"", "\"in\\u0070ut\"", "\"version\"", "\"uid\"", "\"label\"",
        "\"query_id\"", "\"other\"", "\"\"", "\"inputs\"", "\"Input\""
    };

    doc_len = 0;

    if (doc_rnd() % 50 == 0) {
        doc_value(3);
        return;
    }

    doc_space();
    doc_put("{");

    n = doc_rnd() % 5;

    for (i = 0; i < n; i++) {
        doc_put(i ? "," : "");
        doc_space();

        if (doc_rnd() % 2) {
            doc_put("\"input_batch\":[");
            if (doc_rnd() % 10) {
                doc_input(conf->type);
                while (doc_rnd() % 3) {
                    doc_put(",");
                    doc_input(conf->type);
                }
            }
            doc_put("]");

        } else if (doc_rnd() % 3) {
            doc_put(names[doc_rnd() % 2]);
            doc_put(":");
            doc_input(conf->type);

        } else {
            doc_put(names[doc_rnd() % 10]);
            doc_space();
            doc_put(":");
            doc_value(3);
        }

        doc_space();
    }

    doc_put("}");
    doc_space();
}


void
doc_conf(clipper_input_conf_t *conf)
{
    memset(conf, 0, sizeof(clipper_input_conf_t));

    conf->type = doc_rnd() % 5;
    conf->strict = (doc_rnd() % 8 == 0);
    conf->nulls = doc_rnd() % 2;
    conf->max_batch = doc_rnd() % 8 ? 1000 : 2;
    conf->max_elements = doc_rnd() % 8 ? 1000000 : 10;
    conf->max_depth = doc_rnd() % 8 ? CLIPPER_LEX_MAX_DEPTH : 3;
}


void
doc_mutate(void)
{
    size_t              at, n;
    static const char   bytes[] =
        "{}[],:\"\\0123456789.eE+-tfnul \n\x80\xc3\x1f";

    if (doc_len == 0 || doc_len > DOC_SIZE - 8) {
        return;
    }

    at = doc_rnd() % doc_len;

    switch (doc_rnd() % 5) {

    case 0:
        doc_text[at] = bytes[doc_rnd() % (sizeof(bytes) - 1)];
        break;

    case 1:
        doc_text[at] ^= (char) (1 << doc_rnd() % 8);
        break;

    case 2:
        memmove(doc_text + at, doc_text + at + 1, doc_len - at - 1);
        doc_len--;
        break;

    case 3:
        memmove(doc_text + at + 1, doc_text + at, doc_len - at);
        doc_text[at] = bytes[doc_rnd() % (sizeof(bytes) - 1)];
        doc_len++;
        break;

    default:
        n = doc_rnd() % 20;
        doc_len = (n < doc_len && doc_rnd() % 2) ? doc_len - n : at;
    }
}

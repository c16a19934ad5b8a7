
/* The members of a document in their order, then its inputs. */

#include "input_oracle.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>


static ngx_uint_t
oracle_kind(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_NULL:
        return CLIPPER_KIND_NULL;
    case JSON_FALSE:
        return CLIPPER_KIND_FALSE;
    case JSON_TRUE:
        return CLIPPER_KIND_TRUE;
    case JSON_OBJECT:
        return CLIPPER_KIND_OBJECT;
    case JSON_ARRAY:
        return CLIPPER_KIND_ARRAY;
    case JSON_STRING:
        return CLIPPER_KIND_STRING;
    case JSON_INTEGER:
        return CLIPPER_KIND_INTEGER;
    default:
        return CLIPPER_KIND_REAL;
    }
}


/* "Number" is one word for both kinds in texts, so they are the same here */

static ngx_uint_t
oracle_same_kind(ngx_uint_t a, ngx_uint_t b)
{
    if (a == CLIPPER_KIND_REAL) {
        a = CLIPPER_KIND_INTEGER;
    }

    if (b == CLIPPER_KIND_REAL) {
        b = CLIPPER_KIND_INTEGER;
    }

    return a == b;
}


static int
oracle_refuse(oracle_t *o, ngx_uint_t code, ngx_uint_t what, ngx_uint_t kind)
{
    o->code = code;
    o->what = what;
    o->kind = kind;

    return 0;
}


/* what is left of a text without the prefix of a data URL and white space */

static ssize_t
oracle_plain(const char *text, size_t len, char *dst)
{
    size_t  i, n, comma;

    i = 0;

    if (len >= 5 && strncasecmp(text, "data:", 5) == 0) {
        for (comma = 0; comma < len && text[comma] != ','; comma++) {
            /* void */
        }

        if (comma == len || comma < 12
            || strncasecmp(text + comma - 7, ";base64", 7) != 0)
        {
            return -1;
        }

        i = comma + 1;
    }

    for (n = 0; i < len; i++) {
        if (text[i] == '\0' || !strchr(" \t\r\n", text[i])) {
            dst[n++] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
        }
    }

    return n;
}


/* bit by bit, not four characters at once; returns the length, or -1 */

static ssize_t
oracle_base64(const char *given, size_t size, u_char *dst)
{
    char        *text;
    size_t       i, bits, n;
    ssize_t      len, end;
    uint32_t     acc;
    const char  *c;
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    text = (char *) dst;
    len = oracle_plain(given, size, text);

    if (len < 0) {
        return -1;
    }

    for (end = len; end > 0 && text[end - 1] == '='; end--) { /* void */ }

    if (end != len && (len % 4 != 0 || len - end > 2)) {
        return -1;
    }

    len = end;

    if (len % 4 == 1) {
        return -1;
    }

    acc = 0;
    bits = 0;
    n = 0;

    for (i = 0; i < (size_t) len; i++) {
        c = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (c == NULL) {
            return -1;
        }

        acc = acc << 6 | (uint32_t) (c - alphabet);
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            dst[n++] = (u_char) (acc >> bits);
        }
    }

    return n;
}


/* whether a literal with the double d may have become this float */

static int
oracle_float(float f, double d)
{
    float  near, other;

    near = (float) d;

    if (memcmp(&near, &f, sizeof(float)) == 0) {
        return 1;
    }

    /* the double does not show on which side of the middle the literal was */

    other = nextafterf(near, d > near ? INFINITY : -INFINITY);

    return f == other && fabs(d - (double) near) == fabs(d - (double) other);
}


/*
 * One number: in a integers are integers (NULL if jansson failed), in b they
 * are reals; got has the scanner's bytes or NULL.
 */

static int
oracle_number(oracle_t *o, const json_t *a, const json_t *b, const u_char *got)
{
    float        f;
    double       d;
    int32_t      i;
    json_int_t   v;
    ngx_uint_t   type, strict;

    type = o->conf->type;
    strict = o->conf->strict;
    d = json_real_value(b);

    if (a == NULL && (type == CLIPPER_INTS || strict)) {
        o->unknown = 1;
        return 0;
    }

    if (type == CLIPPER_INTS) {
        v = json_integer_value(a);

        if (!json_is_integer(a) || v < INT32_MIN || v > INT32_MAX) {
            return 0;
        }

        if (got) {
            memcpy(&i, got, sizeof(int32_t));

            if (i != v) {
                o->failure = "another int";
            }
        }

        return 1;
    }

    if (strict && json_is_integer(a)) {
        return 0;
    }

    if (type == CLIPPER_FLOATS) {

        if (fabs(d) > FLT_MAX) {
            return 0;
        }

        if (got) {
            memcpy(&f, got, sizeof(float));

            if (!oracle_float(f, d)) {
                o->failure = "another float";
            }
        }

    } else if (got && memcmp(&d, got, sizeof(double)) != 0) {
        o->failure = "another double";
    }

    return 1;
}


static int
oracle_nan(const u_char *got, size_t size)
{
    float   f;
    double  d;

    memcpy(size == sizeof(float) ? (void *) &f : &d, got, size);

    return size == sizeof(float) ? isnan(f) : isnan(d);
}


static int
oracle_string(oracle_t *o, const json_t *v, const u_char *data,
    const clipper_item_t *item)
{
    size_t    n;
    ssize_t   len;
    u_char   *bytes;

    n = json_string_length(v);
    bytes = malloc(n + 1);
    memcpy(bytes, json_string_value(v), n);
    len = n;

    if (o->conf->type == CLIPPER_BYTES) {
        len = oracle_base64(json_string_value(v), n, bytes);
    }

    if (len >= 0 && (size_t) len <= o->conf->max_elements && item
        && (item->len != (size_t) len
            || memcmp(data + item->offset, bytes, len) != 0))
    {
        o->failure = "another string";
    }

    free(bytes);

    if (len < 0) {
        return oracle_refuse(o, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_BASE64,
                             CLIPPER_KIND_STRING);
    }

    if ((size_t) len > o->conf->max_elements) {
        return oracle_refuse(o, CLIPPER_INPUT_LIMIT, CLIPPER_INPUT_ELEMENTS,
                             CLIPPER_KIND_STRING);
    }

    return 1;
}


static int
oracle_array(oracle_t *o, const json_t *a, const json_t *b,
    const u_char *data, const clipper_item_t *item)
{
    size_t         i, n, size;
    const json_t  *v;

    n = json_array_size(b);
    size = clipper_input_type_size(o->conf->type);

    for (i = 0; i < n; i++) {
        v = json_array_get(b, i);

        if (i == o->conf->max_elements) {
            return oracle_refuse(o, CLIPPER_INPUT_LIMIT,
                                 CLIPPER_INPUT_ELEMENTS, oracle_kind(v));
        }

        if (json_is_null(v) && o->conf->nulls
            && (o->conf->type == CLIPPER_DOUBLES
                || o->conf->type == CLIPPER_FLOATS))
        {
            if (item && item->len >= (i + 1) * size
                && !oracle_nan(data + item->offset + i * size, size))
            {
                o->failure = "null is not NaN";
            }

            continue;
        }

        if (!json_is_number(v)
            || !oracle_number(o, a ? json_array_get(a, i) : NULL, v,
                              item && item->len >= (i + 1) * size
                              ? data + item->offset + i * size : NULL))
        {
            return oracle_refuse(o, CLIPPER_INPUT_SCHEMA,
                                 CLIPPER_INPUT_ELEMENT, oracle_kind(v));
        }
    }

    if (item && item->len != n * size) {
        o->failure = "another number of elements";
    }

    return 1;
}


/* one input; item NULL: the scanner refused the whole */

static int
oracle_value(oracle_t *o, const json_t *a, const json_t *b,
    const u_char *data, const clipper_item_t *item, int member)
{
    int  string;

    string = (o->conf->type == CLIPPER_BYTES
              || o->conf->type == CLIPPER_STRINGS);

    if (string ? !json_is_string(b) : !json_is_array(b)) {
        return oracle_refuse(o, CLIPPER_INPUT_SCHEMA,
                             member ? CLIPPER_INPUT_MEMBER
                                    : CLIPPER_INPUT_ELEMENT, oracle_kind(b));
    }

    return string ? oracle_string(o, b, data, item)
                  : oracle_array(o, a, b, data, item);
}


static void
oracle_single(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in)
{
    oracle_value(o, a, b, in->data, in->nitems ? in->items : NULL, 1);

    if (o->code == CLIPPER_INPUT_OK && !o->unknown
        && in->error.code == CLIPPER_INPUT_OK
        && (in->nitems != 1 || in->batch || in->items[0].offset != 0))
    {
        o->failure = "not one input";
    }
}


static void
oracle_batch(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in)
{
    size_t  i, n, next;

    if (!json_is_array(b)) {
        oracle_refuse(o, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_MEMBER,
                      oracle_kind(b));
        return;
    }

    n = json_array_size(b);

    for (i = 0; i < n; i++) {
        if (i == o->conf->max_batch) {
            oracle_refuse(o, CLIPPER_INPUT_LIMIT, CLIPPER_INPUT_BATCH,
                          oracle_kind(json_array_get(b, i)));
            return;
        }

        if (!oracle_value(o, a ? json_array_get(a, i) : NULL,
                          json_array_get(b, i), in->data,
                          i < in->nitems ? &in->items[i] : NULL, 0))
        {
            return;
        }
    }

    if (in->error.code != CLIPPER_INPUT_OK) {
        return;
    }

    for (i = 0, next = 0; i < in->nitems; i++) {
        if (in->items[i].offset != next) {
            o->failure = "inputs are not back to back";
        }

        next += in->items[i].len;
    }

    if (in->nitems != n || !in->batch) {
        o->failure = "another number of inputs";
    }
}


static void
oracle_inputs(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in)
{
    const json_t  *v;

    v = json_object_get(b, "input");

    if (v) {
        oracle_single(o, a ? json_object_get(a, "input") : NULL, v, in);
        return;
    }

    v = json_object_get(b, "input_batch");

    if (v && o->mode == CLIPPER_INPUT_PREDICT) {
        oracle_batch(o, a ? json_object_get(a, "input_batch") : NULL, v, in);
    }
}


/* a member other than the input: its kind and its text */

static void
oracle_member(oracle_t *o, const json_t *a, const json_t *b, const char *name,
    const clipper_member_t *member, ngx_uint_t allowed, int raw)
{
    json_t        *again;
    const json_t  *v;

    v = json_object_get(a ? a : b, name);

    if (a == NULL && json_is_number(v)) {
        o->unknown = 1;

    } else if (member->kind != oracle_kind(v)) {
        o->failure = "a member's kind";
        return;
    }

    if (json_is_string(v) && !raw) {

        if (member->text.len != json_string_length(v)
            || memcmp(member->text.data, json_string_value(v),
                      member->text.len) != 0)
        {
            o->failure = "a member's text";
        }

    } else if (!json_is_object(v) && !json_is_array(v)) {
        again = json_loadb((char *) member->text.data, member->text.len,
                           ORACLE_FLAGS | (a ? 0 : JSON_DECODE_INT_AS_REAL),
                           NULL);

        if (again == NULL || !json_equal(again, v)) {
            o->failure = "a member's JSON text";
        }

        json_decref(again);
    }

    if (!(allowed & (1u << oracle_kind(v)))
        && o->code == CLIPPER_INPUT_OK)
    {
        oracle_refuse(o, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_MEMBER,
                      oracle_kind(v));
    }
}


#define ORACLE_IS(kind)  (1u << CLIPPER_KIND_##kind)


/* in the order of the document: the first error counts */

static void
oracle_members(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in)
{
    int          predict;
    void        *i;
    json_t      *root;
    ngx_uint_t   seen;
    const char  *name;

    seen = 0;
    root = (json_t *) b;
    predict = (o->mode == CLIPPER_INPUT_PREDICT);

    for (i = json_object_iter(root); i; i = json_object_iter_next(root, i)) {
        name = json_object_iter_key(i);

        if (predict && strcmp(name, "version") == 0) {
            seen |= 1;
            oracle_member(o, a, b, name, &in->version, ORACLE_IS(STRING), 0);

        } else if (strcmp(name, "uid") == 0) {
            seen |= 2;
            oracle_member(o, a, b, name, &in->uid, predict ? ~0u
                          : ORACLE_IS(STRING) | ORACLE_IS(INTEGER), 0);

        } else if (!predict && strcmp(name, "query_id") == 0) {
            seen |= 4;
            oracle_member(o, a, b, name, &in->query_id, ORACLE_IS(INTEGER), 0);

        } else if (!predict && strcmp(name, "label") == 0) {
            seen |= 8;
            oracle_member(o, a, b, name, &in->label,
                          ~(ORACLE_IS(OBJECT) | ORACLE_IS(ARRAY)), 1);
        }
    }

    if (seen != (ngx_uint_t) ((in->version.kind != 0) | (in->uid.kind != 0) << 1
                              | (in->query_id.kind != 0) << 2
                              | (in->label.kind != 0) << 3))
    {
        o->failure = "another set of members";
    }
}


/* the expected result of a valid document against the scanner's */

const char *
input_oracle_compare(oracle_t *o, const json_t *a, const json_t *b,
    const clipper_input_t *in)
{
    int  input;

    if (!json_is_object(b)) {
        oracle_refuse(o, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_ROOT,
                      oracle_kind(b));

    } else {
        oracle_members(o, a, b, in);

        input = json_object_get(b, "input") != NULL;

        if (o->mode == CLIPPER_INPUT_PREDICT) {
            input |= json_object_get(b, "input_batch") != NULL;
        }

        if (o->code == CLIPPER_INPUT_OK) {
            oracle_inputs(o, a, b, in);
        }

        if (o->code == CLIPPER_INPUT_OK
            && (o->mode == CLIPPER_INPUT_PREDICT
                ? !input
                : json_object_get(b, "label") == NULL
                  || (!input && json_object_get(b, "query_id") == NULL)))
        {
            oracle_refuse(o, CLIPPER_INPUT_SCHEMA, CLIPPER_INPUT_MISSING, 0);
        }
    }

    if (o->failure || o->unknown) {
        return o->failure;
    }

    if (in->error.code != o->code
        || (o->code != CLIPPER_INPUT_OK && in->error.what != o->what))
    {
        return "another error";
    }

    if (!oracle_same_kind(in->error.kind, o->kind)) {
        return "another kind in the error";
    }

    return NULL;
}

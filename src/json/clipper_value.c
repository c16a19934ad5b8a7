
/*
 * Values of outputs and labels, see the header.
 */


#include "json/clipper_value.h"
#include "json/clipper_json.h"
#include <math.h>


/* the bytes of a string, one by one, with escapes resolved */

typedef struct {
    const u_char  *pos;
    const u_char  *last;
    ngx_uint_t     raw;
    uint32_t       pending;                     /* bytes of an escape still to
                                                   come, the next one lowest */
} clipper_value_bytes_t;


/* a number, normalized: an integer if it is one */

typedef struct {
    ngx_uint_t     integer;
    ngx_uint_t     negative;
    uint64_t       magnitude;
    double         real;
} clipper_value_exact_t;


static const u_char *clipper_value_string_end(const u_char *p,
    const u_char *last);
static ngx_uint_t clipper_value_same(const clipper_token_t *one,
    const clipper_token_t *two);
static ngx_uint_t clipper_value_same_string(const clipper_token_t *one,
    const clipper_token_t *two);
static void clipper_value_bytes(const clipper_token_t *token,
    clipper_value_bytes_t *bytes);
static ngx_int_t clipper_value_byte(clipper_value_bytes_t *bytes);
static ngx_int_t clipper_value_escape(clipper_value_bytes_t *bytes);
static uint32_t clipper_value_hex(const u_char *p);
static uint64_t clipper_value_mix(uint64_t hash, uint64_t value);
static uint64_t clipper_value_hash_token(const clipper_token_t *token,
    uint64_t hash);
static ngx_uint_t clipper_value_same_number(const clipper_number_t *one,
    const clipper_number_t *two);
static void clipper_value_exact(const clipper_number_t *number,
    clipper_value_exact_t *exact);


void
clipper_value_init(clipper_value_t *value, const u_char *data, size_t len)
{
    value->raw = 0;

    if (clipper_json_value(data, len, CLIPPER_LEX_MAX_DEPTH, &value->text)
        != NGX_OK)
    {
        value->text.data = (u_char *) data;
        value->text.len = len;
        value->raw = 1;
    }
}


void
clipper_value_open(const clipper_value_t *value, clipper_cursor_t *cursor)
{
    cursor->pos = value->text.data;
    cursor->last = value->text.data + value->text.len;
    cursor->raw = value->raw;
}


/* the text is known to be JSON: the code below relies on it */

ngx_int_t
clipper_value_next(clipper_cursor_t *cursor, clipper_token_t *token)
{
    const char    *reason;
    const u_char  *error, *p;

    p = cursor->pos;

    token->raw = cursor->raw;
    token->start = p;

    if (cursor->raw) {
        token->kind = CLIPPER_VALUE_STRING;
        token->end = cursor->last;
        cursor->pos = cursor->last;
        cursor->raw = 0;
        return NGX_OK;
    }

    while (p < cursor->last
           && (*p == ' ' || *p == '\t' || *p == CR || *p == LF || *p == ','
               || *p == ':'))
    {
        p++;
    }

    token->start = p;
    token->end = p + 1;

    if (p == cursor->last) {
        token->kind = CLIPPER_VALUE_END;
        return NGX_DONE;
    }

    if (*p == '"') {
        token->kind = CLIPPER_VALUE_STRING;
        token->end = clipper_value_string_end(p + 1, cursor->last);

    } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
        token->kind = CLIPPER_VALUE_NUMBER;
        token->end = clipper_number_scan(p, cursor->last, &token->number,
                                         &error, &reason);

    } else if (*p >= 'a' && *p <= 'z') {
        token->kind = CLIPPER_VALUE_LITERAL;

        while (token->end < cursor->last
               && *token->end >= 'a' && *token->end <= 'z')
        {
            token->end++;
        }

    } else {
        token->kind = *p;
    }

    cursor->pos = token->end;

    return NGX_OK;
}


/* the byte after the closing quote */

static const u_char *
clipper_value_string_end(const u_char *p, const u_char *last)
{
    while (p < last && *p != '"') {
        p += (*p == '\\') ? 2 : 1;
    }

    return p + 1;
}


ngx_uint_t
clipper_value_equal(const clipper_value_t *one, const clipper_value_t *two,
    ngx_uint_t shape)
{
    ngx_int_t         more;
    clipper_token_t   first, second;
    clipper_cursor_t  a, b;

    if (one->raw == two->raw && one->text.len == two->text.len
        && ngx_memcmp(one->text.data, two->text.data, one->text.len) == 0)
    {
        return 1;
    }

    clipper_value_open(one, &a);
    clipper_value_open(two, &b);

    do {
        more = clipper_value_next(&a, &first);
        (void) clipper_value_next(&b, &second);

        if (first.kind != second.kind) {
            return 0;
        }

        if (shape && first.kind == CLIPPER_VALUE_NUMBER) {
            continue;
        }

        if (!clipper_value_same(&first, &second)) {
            return 0;
        }

    } while (more == NGX_OK);

    return 1;
}


/* two tokens of one kind */

static ngx_uint_t
clipper_value_same(const clipper_token_t *one, const clipper_token_t *two)
{
    switch (one->kind) {

    case CLIPPER_VALUE_STRING:
        return clipper_value_same_string(one, two);

    case CLIPPER_VALUE_NUMBER:
        return clipper_value_same_number(&one->number, &two->number);

    case CLIPPER_VALUE_LITERAL:
        /* true, false and null differ in their first letters */
        return *one->start == *two->start;

    default:
        return 1;
    }
}


static ngx_uint_t
clipper_value_same_string(const clipper_token_t *one,
    const clipper_token_t *two)
{
    ngx_int_t              byte;
    clipper_value_bytes_t  a, b;

    clipper_value_bytes(one, &a);
    clipper_value_bytes(two, &b);

    do {
        byte = clipper_value_byte(&a);

        if (byte != clipper_value_byte(&b)) {
            return 0;
        }

    } while (byte >= 0);

    return 1;
}


static void
clipper_value_bytes(const clipper_token_t *token, clipper_value_bytes_t *bytes)
{
    bytes->raw = token->raw;
    bytes->pos = token->raw ? token->start : token->start + 1;
    bytes->last = token->raw ? token->end : token->end - 1;
    bytes->pending = 0;
}


/* -1: no more */

static ngx_int_t
clipper_value_byte(clipper_value_bytes_t *bytes)
{
    u_char  ch;

    if (bytes->pending) {
        ch = bytes->pending & 0xff;
        bytes->pending >>= 8;
        return ch;
    }

    if (bytes->pos >= bytes->last) {
        return -1;
    }

    if (*bytes->pos == '\\' && !bytes->raw) {
        bytes->pos++;
        return clipper_value_escape(bytes);
    }

    return *bytes->pos++;
}


/* after the backslash; of \u the first byte, the others become pending */

static ngx_int_t
clipper_value_escape(clipper_value_bytes_t *bytes)
{
    u_char       ch;
    uint32_t     code;
    const char  *p;

    static const char  escapes[] = "b\bf\fn\nr\rt\t";

    ch = *bytes->pos++;

    if (ch != 'u') {
        p = strchr(escapes, ch);
        return p ? p[1] : ch;
    }

    code = clipper_value_hex(bytes->pos);
    bytes->pos += 4;

    if (code < 0x80) {
        return code;
    }

    if (code < 0x800) {
        bytes->pending = 0x80 | (code & 0x3f);
        return 0xc0 | (code >> 6);
    }

    if (code < 0xd800 || code > 0xdfff) {
        bytes->pending = (0x80 | ((code >> 6) & 0x3f))
                         | (0x80 | (code & 0x3f)) << 8;
        return 0xe0 | (code >> 12);
    }

    /* a surrogate comes in pairs only */

    code = 0x10000 + ((code & 0x3ff) << 10)
           + (clipper_value_hex(bytes->pos + 2) & 0x3ff);
    bytes->pos += 6;

    bytes->pending = (0x80 | ((code >> 12) & 0x3f))
                     | (0x80 | ((code >> 6) & 0x3f)) << 8
                     | (0x80 | (code & 0x3f)) << 16;

    return 0xf0 | (code >> 18);
}


static uint32_t
clipper_value_hex(const u_char *p)
{
    uint32_t    code;
    ngx_uint_t  i;

    code = 0;

    for (i = 0; i < 4; i++) {
        code = code << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] & 0x0f) + 9);
    }

    return code;
}


static ngx_uint_t
clipper_value_same_number(const clipper_number_t *one,
    const clipper_number_t *two)
{
    clipper_value_exact_t  a, b;

    clipper_value_exact(one, &a);
    clipper_value_exact(two, &b);

    if (a.integer != b.integer) {
        return 0;
    }

    if (a.integer) {
        return a.magnitude == b.magnitude && a.negative == b.negative;
    }

    return a.real == b.real;
}


static void
clipper_value_exact(const clipper_number_t *number,
    clipper_value_exact_t *exact)
{
    double  real;
    size_t  i;

    exact->integer = 1;
    exact->negative = number->negative;
    exact->magnitude = 0;
    exact->real = 0;

    if (clipper_number_is_int64(number)) {

        for (i = 0; i < number->ninteger; i++) {
            exact->magnitude = exact->magnitude * 10
                               + (number->integer[i] - '0');
        }

    } else {
        real = clipper_number_double(number);

        if (fabs(real) < 0x1p64 && real == trunc(real)) {
            exact->magnitude = (uint64_t) fabs(real);

        } else {
            exact->integer = 0;
            exact->real = real;
        }
    }

    if (exact->magnitude == 0) {
        exact->negative = 0;
    }
}


uint64_t
clipper_value_hash(const clipper_value_t *value, ngx_uint_t shape)
{
    uint64_t          hash;
    clipper_token_t   token;
    clipper_cursor_t  cursor;

    hash = 0xcbf29ce484222325;

    clipper_value_open(value, &cursor);

    while (clipper_value_next(&cursor, &token) == NGX_OK) {
        hash = clipper_value_mix(hash, token.kind);

        if (!shape || token.kind != CLIPPER_VALUE_NUMBER) {
            hash = clipper_value_hash_token(&token, hash);
        }
    }

    return hash;
}


static uint64_t
clipper_value_hash_token(const clipper_token_t *token, uint64_t hash)
{
    uint64_t               real;
    ngx_int_t              byte;
    clipper_value_bytes_t  bytes;
    clipper_value_exact_t  exact;

    switch (token->kind) {

    case CLIPPER_VALUE_STRING:
        clipper_value_bytes(token, &bytes);

        do {
            byte = clipper_value_byte(&bytes);
            hash = clipper_value_mix(hash, (uint64_t) byte);
        } while (byte >= 0);

        return hash;

    case CLIPPER_VALUE_NUMBER:
        clipper_value_exact(&token->number, &exact);
        ngx_memcpy(&real, &exact.real, sizeof(real));

        hash = clipper_value_mix(hash, exact.integer * 2 + exact.negative);
        return clipper_value_mix(hash, exact.magnitude ^ real);

    case CLIPPER_VALUE_LITERAL:
        return clipper_value_mix(hash, *token->start);

    default:
        return hash;
    }
}


/* FNV-1a, and what keeps the high bits of large values */

static uint64_t
clipper_value_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x100000001b3;

    return hash ^ hash >> 32;
}


ngx_int_t
clipper_value_inner(const clipper_value_t *value, clipper_value_t *inner,
    u_char *buf, size_t size)
{
    size_t                 len;
    ngx_int_t              byte;
    clipper_token_t        token;
    clipper_cursor_t       cursor;
    clipper_value_bytes_t  bytes;

    clipper_value_open(value, &cursor);
    (void) clipper_value_next(&cursor, &token);

    if (token.kind != CLIPPER_VALUE_STRING || token.raw) {
        return NGX_DECLINED;
    }

    clipper_value_bytes(&token, &bytes);
    len = bytes.last - bytes.pos;

    if (memchr(bytes.pos, '\\', len) == NULL) {
        clipper_value_init(inner, bytes.pos, len);
        return NGX_OK;
    }

    for (len = 0; len < size; len++) {
        byte = clipper_value_byte(&bytes);

        if (byte < 0) {
            clipper_value_init(inner, buf, len);
            return NGX_OK;
        }

        buf[len] = byte;
    }

    return NGX_ABORT;
}


ngx_int_t
clipper_value_number(const clipper_value_t *value, double *number)
{
    clipper_token_t   token;
    clipper_cursor_t  cursor;

    clipper_value_open(value, &cursor);

    if (clipper_value_next(&cursor, &token) != NGX_OK
        || token.kind != CLIPPER_VALUE_NUMBER)
    {
        return NGX_DECLINED;
    }

    *number = clipper_number_double(&token.number);

    return NGX_OK;
}


/* Strings, numbers and literals of the JSON tokenizer. */


#include "json/clipper_lex_scalar.h"
#include "base/clipper_utf8.h"

#if (__SSE2__ && !CLIPPER_PORTABLE)
#include <emmintrin.h>
#endif


/* the longest escape, a surrogate pair; the longest sequence of UTF-8 */

#define CLIPPER_LEX_ESCAPE  12
#define CLIPPER_LEX_UTF8    4

#define CLIPPER_LEX_QUOTE                                                     \
    "Missing a closing quotation mark in string."


static const u_char  *clipper_lex_plain(const u_char *p, const u_char *last);
static ngx_int_t clipper_lex_append(clipper_lex_t *lex, clipper_scratch_t *out,
    const u_char *p, size_t n);
static ngx_int_t  clipper_lex_utf8(clipper_lex_t *lex, clipper_scratch_t *out);
static ngx_int_t clipper_lex_escape(clipper_lex_t *lex,
    clipper_scratch_t *out);
static ngx_int_t clipper_lex_unicode(clipper_lex_t *lex, const u_char *p,
    size_t have, uint32_t *code);
static ngx_int_t clipper_lex_hex(clipper_lex_t *lex, const u_char *p,
    size_t have, size_t i, uint32_t *code);
static ngx_uint_t clipper_lex_is_cut(const clipper_lex_t *lex);
static ngx_int_t clipper_lex_gather(clipper_lex_t *lex, size_t *len);


ngx_int_t
clipper_lex_scalar_string(clipper_lex_t *lex, clipper_scratch_t *out)
{
    ngx_int_t      rc;
    const u_char  *p;

    lex->p++;

    for ( ;; ) {
        p = clipper_lex_plain(lex->p, lex->last);

        rc = clipper_lex_append(lex, out, lex->p, p - lex->p);
        if (rc != NGX_OK) {
            return rc;
        }

        lex->p = p;

        if (p == lex->last) {

            if (!clipper_lex_next(lex)) {
                return clipper_lex_invalid(lex, 0,
                                                  CLIPPER_LEX_QUOTE);
            }

            continue;
        }

        if (*p == '"') {
            lex->p++;
            return NGX_OK;
        }

        if (*p == '\\') {
            rc = clipper_lex_escape(lex, out);

        } else if (*p >= 0x80) {
            rc = clipper_lex_utf8(lex, out);

        } else {
            rc = clipper_lex_invalid(lex, 0,
                                     "Control character in string.");
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* the first byte that is not plain ASCII, or last */

static const u_char *
clipper_lex_plain(const u_char *p, const u_char *last)
{
#if (__SSE2__ && !CLIPPER_PORTABLE)
    int      mask;
    __m128i  v, special;

    while (last - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);

        /*
         * signed: control characters and all bytes >= 0x80 are below the blank
         */

        special = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));
        special = _mm_or_si128(special,
                               _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        special = _mm_or_si128(special,
                               _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));

        mask = _mm_movemask_epi8(special);

        if (mask) {
            return p + __builtin_ctz(mask);
        }

        p += 16;
    }
#endif

    while (p < last && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


static ngx_int_t
clipper_lex_append(clipper_lex_t *lex, clipper_scratch_t *out, const u_char *p,
    size_t n)
{
    if (out == NULL || n == 0) {
        return NGX_OK;
    }

    if (clipper_scratch_reserve(out, n) != NGX_OK) {
        return clipper_lex_nomem(lex);
    }

    ngx_memcpy(out->start + out->len, p, n);
    out->len += n;

    return NGX_OK;
}


/* one sequence that is not ASCII */

static ngx_int_t
clipper_lex_utf8(clipper_lex_t *lex, clipper_scratch_t *out)
{
    size_t         len, have, good;
    u_char         buf[CLIPPER_LEX_UTF8];
    ngx_int_t      rc;
    const u_char  *p;

    p = clipper_lex_peek(lex, buf, CLIPPER_LEX_UTF8, &have);

    len = clipper_utf8_len(p, have, &good);

    if (len == 0) {
        return clipper_lex_invalid(lex, good,
                                   "Invalid encoding in string.");
    }

    rc = clipper_lex_append(lex, out, p, len);

    clipper_lex_advance(lex, len);

    return rc;
}


static ngx_int_t
clipper_lex_escape(clipper_lex_t *lex, clipper_scratch_t *out)
{
    size_t               have;
    u_char              *last;
    u_char               buf[CLIPPER_LEX_ESCAPE], utf8[4];
    uint32_t             code;
    ngx_int_t            len;
    const char          *simple;
    const u_char        *p;
    static const char    from[] = "\"\\/bfnrt";
    static const u_char  to[] = "\"\\/\b\f\n\r\t";

    p = clipper_lex_peek(lex, buf, CLIPPER_LEX_ESCAPE, &have);

    if (have < 2) {
        return clipper_lex_invalid(lex, have, CLIPPER_LEX_QUOTE);
    }

    if (p[1] == 'u') {
        len = clipper_lex_unicode(lex, p, have, &code);

        if (len == NGX_ERROR) {
            return NGX_ERROR;
        }

        last = clipper_utf8_write(utf8, code);

    } else {
        simple = p[1] ? ngx_strchr(from, p[1]) : NULL;

        if (simple == NULL) {
            return clipper_lex_invalid(lex, 1,
                                       "Invalid escape character in string.");
        }

        len = 2;
        utf8[0] = to[simple - from];
        last = utf8 + 1;
    }

    clipper_lex_advance(lex, len);

    return clipper_lex_append(lex, out, utf8, last - utf8);
}


/* the length of the escape or escapes at p that form one character */

static ngx_int_t
clipper_lex_unicode(clipper_lex_t *lex, const u_char *p, size_t have,
    uint32_t *code)
{
    size_t              bad;
    uint32_t            low;
    ngx_int_t           rc;
    static const char   reason[] = "The surrogate pair in string is invalid.";

    rc = clipper_lex_hex(lex, p, have, 2, code);

    if (*code >= 0xdc00 && *code <= 0xdfff) {

        /* the second digit decides whether it is a low surrogate */

        return clipper_lex_invalid(lex, 3, reason);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (*code < 0xd800 || *code > 0xdfff) {
        return 6;
    }

    /* a high surrogate: only \uDC00 to \uDFFF may follow */

    for (bad = 6; bad < 10; bad++) {

        if (bad == have
            || (bad == 6 && p[6] != '\\')
            || (bad == 7 && p[7] != 'u')
            || (bad == 8 && (p[8] | 0x20) != 'd')
            || (bad == 9 && ((p[9] | 0x20) < 'c' || (p[9] | 0x20) > 'f')))
        {
            return clipper_lex_invalid(lex, bad, reason);
        }
    }

    if (clipper_lex_hex(lex, p, have, 8, &low) != NGX_OK) {
        return NGX_ERROR;
    }

    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);

    return 12;
}


/* four digits at p[i]; code has the digits read even after an error */

static ngx_int_t
clipper_lex_hex(clipper_lex_t *lex, const u_char *p, size_t have, size_t i,
    uint32_t *code)
{
    u_char  c;
    size_t  k;

    *code = 0;

    for (k = i; k < i + 4; k++) {
        c = (k < have) ? (p[k] | 0x20) : 0;

        if (k < have && p[k] >= '0' && p[k] <= '9') {
            *code |= (uint32_t) (p[k] - '0') << (4 * (i + 3 - k));

        } else if (c >= 'a' && c <= 'f') {
            *code |= (uint32_t) (c - 'a' + 10) << (4 * (i + 3 - k));

        } else {
            return clipper_lex_invalid(lex, k,
                        "Incorrect hex digit after \\u escape in string.");
        }
    }

    return NGX_OK;
}


ngx_int_t
clipper_lex_scalar_number(clipper_lex_t *lex, clipper_number_t *number)
{
    size_t         len;
    const char    *reason;
    const u_char  *p, *end, *last, *error;

    p = lex->p;
    last = lex->last;
    error = NULL;
    reason = NULL;

    end = clipper_number_scan(p, last, number, &error, &reason);

    if ((end == last || error == last) && clipper_lex_is_cut(lex)) {

        if (clipper_lex_gather(lex, &len) != NGX_OK) {
            return clipper_lex_nomem(lex);
        }

        p = lex->scratch->start + lex->scratch->len;
        end = clipper_number_scan(p, p + len, number, &error, &reason);
    }

    if (end == NULL) {
        return clipper_lex_invalid(lex, error - p, reason);
    }

    if (clipper_number_overflows(number)) {
        return clipper_lex_invalid(lex, 0,
                                   "Number too big to be stored in double.");
    }

    clipper_lex_advance(lex, end - p);

    return NGX_OK;
}


/* whether a byte follows this segment */

static ngx_uint_t
clipper_lex_is_cut(const clipper_lex_t *lex)
{
    const clipper_segment_t  *s;

    for (s = lex->next; s < lex->end; s++) {
        if (s->pos < s->last) {
            return 1;
        }
    }

    return 0;
}


/* copies what may belong to the number, after the content of the scratch */

static ngx_int_t
clipper_lex_gather(clipper_lex_t *lex, size_t *len)
{
    size_t                    n;
    const u_char             *p, *q, *last;
    clipper_scratch_t        *s;
    const clipper_segment_t  *next;

    s = lex->scratch;
    p = lex->p;
    last = lex->last;
    next = lex->next;
    *len = 0;

    for ( ;; ) {
        q = p;

        while (q < last && ((*q >= '0' && *q <= '9') || *q == '.' || *q == '-'
                            || *q == '+' || (*q | 0x20) == 'e'))
        {
            q++;
        }

        n = q - p;

        if (clipper_scratch_reserve(s, *len + n) != NGX_OK) {
            return NGX_ERROR;
        }

        if (n) {
            ngx_memcpy(s->start + s->len + *len, p, n);
            *len += n;
        }

        if (q < last || next == lex->end) {
            return NGX_OK;
        }

        p = next->pos;
        last = next->last;
        next++;
    }
}


ngx_int_t
clipper_lex_scalar_literal(clipper_lex_t *lex)
{
    size_t         i, have;
    u_char         buf[5];
    const char    *word;
    const u_char  *p;

    p = clipper_lex_peek(lex, buf, 5, &have);

    if (have == 0) {
        return clipper_lex_invalid(lex, 0, "Invalid value.");
    }

    word = (p[0] == 't') ? "true" : (p[0] == 'f') ? "false"
           : (p[0] == 'N' && lex->nan) ? "NaN" : "null";

    for (i = 0; word[i]; i++) {
        if (i == have || p[i] != (u_char) word[i]) {
            return clipper_lex_invalid(lex, i, "Invalid value.");
        }
    }

    clipper_lex_advance(lex, i);

    return NGX_OK;
}

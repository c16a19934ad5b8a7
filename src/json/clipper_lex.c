
#include "json/clipper_lex_scalar.h"


static ngx_int_t clipper_lex_begin(clipper_lex_t *lex);
static ngx_int_t clipper_lex_scalar(clipper_lex_t *lex, ngx_int_t c);
static ngx_uint_t clipper_lex_in_object(const clipper_lex_t *lex);


void
clipper_lex_init(clipper_lex_t *lex, const clipper_segment_t *segments,
    ngx_uint_t n, ngx_uint_t max_depth, clipper_scratch_t *scratch)
{
    lex->p = NULL;
    lex->last = NULL;
    lex->start = NULL;
    lex->base = 0;

    lex->segments = segments;
    lex->next = segments;
    lex->end = segments + n;

    lex->scratch = scratch;

    lex->depth = 0;
    lex->max_depth = ngx_min(max_depth, CLIPPER_LEX_MAX_DEPTH);

    lex->nan = 0;

    lex->error = 0;
    lex->offset = 0;
    lex->reason = NULL;
}


ngx_int_t
clipper_lex_next(clipper_lex_t *lex)
{
    while (lex->next < lex->end) {
        lex->base += lex->last - lex->start;

        lex->start = lex->next->pos;
        lex->p = lex->start;
        lex->last = lex->next->last;
        lex->next++;

        if (lex->p < lex->last) {
            return 1;
        }
    }

    return 0;
}


size_t
clipper_lex_offset(const clipper_lex_t *lex)
{
    return lex->base + (lex->p - lex->start);
}


ngx_int_t
clipper_lex_invalid(clipper_lex_t *lex, size_t ahead, const char *reason)
{
    lex->error = CLIPPER_LEX_SYNTAX;
    lex->offset = clipper_lex_offset(lex) + ahead;
    lex->reason = reason;

    return NGX_ERROR;
}


ngx_int_t
clipper_lex_nomem(clipper_lex_t *lex)
{
    lex->error = CLIPPER_LEX_NOMEM;
    lex->offset = clipper_lex_offset(lex);

    return NGX_ERROR;
}


ngx_int_t
clipper_lex_blank(clipper_lex_t *lex)
{
    u_char  c;

    do {
        for ( /* void */ ; lex->p < lex->last; lex->p++) {
            c = *lex->p;

            if (c > ' ' || (c != ' ' && c != LF && c != CR && c != '\t')) {
                return c;
            }
        }

    } while (clipper_lex_next(lex));

    return CLIPPER_LEX_END;
}


const u_char *
clipper_lex_peek(const clipper_lex_t *lex, u_char *buf, size_t n, size_t *have)
{
    size_t                    len;
    const u_char             *p, *last;
    const clipper_segment_t  *next;

    p = lex->p;
    last = lex->last;
    next = lex->next;

    if ((size_t) (last - p) >= n) {
        *have = n;
        return p;
    }

    *have = 0;

    for ( ;; ) {
        len = ngx_min((size_t) (last - p), n - *have);

        if (len) {
            ngx_memcpy(buf + *have, p, len);
            *have += len;
        }

        if (*have == n || next == lex->end) {
            return buf;
        }

        p = next->pos;
        last = next->last;
        next++;
    }
}


void
clipper_lex_advance(clipper_lex_t *lex, size_t n)
{
    while (n > (size_t) (lex->last - lex->p)) {
        n -= lex->last - lex->p;
        lex->p = lex->last;

        if (!clipper_lex_next(lex)) {
            return;
        }
    }

    lex->p += n;
}


ngx_int_t
clipper_lex_open(clipper_lex_t *lex)
{
    uint32_t   bit;
    uint32_t  *word;

    if (lex->depth == lex->max_depth) {
        lex->error = CLIPPER_LEX_DEPTH;
        lex->offset = clipper_lex_offset(lex);

        return NGX_ERROR;
    }

    bit = (uint32_t) 1 << (lex->depth % 32);
    word = &lex->objects[lex->depth / 32];

    if (*lex->p == '{') {
        *word |= bit;

    } else {
        *word &= ~bit;
    }

    lex->depth++;
    lex->p++;

    return NGX_OK;
}


void
clipper_lex_close(clipper_lex_t *lex)
{
    lex->depth--;
    lex->p++;
}


static ngx_uint_t
clipper_lex_in_object(const clipper_lex_t *lex)
{
    ngx_uint_t  i;

    i = lex->depth - 1;

    return lex->objects[i / 32] >> (i % 32) & 1;
}


ngx_int_t
clipper_lex_more(clipper_lex_t *lex, ngx_uint_t first)
{
    ngx_int_t   c;
    ngx_uint_t  object;

    c = clipper_lex_space(lex);
    object = clipper_lex_in_object(lex);

    if (c == (object ? '}' : ']')) {
        clipper_lex_close(lex);
        return NGX_DONE;
    }

    if (first) {
        return NGX_OK;
    }

    if (c == ',') {
        lex->p++;
        return NGX_OK;
    }

    return clipper_lex_invalid(lex, 0,
                  object ? "Missing a comma or '}' after an object member."
                         : "Missing a comma or ']' after an array element.");
}


ngx_int_t
clipper_lex_name(clipper_lex_t *lex, clipper_scratch_t *out)
{
    if (clipper_lex_space(lex) != '"') {
        return clipper_lex_invalid(lex, 0,
                                   "Missing a name for object member.");
    }

    if (clipper_lex_scalar_string(lex, out) != NGX_OK) {
        return NGX_ERROR;
    }

    if (clipper_lex_space(lex) != ':') {
        return clipper_lex_invalid(lex, 0,
                             "Missing a colon after a name of object member.");
    }

    lex->p++;

    return NGX_OK;
}


ngx_int_t
clipper_lex_skip(clipper_lex_t *lex)
{
    ngx_uint_t  depth;

    depth = lex->depth;

    if (clipper_lex_begin(lex) != NGX_OK) {
        return NGX_ERROR;
    }

    return clipper_lex_skip_to(lex, depth);
}


ngx_int_t
clipper_lex_skip_to(clipper_lex_t *lex, ngx_uint_t depth)
{
    ngx_int_t  rc;

    while (lex->depth > depth) {
        rc = clipper_lex_more(lex, 0);

        if (rc == NGX_OK && clipper_lex_in_object(lex)) {
            rc = clipper_lex_name(lex, NULL);
        }

        if (rc == NGX_OK) {
            rc = clipper_lex_begin(lex);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* skips a scalar or an empty container, or brackets up to the first scalar */

static ngx_int_t
clipper_lex_begin(clipper_lex_t *lex)
{
    ngx_int_t  c, rc;

    for ( ;; ) {
        c = clipper_lex_space(lex);

        if (c != '{' && c != '[') {
            return clipper_lex_scalar(lex, c);
        }

        if (clipper_lex_open(lex) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = clipper_lex_more(lex, 1);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
        }

        if (c == '{' && clipper_lex_name(lex, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
clipper_lex_scalar(clipper_lex_t *lex, ngx_int_t c)
{
    clipper_number_t  number;

    if (c == '"') {
        return clipper_lex_scalar_string(lex, NULL);
    }

    if (c == '-' || (c >= '0' && c <= '9')) {
        return clipper_lex_scalar_number(lex, &number);
    }

    return clipper_lex_scalar_literal(lex);
}


ngx_int_t
clipper_lex_done(clipper_lex_t *lex)
{
    if (clipper_lex_space(lex) == CLIPPER_LEX_END) {
        return NGX_OK;
    }

    return clipper_lex_invalid(lex, 0,
                   "The document root must not be followed by other values.");
}


ngx_int_t
clipper_lex_copy(const clipper_lex_t *lex, size_t from, size_t to,
    clipper_scratch_t *out)
{
    size_t                    n, len;
    const clipper_segment_t  *s;

    if (clipper_scratch_reserve(out, to - from) != NGX_OK) {
        return NGX_ERROR;
    }

    for (s = lex->segments; from < to; s++) {
        len = s->last - s->pos;

        if (from < len) {
            n = ngx_min(len, to) - from;
            ngx_memcpy(out->start + out->len, s->pos + from, n);
            out->len += n;
            from += n;
        }

        from -= len;
        to -= len;
    }

    return NGX_OK;
}

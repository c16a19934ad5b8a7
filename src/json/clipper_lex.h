
/*
 * JSON tokens from a body in several pieces of memory.
 *
 * Promise: exactly RFC 8259, wherever the body is cut; inside a piece as fast
 * as with a single one; no recursion, so nesting costs one bit a level.  A
 * token is copied only if it crosses a border and must be seen whole.
 *
 * Every function that returns ngx_int_t returns NGX_OK, or NGX_ERROR with
 * lex->error, lex->offset and lex->reason set; nothing may be read after an
 * error.  lex->offset is that of the first byte that no valid document could
 * have there (of the number's first byte, for a number beyond DBL_MAX).
 */


#ifndef _CLIPPER_LEX_H_INCLUDED_
#define _CLIPPER_LEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "base/clipper_scratch.h"


/* nothing is read deeper, whatever the caller's max_depth says */
#define CLIPPER_LEX_MAX_DEPTH  1024

#define CLIPPER_LEX_SYNTAX     1                /* lex->error */
#define CLIPPER_LEX_DEPTH      2
#define CLIPPER_LEX_NOMEM      3

#define CLIPPER_LEX_END        (-1)             /* instead of a byte */


typedef struct {
    const u_char                     *p;        /* next byte */
    const u_char                     *last;     /* end of this segment */
    const u_char                     *start;    /* its start */
    size_t                            base;     /* offset of start */

    const clipper_segment_t          *segments;
    const clipper_segment_t          *next;
    const clipper_segment_t          *end;

    clipper_scratch_t                *scratch;  /* for tokens cut in two */

    ngx_uint_t                        depth;    /* open objects and arrays */
    ngx_uint_t                        max_depth;
    uint32_t                          objects[CLIPPER_LEX_MAX_DEPTH / 32];

    ngx_uint_t                        nan;      /* NaN is a literal, too */
    ngx_uint_t                        error;
    size_t                            offset;
    const char                       *reason;
} clipper_lex_t;


/* scratch may be NULL when there is one segment */
void clipper_lex_init(clipper_lex_t *lex, const clipper_segment_t *segments,
    ngx_uint_t n, ngx_uint_t max_depth, clipper_scratch_t *scratch);

/* skips white space; gives the next byte without taking it, or .._END */
ngx_int_t clipper_lex_blank(clipper_lex_t *lex);

static ngx_inline ngx_int_t
clipper_lex_space(clipper_lex_t *lex)
{
    /* avoids the call if there is no white space and no segment ends */
    if (lex->p < lex->last && *lex->p > ' ') {
        return *lex->p;
    }

    return clipper_lex_blank(lex);
}

/* offset of the next byte */
size_t clipper_lex_offset(const clipper_lex_t *lex);

/* takes a bracket that clipper_lex_space() has returned */
ngx_int_t clipper_lex_open(clipper_lex_t *lex);
void clipper_lex_close(clipper_lex_t *lex);

/*
 * Reads what follows a value or an opening bracket: NGX_OK, an element or a
 * name comes next; NGX_DONE, the innermost object or array was closed.  first:
 * after an opening bracket no comma is due.
 */
ngx_int_t clipper_lex_more(clipper_lex_t *lex, ngx_uint_t first);

/* appends an object's name to out, if not NULL, and takes the colon */
ngx_int_t  clipper_lex_name(clipper_lex_t *lex, clipper_scratch_t *out);

/* skips any value; or the rest of what is open down to depth */
ngx_int_t clipper_lex_skip(clipper_lex_t *lex);
ngx_int_t clipper_lex_skip_to(clipper_lex_t *lex, ngx_uint_t depth);

/* only white space may follow */
ngx_int_t clipper_lex_done(clipper_lex_t *lex);

/* appends the bytes from one offset to another, as written */
ngx_int_t clipper_lex_copy(const clipper_lex_t *lex, size_t from, size_t to,
    clipper_scratch_t *out);

/* between the tokenizer's own files: */

/* moves to the next non-empty segment; 0: this was the last one */
ngx_int_t clipper_lex_next(clipper_lex_t *lex);

/* sets the error and returns NGX_ERROR; ahead: bytes from the next one */
ngx_int_t clipper_lex_invalid(clipper_lex_t *lex, size_t ahead,
    const char *reason);
ngx_int_t clipper_lex_nomem(clipper_lex_t *lex);

/* takes the next n bytes, or as many as there are, in place or copied to buf */
const u_char *clipper_lex_peek(const clipper_lex_t *lex, u_char *buf, size_t n,
    size_t *have);
void clipper_lex_advance(clipper_lex_t *lex, size_t n);


#endif /* _CLIPPER_LEX_H_INCLUDED_ */

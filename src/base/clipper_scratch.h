
/*
 * The scanner's memory: the pieces of a body that it reads, and a buffer for
 * what it writes, which grows and is kept.
 *
 * Promise: no allocation while the content fits what earlier requests needed;
 * never more than the cap.  start is aligned for every type.  The owner frees
 * it.
 */


#ifndef _CLIPPER_SCRATCH_H_INCLUDED_
#define _CLIPPER_SCRATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char     *pos;
    u_char     *last;
} clipper_segment_t;


typedef struct {
    u_char     *start;
    size_t      len;        /* in use */
    size_t      size;       /* allocated */
    size_t      cap;        /* never more; 0: no cap */
} clipper_scratch_t;


/*
 * Makes room for n bytes after len, within the cap; may move start.
 * NGX_ERROR: no memory for that, nothing has changed.
 */

ngx_int_t clipper_scratch_grow(clipper_scratch_t *s, size_t n);

/* frees it if it is larger than size; the content is lost then */

void clipper_scratch_trim(clipper_scratch_t *s, size_t size);


static ngx_inline ngx_int_t
clipper_scratch_reserve(clipper_scratch_t *s, size_t n)
{
    if (s->size - s->len >= n) {
        return NGX_OK;
    }

    return clipper_scratch_grow(s, n);
}


#endif /* _CLIPPER_SCRATCH_H_INCLUDED_ */

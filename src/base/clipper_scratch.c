
#include "base/clipper_scratch.h"


#define CLIPPER_SCRATCH_MIN  1024


ngx_int_t
clipper_scratch_grow(clipper_scratch_t *s, size_t n)
{
    size_t   need, size, most;
    u_char  *start;

    most = SIZE_MAX / 2;

    if (s->cap && s->cap < most) {
        most = s->cap;
    }

    if (n > most || s->len > most - n) {
        return NGX_ERROR;
    }

    need = s->len + n;
    size = s->size ? s->size : CLIPPER_SCRATCH_MIN;

    while (size < need) {
        size *= 2;
    }

    if (size > most) {
        size = most;
    }

    start = realloc(s->start, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    s->start = start;
    s->size = size;

    return NGX_OK;
}


void
clipper_scratch_trim(clipper_scratch_t *s, size_t size)
{
    if (s->size > size) {
        free(s->start);
        s->start = NULL;
        s->len = 0;
        s->size = 0;
    }
}

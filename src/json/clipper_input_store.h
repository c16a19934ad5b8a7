
/*
 * Writes a number into the bytes of an input, which need no alignment.  Inline
 * for the loops over arrays.
 */


#ifndef _CLIPPER_INPUT_STORE_H_INCLUDED_
#define _CLIPPER_INPUT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the container's byte order is little-endian */

static ngx_inline void
clipper_input_store32(u_char *dst, uint32_t v)
{
#if !(NGX_HAVE_LITTLE_ENDIAN)
    v = __builtin_bswap32(v);
#endif

    ngx_memcpy(dst, &v, sizeof(uint32_t));
}


static ngx_inline void
clipper_input_store64(u_char *dst, uint64_t v)
{
#if !(NGX_HAVE_LITTLE_ENDIAN)
    v = __builtin_bswap64(v);
#endif

    ngx_memcpy(dst, &v, sizeof(uint64_t));
}


#endif /* _CLIPPER_INPUT_STORE_H_INCLUDED_ */


/*
 * Clipper: little-endian integers at any address.  Pure.
 */

#ifndef _CLIPPER_WIRE_H_INCLUDED_
#define _CLIPPER_WIRE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define clipper_wire_swap32(x)  __builtin_bswap32(x)
#define clipper_wire_swap64(x)  __builtin_bswap64(x)
#else
#define clipper_wire_swap32(x)  (x)
#define clipper_wire_swap64(x)  (x)
#endif


static ngx_inline uint32_t
clipper_wire_get32(const u_char *p)
{
    uint32_t  x;

    ngx_memcpy(&x, p, 4);

    return clipper_wire_swap32(x);
}


static ngx_inline uint64_t
clipper_wire_get64(const u_char *p)
{
    uint64_t  x;

    ngx_memcpy(&x, p, 8);

    return clipper_wire_swap64(x);
}


static ngx_inline void
clipper_wire_put32(u_char *p, uint32_t x)
{
    x = clipper_wire_swap32(x);
    ngx_memcpy(p, &x, 4);
}


static ngx_inline void
clipper_wire_put64(u_char *p, uint64_t x)
{
    x = clipper_wire_swap64(x);
    ngx_memcpy(p, &x, 8);
}


#endif /* _CLIPPER_WIRE_H_INCLUDED_ */

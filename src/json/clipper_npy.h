
/*
 * NumPy's .npy files: the header, and elements as numbers of an input type.
 *
 * Promise: reads the versions 1 to 3 of the format, booleans, integers and
 * floats of any size and byte order, in C order; anything else is refused with
 * a reason.  Never reads past the bytes that it is given.  A value is converted
 * as the same number in JSON would be: integers must fit, a float is the
 * nearest one, and a finite value beyond FLT_MAX does not fit a float.
 */


#ifndef _CLIPPER_NPY_H_INCLUDED_
#define _CLIPPER_NPY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* no header is longer; NumPy writes 128 bytes */

#define CLIPPER_NPY_HEADER  4096


typedef struct {
    size_t          header;     /* bytes before the elements */
    u_char          kind;       /* 'b', 'i', 'u', 'f': boolean, signed, .. */
    unsigned        swap:1;     /* big-endian */
    size_t          size;       /* of an element */
    ngx_uint_t      dimensions;
    size_t          rows;       /* the first dimension; 1 if there is none */
    size_t          count;      /* of elements */
} clipper_npy_t;


/*
 * Reads the header from the first bytes of a file, all of them or
 * CLIPPER_NPY_HEADER.  NULL: good; else what is wrong, at *offset.
 */
const char *clipper_npy_header(clipper_npy_t *npy, const u_char *p, size_t len,
    size_t *offset);

/* whether elements are the input type's own bytes on the wire */
ngx_uint_t clipper_npy_is_native(const clipper_npy_t *npy, ngx_uint_t type);

/* whether elements can be converted at all */
ngx_uint_t clipper_npy_is_convertible(const clipper_npy_t *npy,
    ngx_uint_t type);

/*
 * Converts count elements.  Returns how many: fewer than count if one does not
 * fit the type.
 */
size_t clipper_npy_convert(const clipper_npy_t *npy, ngx_uint_t type,
    const u_char *src, u_char *dst, size_t count);


#endif /* _CLIPPER_NPY_H_INCLUDED_ */


/*
 * Input types: their names, and the sizes of their elements.
 */


#ifndef _CLIPPER_INPUT_TYPE_H_INCLUDED_
#define _CLIPPER_INPUT_TYPE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the codes of the wire */

#define CLIPPER_BYTES           0
#define CLIPPER_INTS            1
#define CLIPPER_FLOATS          2
#define CLIPPER_DOUBLES         3
#define CLIPPER_STRINGS         4

#define CLIPPER_INPUT_TYPES     5               /* how many there are */


/* the code of a type name or synonym in any case, or -1 */

ngx_int_t clipper_input_type(const ngx_str_t *name);

/* "bytes", "integers", "floats", "doubles", "strings"; NULL if unknown */

const ngx_str_t  *clipper_input_type_name(ngx_uint_t type);

/* bytes of one element, 1 for bytes and strings */

size_t clipper_input_type_size(ngx_uint_t type);


#endif /* _CLIPPER_INPUT_TYPE_H_INCLUDED_ */

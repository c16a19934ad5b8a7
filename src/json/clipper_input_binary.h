
/*
 * Bodies without JSON: the bytes of one input, or of several of equal length,
 * in the type of the application (little-endian, as on the wire); and NumPy's
 * .npy files.  Results, errors and ownership are those of clipper_input_scan().
 */


#ifndef _CLIPPER_INPUT_BINARY_H_INCLUDED_
#define _CLIPPER_INPUT_BINARY_H_INCLUDED_


#include "json/clipper_input.h"


#define CLIPPER_INPUT_BINARY_RAW  1
#define CLIPPER_INPUT_BINARY_NPY  2


/* batch: the number of inputs, or CLIPPER_INPUT_NONE: a single one */

ngx_int_t clipper_input_binary_read(clipper_input_t *in,
    const clipper_input_conf_t *conf, ngx_uint_t form, ngx_uint_t batch,
    const clipper_segment_t *segments, ngx_uint_t n);


#endif /* _CLIPPER_INPUT_BINARY_H_INCLUDED_ */

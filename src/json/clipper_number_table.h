
/*
 * The first 128 bits of 5^q, high word first, for q = -342 ... 308; cut off for
 * q >= 0, rounded up for q < 0.
 */


#ifndef _CLIPPER_NUMBER_TABLE_H_INCLUDED_
#define _CLIPPER_NUMBER_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_NUMBER_TABLE_MIN  (-342)


extern const uint64_t  clipper_number_table[];


#endif /* _CLIPPER_NUMBER_TABLE_H_INCLUDED_ */

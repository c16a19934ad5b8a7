
/*
 * A number between two neighbours of a format: which of them is nearer.
 *
 * Promise: exact for every literal, with bounded work.  The middle of two
 * doubles has at most 768 significant digits, so all that matters of the digits
 * after these is whether one is not zero: they take no part in the arithmetic.
 * All is done with integers of at most 2656 bits on the stack; nothing is
 * allocated, no state is kept.
 */


#ifndef _CLIPPER_NUMBER_EXACT_H_INCLUDED_
#define _CLIPPER_NUMBER_EXACT_H_INCLUDED_


#include "json/clipper_number.h"


/* significant digits that take part in the arithmetic */

#define CLIPPER_NUMBER_EXACT_DIGITS  768


#if (CLIPPER_NUMBER_EXACT_COUNT)

/* multiplications of 64 bits; a test that counts them has the variable */

extern uint64_t  clipper_number_exact_work;

#endif


/*
 * The number's absolute value is between the value of these bits and the next
 * one.  Returns whether it is rounded up: it is above their middle, or it is
 * the middle and the bits are odd.  The value after the largest is infinity, as
 * if it were the next power of two.
 */

ngx_uint_t  clipper_number_exact_up(const clipper_number_t *n, uint64_t bits,
    const clipper_number_format_t *f);


#endif /* _CLIPPER_NUMBER_EXACT_H_INCLUDED_ */

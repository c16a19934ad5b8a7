
/* Shared by the tests of numbers: how one is scanned. */


#ifndef _NUMBER_FIXTURE_H_INCLUDED_
#define _NUMBER_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <math.h>
#include <cmocka.h>

#include "json/clipper_number.h"


/*
 * Scans a copy that ends where the text ends, for the sanitizers; the caller
 * frees it.  Returns the end of the number in the copy, or NULL: then error
 * is the offset of the mistake.
 */
const u_char *number_scan(const char *text, clipper_number_t *number,
    u_char **copy, size_t *error);


#endif /* _NUMBER_FIXTURE_H_INCLUDED_ */

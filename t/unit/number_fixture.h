
/* What the tests of numbers share: how one is scanned. */


#ifndef _CLIPPER_NUMBER_FIXTURE_H_INCLUDED_
#define _CLIPPER_NUMBER_FIXTURE_H_INCLUDED_


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


/* scans a copy that ends where the text ends, for the sanitizers */

static inline const u_char *
scan(const char *text, clipper_number_t *number, u_char **copy, size_t *error)
{
    size_t         len;
    const char    *reason;
    const u_char  *end, *bad;

    len = strlen(text);
    *copy = malloc(len ? len : 1);
    memcpy(*copy, text, len);

    bad = NULL;
    end = clipper_number_scan(*copy, *copy + len, number, &bad, &reason);
    if (end == NULL) {
        *error = bad - *copy;
        assert_non_null(reason);
    }

    return end;
}


#endif /* _CLIPPER_NUMBER_FIXTURE_H_INCLUDED_ */

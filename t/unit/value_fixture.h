
/* Shared by the tests of losses, policies and answers: values and numbers. */

#ifndef _VALUE_FIXTURE_H_INCLUDED_
#define _VALUE_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "json/clipper_value.h"


#define assert_close(x, y, eps)                                               \
    do {                                                                      \
        if (!(fabs((x) - (y)) <= (eps))) {                                    \
            print_error("%s:%d: %.17g is not %.17g\n", __FILE__, __LINE__,    \
                        (double) (x), (double) (y));                          \
            fail();                                                           \
        }                                                                     \
    } while (0)


/* the value of an output with this text, which it points to */
clipper_value_t value_of(const char *text);


#endif /* _VALUE_FIXTURE_H_INCLUDED_ */

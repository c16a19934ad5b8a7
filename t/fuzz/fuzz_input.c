
/*
 * The input scanner against jansson: accepted or refused, every value, the
 * place of an error, and the same with the body cut into pieces.
 *
 * The first four bytes of the data choose the type, the mode, the limits,
 * whether null is NaN, and where to cut; the rest is the body.
 */

#include "../unit/input_check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                n, at, step, cuts[INPUT_CHECK_CUTS];
    const char           *failure;
    ngx_uint_t            mode;
    clipper_input_conf_t  conf;

    if (size < 4) {
        return 0;
    }

    memset(&conf, 0, sizeof(conf));
    conf.type = data[0] % 5;
    conf.strict = data[0] >> 3 & 1;
    conf.nulls = data[3] & 1;
    conf.max_batch = (data[0] & 0x10) ? 2 : 1000;
    conf.max_elements = (data[0] & 0x20) ? 5 : 1000000;
    conf.max_depth = (data[0] & 0x40) ? 4 : CLIPPER_LEX_MAX_DEPTH;
    mode = data[0] >> 7;

    at = data[1];
    step = 1 + data[2] % 128;

    data += 4;
    size -= 4;

    for (n = 0; n < INPUT_CHECK_CUTS && at <= size; n++) {
        cuts[n] = at;
        at += step - 1 + (n % 3 == 2);
    }

    failure = input_check(&conf, mode, data, size, cuts, n);

    if (failure) {
        fprintf(stderr, "%s\n", failure);
        abort();
    }

    return 0;
}

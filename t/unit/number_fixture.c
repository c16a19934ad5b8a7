
/* Scans a number from a copy without slack, for sanitizers. */

#include "number_fixture.h"


const u_char *
number_scan(const char *text, clipper_number_t *number, u_char **copy,
    size_t *error)
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

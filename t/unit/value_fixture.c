
/*
 * Values of texts, see the header.
 */


#include "value_fixture.h"


clipper_value_t
value_of(const char *text)
{
    clipper_value_t  v;

    clipper_value_init(&v, (const u_char *) text, strlen(text));

    return v;
}

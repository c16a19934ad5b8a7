
/*
 * The comparison with jansson again, for the code of machines without SSE2.
 * Catches: a difference between the two.
 */

#define CLIPPER_PORTABLE  1

#include "json/clipper_input_array.c"
#include "json/clipper_lex_scalar.c"
#include "test_input_oracle.c"

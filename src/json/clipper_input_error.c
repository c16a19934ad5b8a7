
/* Errors of the input scanner, see the header. */


#include "json/clipper_input_error.h"


static const char *clipper_input_reason(const clipper_input_error_t *error,
    char *buf, size_t size);


/* by kind */

static const char  *clipper_input_kinds[] = {
    "nothing", "Null", "False", "True", "Object", "Array", "String", "Number",
    "Number"
};

/* by mode */

static const char  *clipper_input_schemas[] = {

    "\n"
    "  {\n"
    "   \"input\" := [double] | [int] | [string] | [byte] | [float],\n"
    "  }\n",

    "\n"
    "  {\n"
    "   \"uid\" := string | int,\n"
    "   \"input\" := [double] | [int] | [string] | [byte] | [float],\n"
    "   \"query_id\" := int,\n"
    "   \"label\" := double | int | string | bool | null\n"
    "  }\n"
};

/* by limit */

static const char  *clipper_input_limits[] = {
    "input_batch has more inputs than allowed",
    "An input has more elements than allowed",
    "The document is nested deeper than allowed"
};


ngx_uint_t
clipper_input_error_kind(ngx_int_t c)
{
    switch (c) {

    case 'n':
        return CLIPPER_KIND_NULL;

    case 'f':
        return CLIPPER_KIND_FALSE;

    case 't':
        return CLIPPER_KIND_TRUE;

    case '{':
        return CLIPPER_KIND_OBJECT;

    case '[':
        return CLIPPER_KIND_ARRAY;

    case '"':
        return CLIPPER_KIND_STRING;
    }

    if (c == '-' || (c >= '0' && c <= '9')) {
        return CLIPPER_KIND_INTEGER;
    }

    return CLIPPER_KIND_ABSENT;
}


void
clipper_input_error_require(clipper_input_error_t *error, const char *keys)
{
    ngx_memzero(error, sizeof(clipper_input_error_t));

    error->code = CLIPPER_INPUT_SCHEMA;
    error->what = CLIPPER_INPUT_MISSING;
    error->expected = keys;
}


u_char *
clipper_input_error_cause(const clipper_input_error_t *error, ngx_uint_t mode,
    u_char *dst)
{
    int   n;
    char  buf[CLIPPER_INPUT_CAUSE / 2];

    n = snprintf((char *) dst, CLIPPER_INPUT_CAUSE,
                 "Error parsing JSON: %s. Expected JSON schema: %s",
                 clipper_input_reason(error, buf, sizeof(buf)),
                 clipper_input_schemas[mode]);

    if (n < 0) {
        n = 0;
    }

    return dst + ngx_min(n, CLIPPER_INPUT_CAUSE - 1);
}


static const char *
clipper_input_reason(const clipper_input_error_t *error, char *buf,
    size_t size)
{
    const char  *found;

    found = clipper_input_kinds[error->kind];

    switch (error->code) {

    case CLIPPER_INPUT_OK:
        return "no error";

    case CLIPPER_INPUT_SYNTAX:
        snprintf(buf, size, "JSON parse error: %s (offset %zu)\n",
                 error->reason, error->offset);
        return buf;

    case CLIPPER_INPUT_LIMIT:
        return clipper_input_limits[error->what];

    case CLIPPER_INPUT_NOMEM:
        return "Not enough memory for the input";
    }

    switch (error->what) {

    case CLIPPER_INPUT_ROOT:
        return "Can only get key-value pair from an object";

    case CLIPPER_INPUT_MISSING:
        snprintf(buf, size, "JSON object does not have required keys %s",
                 error->expected);
        break;

    case CLIPPER_INPUT_MEMBER:
        snprintf(buf, size, "Type mismatch! JSON key %s expected type %s but"
                 " found type %s", error->key, error->expected, found);
        break;

    case CLIPPER_INPUT_ELEMENT:
        snprintf(buf, size, "Array input of type %s is not of type %s", found,
                 error->expected);
        break;

    default: /* CLIPPER_INPUT_BASE64 */
        snprintf(buf, size, "PredictionData of type %s is not of type"
                 " base64-encoded string", found);
    }

    return buf;
}

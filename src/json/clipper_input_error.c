
/* Errors of the input scanner, see the header. */


#include "json/clipper_input_error.h"


static const char *clipper_input_reason(const clipper_input_error_t *error,
    char *buf, size_t size);
static void clipper_input_place(const clipper_input_error_t *error, char *buf,
    size_t size);
static const char *clipper_input_advice(const clipper_input_error_t *error);


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
    "input_batch has more than %zu inputs (batch= of clipper_limits)",
    "An input has more than %zu elements (elements= of clipper_limits)",
    "The document is nested deeper than %zu (depth= of clipper_limits)",
    "The body unpacks to more than %zu bytes (clipper_decompress)"
};


/* what clipper_base64_decode() takes */

static const char  clipper_input_base64[] =
    "; accepted are A-Z a-z 0-9 with + / or - _, padding by = at the end,"
    " whole or none, white space (blank, tab, CR, LF), and the prefix of a"
    " data URL (data:...;base64,)";


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
    int          n;
    char         buf[CLIPPER_INPUT_CAUSE / 2];
    const char  *reason;

    reason = clipper_input_reason(error, buf, sizeof(buf));

    if (error->code == CLIPPER_INPUT_LIMIT
        || (error->code == CLIPPER_INPUT_SCHEMA
            && error->what == CLIPPER_INPUT_BODY))
    {
        n = snprintf((char *) dst, CLIPPER_INPUT_CAUSE, "%s", reason);

    } else {
        n = snprintf((char *) dst, CLIPPER_INPUT_CAUSE,
                     "Error parsing JSON: %s. Expected JSON schema: %s",
                     reason, clipper_input_schemas[mode]);
    }

    if (n < 0) {
        n = 0;
    }

    return dst + ngx_min(n, CLIPPER_INPUT_CAUSE - 1);
}


static const char *
clipper_input_reason(const clipper_input_error_t *error, char *buf,
    size_t size)
{
    char         place[80];
    size_t       n;
    const char  *found;

    found = clipper_input_kinds[error->kind];

    clipper_input_place(error, place, sizeof(place));

    switch (error->code) {

    case CLIPPER_INPUT_OK:
        return "no error";

    case CLIPPER_INPUT_SYNTAX:
        snprintf(buf, size, "JSON parse error: %s (offset %zu)\n",
                 error->reason, error->offset);
        return buf;

    case CLIPPER_INPUT_LIMIT:
        n = snprintf(buf, size, clipper_input_limits[error->what],
                     error->number);

        if (error->offset) {
            snprintf(buf + n, size - n, "%s", place);
        }

        return buf;

    case CLIPPER_INPUT_NOMEM:
        return "Not enough memory for the input";
    }

    switch (error->what) {

    case CLIPPER_INPUT_ROOT:
        snprintf(buf, size, "Can only get key-value pair from an object%s",
                 place);
        break;

    case CLIPPER_INPUT_MISSING:
        snprintf(buf, size, "JSON object does not have required keys %s",
                 error->expected);
        break;

    case CLIPPER_INPUT_MEMBER:
        snprintf(buf, size, "Type mismatch! JSON key %s expected type %s but"
                 " found type %s%s%s", error->key, error->expected, found,
                 place, clipper_input_advice(error));
        break;

    case CLIPPER_INPUT_ELEMENT:
        snprintf(buf, size, "Array input of type %s is not of type %s%s%s",
                 found, error->expected, place, clipper_input_advice(error));
        break;

    case CLIPPER_INPUT_BODY:
        snprintf(buf, size, "%s (offset %zu)", error->reason, error->offset);
        break;

    default: /* CLIPPER_INPUT_BASE64 */
        snprintf(buf, size, "PredictionData of type %s is not of type"
                 " base64-encoded string%s: character %zu of the text is"
                 " wrong%s", found, place, error->number, clipper_input_base64);
    }

    return buf;
}


/* " at input_batch[2][7] (offset 31)", as much of it as is known */

static void
clipper_input_place(const clipper_input_error_t *error, char *buf, size_t size)
{
    size_t  n;

    if (error->input != CLIPPER_INPUT_NONE) {
        n = snprintf(buf, size, " at input_batch[%zu]", (size_t) error->input);

    } else if (error->element != CLIPPER_INPUT_NONE) {
        n = snprintf(buf, size, " at input");

    } else {
        n = 0;
    }

    if (error->element != CLIPPER_INPUT_NONE) {
        n += snprintf(buf + n, size - n, "[%zu]", (size_t) error->element);
    }

    snprintf(buf + n, size - n, " (offset %zu)", error->offset);
}


/* the remedy for a frequent mistake */

static const char *
clipper_input_advice(const clipper_input_error_t *error)
{
    if (error->kind == CLIPPER_KIND_ARRAY && error->input == CLIPPER_INPUT_NONE
        && (error->what == CLIPPER_INPUT_ELEMENT
            || ngx_strcmp(error->key, "input") == 0))
    {
        return "; several inputs go under input_batch";
    }

    if (error->kind == CLIPPER_KIND_NULL && error->what == CLIPPER_INPUT_ELEMENT
        && error->element != CLIPPER_INPUT_NONE
        && ngx_strcmp(error->expected, "int") != 0)
    {
        return "; clipper_input with nulls=nan takes it as NaN";
    }

    return "";
}


/*
 * Errors of the input scanner: what is wrong, where, and the error text.
 */


#ifndef _CLIPPER_INPUT_ERROR_H_INCLUDED_
#define _CLIPPER_INPUT_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* error codes */

#define CLIPPER_INPUT_OK        0
#define CLIPPER_INPUT_SYNTAX    1           /* not JSON: 400 */
#define CLIPPER_INPUT_SCHEMA    2           /* JSON, but not a request: 400 */
#define CLIPPER_INPUT_LIMIT     3           /* over a limit: 413 */
#define CLIPPER_INPUT_NOMEM     4           /* no memory or over the cap: 500 */

/* error.what of a SCHEMA error */

#define CLIPPER_INPUT_ROOT      0           /* root is not an object */
#define CLIPPER_INPUT_MISSING   1           /* a required member is absent */
#define CLIPPER_INPUT_MEMBER    2           /* a member has the wrong type */
#define CLIPPER_INPUT_ELEMENT   3           /* an element has the wrong type */
#define CLIPPER_INPUT_BASE64    4           /* text is not base64 */
#define CLIPPER_INPUT_BODY      5           /* no JSON, or its coding */

/* error.what of a LIMIT error */

#define CLIPPER_INPUT_BATCH     0
#define CLIPPER_INPUT_ELEMENTS  1
#define CLIPPER_INPUT_DEPTH     2
#define CLIPPER_INPUT_UNPACKED  3

/* kinds of JSON values */

#define CLIPPER_KIND_ABSENT     0
#define CLIPPER_KIND_NULL       1
#define CLIPPER_KIND_FALSE      2
#define CLIPPER_KIND_TRUE       3
#define CLIPPER_KIND_OBJECT     4
#define CLIPPER_KIND_ARRAY      5
#define CLIPPER_KIND_STRING     6
#define CLIPPER_KIND_INTEGER    7           /* number, digits only */
#define CLIPPER_KIND_REAL       8           /* number, fraction or exponent */

/* the error is not in a batch, or not in an element */

#define CLIPPER_INPUT_NONE      ((ngx_uint_t) -1)

/* clipper_input_error_cause() never writes more */

#define CLIPPER_INPUT_CAUSE     768


typedef struct {
    ngx_uint_t                  code;
    ngx_uint_t                  what;
    size_t                      offset;        /* in the body, of the byte */
    ngx_uint_t                  kind;          /* of the value found */
    const char                 *expected;      /* type, or the missing keys */
    const char                 *key;           /* the member */
    ngx_uint_t                  input;         /* in input_batch, or NONE */
    ngx_uint_t                  element;       /* of the input, or NONE */
    size_t                      number;        /* of a LIMIT error, the limit;
                                                  of BASE64, the character */
    const char                 *reason;        /* of a SYNTAX or BODY error */
} clipper_input_error_t;


/* the kind of the value that begins with c; numbers are INTEGER */

ngx_uint_t clipper_input_error_kind(ngx_int_t c);

/* sets the SCHEMA error for missing keys (static text) */

void clipper_input_error_require(clipper_input_error_t *error,
    const char *keys);

/*
 * Writes the text of an error of a scan in this mode, not yet escaped for JSON,
 * to CLIPPER_INPUT_CAUSE bytes at dst; returns the end, without a terminator.
 * Errors of JSON are "Error parsing JSON: ... Expected JSON schema: ...".
 */

u_char *clipper_input_error_cause(const clipper_input_error_t *error,
    ngx_uint_t mode, u_char *dst);


#endif /* _CLIPPER_INPUT_ERROR_H_INCLUDED_ */

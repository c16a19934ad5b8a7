
/*
 * Input scanner: reads the JSON body of a request once, without a tree, and
 * writes its inputs as the typed bytes for a model container.
 *
 * Promise: exactly as strict as an RFC 8259 parser (one value, UTF-8, no lone
 * surrogates, no literal beyond DBL_MAX), numbers correctly rounded, and the
 * same result however the body is cut into segments.  A byte order mark is
 * passed over; with nulls, NaN is read inside an input.  Malformed JSON
 * anywhere takes precedence over an error of meaning, which is remembered while
 * the scan continues, so that "version" is known even if the input is wrong.
 * The first of duplicate members counts; "input" takes precedence over
 * "input_batch".
 *
 * Ownership: the buffers belong to clipper_input_t and are kept between scans;
 * all results point into them or into static memory and are valid until the
 * next scan, trim or done.  The segments are only read during the scan.  No
 * nginx object, clock, lock or randomness; one object must not be used by two
 * threads at once.
 */


#ifndef _CLIPPER_INPUT_H_INCLUDED_
#define _CLIPPER_INPUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "json/clipper_input_error.h"
#include "json/clipper_input_type.h"
#include "json/clipper_lex.h"
#include "base/clipper_scratch.h"


/* modes: the members to read; all others are only checked as JSON */

#define CLIPPER_INPUT_PREDICT   0           /* input input_batch version uid */
#define CLIPPER_INPUT_UPDATE    1           /* input uid label query_id */


typedef struct {
    ngx_uint_t                  type;
    ngx_uint_t                  max_batch;     /* inputs */
    ngx_uint_t                  max_elements;  /* numbers or bytes, per input */
    ngx_uint_t                  max_depth;     /* of the root: 1 */
    unsigned                    strict:1;      /* "1" is no number */
    unsigned                    nulls:1;       /* null is an element: NaN */
} clipper_input_conf_t;


typedef struct {
    size_t                      offset;        /* of in->data */
    size_t                      len;           /* bytes */
} clipper_item_t;


/*
 * text: a string member decoded (may contain NUL, not terminated), a number or
 * literal as written; for label always the JSON text as written, quotes and
 * escapes included.  Empty for objects and arrays.
 */

typedef struct {
    ngx_uint_t                  kind;
    ngx_str_t                   text;
} clipper_member_t;


typedef struct {
    clipper_input_error_t       error;
    clipper_item_t             *items;         /* back to back, in order */
    ngx_uint_t                  nitems;
    u_char                     *data;          /* aligned for every type */
    unsigned                    batch:1;       /* from "input_batch" */
    unsigned                    has_input:1;   /* "input" or "input_batch" */

    clipper_member_t            version;
    clipper_member_t            uid;
    clipper_member_t            label;
    clipper_member_t            query_id;
    ngx_uint_t                  mode;          /* of this scan */

    clipper_scratch_t           values;        /* buffers, kept */
    clipper_scratch_t           texts;
    clipper_scratch_t           index;
} clipper_input_t;


/* cap: no buffer grows beyond it; 0 is no cap; allocates nothing */
void clipper_input_init(clipper_input_t *in, size_t cap);

/* frees the buffers; the object may be used again */
void clipper_input_done(clipper_input_t *in);

/* frees each buffer larger than size, after an unusual request */
void clipper_input_trim(clipper_input_t *in, size_t size);

/* forgets the results, keeps the buffers */
void clipper_input_clear(clipper_input_t *in, ngx_uint_t mode);

/* makes an error of the whole body the result */
void clipper_input_fail(clipper_input_t *in, ngx_uint_t code, ngx_uint_t what,
    size_t number);

/*
 * NGX_OK: the members are valid.  NGX_ERROR: in->error tells why.  After a
 * SCHEMA or LIMIT error (but not DEPTH, which ends the scan) version, uid,
 * label and query_id are valid as well, items are not.
 *
 * PREDICT requires input or input_batch; a uid of another type than string or
 * integer is only reported by its kind.  UPDATE requires label (any scalar)
 * and query_id (integer) or input; uid (string or integer) is the caller's to
 * require, by clipper_input_error_require().
 */
ngx_int_t clipper_input_scan(clipper_input_t *in,
    const clipper_input_conf_t *conf, ngx_uint_t mode,
    const clipper_segment_t *segments, ngx_uint_t n);


#endif /* _CLIPPER_INPUT_H_INCLUDED_ */


/* One body through the scanner, whole and cut, and through jansson. */

#include "input_check.h"
#include "input_oracle.h"

#include <stdlib.h>
#include <string.h>


size_t  input_check_seen[5][5];


static int
input_check_same_text(const clipper_member_t *a, const clipper_member_t *b)
{
    return a->kind == b->kind && a->text.len == b->text.len
           && (a->text.len == 0
               || memcmp(a->text.data, b->text.data, a->text.len) == 0);
}


static int
input_check_same(const clipper_input_t *a, const clipper_input_t *b)
{
    size_t  i, len;

    if (a->error.code != b->error.code || a->error.what != b->error.what
        || a->error.offset != b->error.offset
        || a->error.kind != b->error.kind
        || a->error.input != b->error.input
        || a->error.element != b->error.element
        || a->error.reason != b->error.reason || a->nitems != b->nitems
        || a->batch != b->batch || a->has_input != b->has_input
        || !input_check_same_text(&a->version, &b->version)
        || !input_check_same_text(&a->uid, &b->uid)
        || !input_check_same_text(&a->label, &b->label)
        || !input_check_same_text(&a->query_id, &b->query_id))
    {
        return 0;
    }

    for (i = 0, len = 0; i < a->nitems; i++) {
        if (a->items[i].offset != b->items[i].offset
            || a->items[i].len != b->items[i].len)
        {
            return 0;
        }

        len += a->items[i].len;
    }

    return len == 0 || memcmp(a->data, b->data, len) == 0;
}


/* scans the body in pieces, each in its own memory; cuts is a rising list */

static void
input_check_scan(clipper_input_t *in, const oracle_t *o, const u_char *body,
    size_t len, const size_t *cuts, size_t ncuts)
{
    size_t             i, from, to;
    clipper_segment_t  segments[INPUT_CHECK_CUTS + 1];

    for (i = 0, from = 0; i <= ncuts; i++, from = to) {
        to = (i < ncuts) ? cuts[i] : len;

        segments[i].pos = malloc(to - from ? to - from : 1);
        segments[i].last = segments[i].pos + (to - from);
        memcpy(segments[i].pos, body + from, to - from);
    }

    clipper_input_scan(in, o->conf, o->mode, segments, ncuts + 1);

    for (i = 0; i <= ncuts; i++) {
        free(segments[i].pos);
    }
}


/* the error is at the first byte that no valid document could have there */

static const char *
input_check_offset(const oracle_t *o, const u_char *body, size_t len,
    size_t offset)
{
    const char      *failure;
    clipper_input_t  in;

    failure = NULL;
    clipper_input_init(&in, 0);

    if (offset > len) {
        failure = "an error behind the end";
    }

    if (failure == NULL && offset < len) {
        input_check_scan(&in, o, body, offset + 1, NULL, 0);

        if (in.error.code != CLIPPER_INPUT_SYNTAX
            || in.error.offset != offset)
        {
            failure = "the byte at the error's offset is not to blame";
        }
    }

    if (failure == NULL) {
        input_check_scan(&in, o, body, offset, NULL, 0);

        if (in.error.code == CLIPPER_INPUT_SYNTAX
            && in.error.offset != offset
            && strncmp(in.error.reason, "Number too big", 14) != 0)
        {
            failure = "the error is before its offset";
        }
    }

    clipper_input_done(&in);

    return failure;
}


/*
 * Whether jansson can be compared: it has no names with NUL and a smaller
 * depth; and it stops at a NUL byte, while JSON has none at all.
 */

static int
input_check_parse(const u_char *body, size_t len, json_t **a, json_t **b,
    int *twice)
{
    json_t        *v;
    json_error_t   error;

    *a = NULL;
    *b = NULL;

    if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0) {
        body += 3;
        len -= 3;
    }

    if (memchr(body, '\0', len)) {
        return 1;
    }

    *a = json_loadb((const char *) body, len, ORACLE_FLAGS, NULL);
    *b = json_loadb((const char *) body, len,
                    ORACLE_FLAGS|JSON_DECODE_INT_AS_REAL, &error);

    if (*b == NULL) {
        return json_error_code(&error) != json_error_null_byte_in_key
               && json_error_code(&error) != json_error_stack_overflow;
    }

    v = json_loadb((const char *) body, len, ORACLE_FLAGS
                   |JSON_DECODE_INT_AS_REAL|JSON_REJECT_DUPLICATES, NULL);

    *twice = (v == NULL);
    json_decref(v);

    return 1;
}


const char *
input_check(const clipper_input_conf_t *conf, ngx_uint_t mode,
    const u_char *body, size_t len, const size_t *cuts, size_t ncuts)
{
    int              twice, known;
    json_t          *a, *b;
    oracle_t         o;
    const char      *failure;
    clipper_input_t  in, cut;

    memset(&o, 0, sizeof(o));
    o.conf = conf;
    o.mode = mode;

    clipper_input_init(&in, 0);
    clipper_input_init(&cut, 0);

    input_check_scan(&in, &o, body, len, NULL, 0);
    input_check_scan(&cut, &o, body, len, cuts, ncuts);

    twice = 0;
    failure = NULL;
    known = input_check_parse(body, len, &a, &b, &twice);

    if (conf->nulls && memmem(body, len, "NaN", 3)) {
        known = 0;                              /* jansson has none */
    }

    if (in.error.code == CLIPPER_INPUT_NOMEM) {
        failure = "no memory";

    } else if (in.error.code == CLIPPER_INPUT_LIMIT
               && in.error.what == CLIPPER_INPUT_DEPTH)
    {
        known = 0;

    } else if (known
               && (b == NULL)
                  != (in.error.code == CLIPPER_INPUT_SYNTAX))
    {
        failure = b ? "refused what is JSON" : "took what is not JSON";
    }

    if (failure == NULL && known && !twice) {
        input_check_seen[in.error.code][in.error.what]++;

        if (b) {
            failure = input_oracle_compare(&o, a, b, &in);
        }
    }

    if (failure == NULL && !input_check_same(&in, &cut)) {
        failure = "another result for the same body in pieces";
    }

    if (failure == NULL && in.error.code == CLIPPER_INPUT_SYNTAX
        && strncmp(in.error.reason, "Number too big", 14) != 0)
    {
        failure = input_check_offset(&o, body, len, in.error.offset);
    }

    json_decref(a);
    json_decref(b);

    clipper_input_done(&in);
    clipper_input_done(&cut);

    return failure;
}

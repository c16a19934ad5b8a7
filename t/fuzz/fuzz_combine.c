
/*
 * Votes and means over arbitrary outputs.  The first byte chooses the method,
 * each line is the output of a member, and an empty line is a member without
 * an answer.  Checked: the combination is JSON of no more than the announced
 * size, the confidence is in range, equality is symmetric, equal values are
 * equal for jansson, and a value is equal to itself as jansson writes it.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "learn/clipper_combine.h"
#include "json/clipper_json.h"


#define MEMBERS  8
#define DECODE   (JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL)
#define ENCODE   (JSON_ENCODE_ANY|JSON_COMPACT|JSON_ENSURE_ASCII               \
                  |JSON_REAL_PRECISION(17))


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}


/* NULL: not JSON, or not representable in jansson */

static json_t *
tree_of(const clipper_value_t *value)
{
    if (value->raw) {
        return NULL;
    }

    return json_loadb((const char *) value->text.data, value->text.len, DECODE,
                      NULL);
}


static void
check_equal(const clipper_value_t *a, const clipper_value_t *b)
{
    json_t      *one, *two;
    ngx_uint_t   equal;

    equal = clipper_value_equal(a, b, 0);

    check(equal == clipper_value_equal(b, a, 0), "not mutual");
    check(!equal || clipper_value_equal(a, b, 1),
          "equal values of different shapes");

    if (!equal) {
        return;
    }

    one = tree_of(a);
    two = tree_of(b);
    check(!one || !two || json_equal(one, two), "equal, but not for jansson");
    json_decref(one);
    json_decref(two);
}


/* arrays and scalars only: jansson does not keep an object's duplicates */

static void
check_rewritten(const clipper_value_t *value)
{
    char            *text;
    json_t          *tree;
    clipper_value_t  again;

    if (memchr(value->text.data, '{', value->text.len)) {
        return;
    }

    tree = tree_of(value);

    if (tree == NULL) {
        return;
    }

    text = json_dumps(tree, ENCODE);
    json_decref(tree);

    if (text == NULL) {
        return;
    }

    clipper_value_init(&again, (u_char *) text, strlen(text));

    /* integers beyond 2^53 change when read as reals, but keep the shape */

    check(clipper_value_equal(value, &again, 1), "shape rewritten");
    check(value->text.len > 15
          || clipper_value_equal(value, &again, 0),
          "value rewritten");

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                    most;
    u_char                   *dst, *end, *last, *p;
    ngx_str_t                 json;
    ngx_uint_t                i, j, n;
    clipper_loss_t            loss;
    clipper_combine_result_t  result;
    clipper_policy_combine_e  mode;
    clipper_combine_member_t  members[MEMBERS];

    if (size == 0) {
        return 0;
    }

    mode = (data[0] & 1) ? CLIPPER_POLICY_MEAN
                         : CLIPPER_POLICY_VOTE;
    loss.type = (data[0] >> 1) % 3;
    loss.low = -1;
    loss.high = 10;

    memset(members, 0, sizeof(members));

    p = (u_char *) data + 1;
    last = (u_char *) data + size;

    for (n = 0; n < MEMBERS && p < last; n++) {
        end = memchr(p, '\n', last - p);
        end = end ? end : last;

        members[n].weight = (data[0] >> 3) * (n + 1) % 7;

        if (end > p) {
            members[n].answered = 1;
            clipper_value_init(&members[n].value, p, end - p);
            check_rewritten(&members[n].value);
        }

        p = end + 1;
    }

    for (i = 0; i < n; i++) {
        for (j = 0; j < i; j++) {
            if (members[i].answered && members[j].answered) {
                check_equal(&members[i].value, &members[j].value);
            }
        }
    }

    most = clipper_combine_size(mode, members, n);
    dst = malloc(most + 1);

    if (clipper_combine(mode, &loss, members, n, dst, &result)
        == NGX_OK)
    {
        check(result.output.data != dst || result.output.len <= most, "size");
        check(result.confidence >= 0 && result.confidence <= 1, "confidence");
        check(members[result.first].value.raw
              || clipper_json_value(result.output.data, result.output.len,
                                    CLIPPER_LEX_MAX_DEPTH, &json)
                 == NGX_OK, "no JSON");
    }

    free(dst);

    return 0;
}

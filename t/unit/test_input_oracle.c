
/*
 * Catches: any difference between the input scanner and jansson, on documents
 * made at random, on the same documents damaged at random, and on every way to
 * cut small ones; an error that is not at the first wrong byte; a shortcut
 * for arrays that differs from the C library.  Fixed seeds.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <math.h>
#include <cmocka.h>

#include "input_check.h"
#include "input_documents.h"


#define DOCUMENTS  6000
#define MUTANTS    8


static void
check(const clipper_input_conf_t *conf, ngx_uint_t mode, const size_t *cuts,
    size_t ncuts)
{
    const char  *failure;

    failure = input_check(conf, mode, (u_char *) doc_text, doc_len, cuts,
                          ncuts);

    if (failure) {
        fail_msg("%s: type %d, mode %d, strict %d, %zu bytes: %.*s", failure,
                 (int) conf->type, (int) mode, conf->strict, doc_len,
                 (int) ngx_min(doc_len, 2000), doc_text);
    }
}


static size_t
random_cuts(size_t *cuts)
{
    size_t  i, k, n, at;

    n = doc_rnd() % 6;

    for (i = 0; i < n; i++) {
        at = doc_rnd() % (doc_len + 1);

        for (k = i; k > 0 && cuts[k - 1] > at; k--) {
            cuts[k] = cuts[k - 1];
        }

        cuts[k] = at;
    }

    return n;
}


static void
test_random_documents(void **state)
{
    size_t                i, k, n, cuts[INPUT_CHECK_CUTS];
    ngx_uint_t            mode;
    clipper_input_conf_t  conf;

    doc_seed = 88172645463325252u;

    for (i = 0; i < DOCUMENTS; i++) {
        doc_conf(&conf);
        mode = (doc_rnd() % 4 == 0);
        doc_make(&conf, mode);

        n = random_cuts(cuts);
        check(&conf, mode, cuts, n);

        for (k = 0; k < MUTANTS; k++) {
            doc_mutate();

            n = random_cuts(cuts);
            check(&conf, mode, cuts, n);

            if (k % 3 == 2) {
                doc_make(&conf, mode);
            }
        }
    }

    /* the documents were of all kinds */

    assert_in_range(input_check_seen[CLIPPER_INPUT_OK][0], 1000, SIZE_MAX);
    assert_in_range(input_check_seen[CLIPPER_INPUT_SYNTAX][0], 1000, SIZE_MAX);

    for (i = CLIPPER_INPUT_ROOT; i <= CLIPPER_INPUT_BASE64; i++) {
        assert_in_range(input_check_seen[CLIPPER_INPUT_SCHEMA][i], 10,
                        SIZE_MAX);
    }

    assert_in_range(input_check_seen[CLIPPER_INPUT_LIMIT]
                                    [CLIPPER_INPUT_BATCH], 10, SIZE_MAX);
    assert_in_range(input_check_seen[CLIPPER_INPUT_LIMIT]
                                    [CLIPPER_INPUT_ELEMENTS], 10, SIZE_MAX);
}


/* small documents, valid and not, cut at every place, and at every two */

static void
test_every_cut(void **state)
{
    size_t                i, a, b, cuts[2];
    clipper_input_conf_t  conf;

    static const struct {
        ngx_uint_t   type;
        const char  *text;
    } cases[] = {
        { 3, "{\"input\": [-1.5, 0.125e-3, 12345678901234567890.5, 7]}" },
        { 3, "{\"input_batch\":[[1.0],[],[-0]],"
             "\"version\":\"a\\ud83d\\ude00\"}" },
        { 3, " {\"input\":[1.0 , true]} " },
        { 3, "{\"x\":{\"y\":[null,false,{}]},\"\\u0069nput\":[1e5]}" },
        { 3, "{\"input\":[1.5,2.5,-]}" }, { 3, "{\"input\":[1e400]}" },
        { 3, "{\"input\":[1.5]} x" }, { 3, "{\"input\":[nul]}" },
        { 2, "{\"input\":[3.4028235e38,3.4028236e38]}" },
        { 1, "{\"input\":[2147483647, -2147483648, 0]}" },
        { 4, "{\"input\":\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
             "\\u00e9\\n\"}" },
        { 4, "{\"input\":\"\\ud83d\\udx\"}" },
        { 4, "{\"input\":\"\xe2\x82\"}" },
        { 4, "{\"input\":\"\\udc00\\udc00\"}" },
        { 4, "{\"input\":\"\\ud83d\\udbff\"}" },
        { 4, "{\"input\":\"\\udfff\"}" }, { 4, "{\"input\":\"\\ud83dx\"}" },
        { 0, "{\"input_batch\":[\"QUJD\\u0052A==\",\"QQ\"],\"uid\":12}" },
        { 0, "{\"input\":\"QU=JD\",\"uid\":\"a\\\"b\"}" }
    };

    memset(&conf, 0, sizeof(conf));
    conf.max_batch = 1000;
    conf.max_elements = 1000;
    conf.max_depth = 64;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conf.type = cases[i].type;
        doc_len = strlen(cases[i].text);
        memcpy(doc_text, cases[i].text, doc_len);

        for (a = 0; a <= doc_len; a++) {
            for (b = a; b <= doc_len; b++) {
                cuts[0] = a;
                cuts[1] = b;
                check(&conf, 0, cuts, 2);
            }
        }
    }
}


/* long arrays in one piece, so in the shortcut: every value by strtod() */

static void
test_arrays(void **state)
{
    char                 *end;
    float                 f;
    double                d;
    size_t                i, k, n, at;
    const u_char         *got;
    clipper_input_t       in;
    clipper_segment_t     segment;
    clipper_input_conf_t  conf;
    static size_t         starts[2000];

    doc_seed = 362436069362436069u;

    memset(&conf, 0, sizeof(conf));
    conf.max_elements = 1000000;
    conf.max_depth = 8;

    clipper_input_init(&in, 0);

    for (i = 0; i < 400; i++) {
        conf.type = i % 2 ? CLIPPER_DOUBLES : CLIPPER_FLOATS;

        doc_len = sprintf(doc_text, "{\"input\":[");
        n = 1 + doc_rnd() % 1500;

        for (k = 0; k < n; k++) {
            at = doc_len;

            do {
                doc_len = at;
                doc_number();
                doc_text[doc_len] = '\0';
                d = strtod(doc_text + at, NULL);
            } while (conf.type == CLIPPER_FLOATS && fabs(d) > FLT_MAX);

            starts[k] = at;
            doc_put(k + 1 == n ? "]}" : i % 3 == 0 ? "," : i % 3 == 1
                                                   ? ", " : ",\n    ");
        }

        segment.pos = (u_char *) doc_text;
        segment.last = segment.pos + doc_len;

        if (clipper_input_scan(&in, &conf, 0, &segment, 1) != NGX_OK) {
            fail_msg("%s at %zu", in.error.reason, in.error.offset);
        }

        assert_int_equal(in.nitems, 1);
        assert_int_equal(in.items[0].len,
                         n * clipper_input_type_size(conf.type));

        for (k = 0; k < n; k++) {
            got = in.data + k * clipper_input_type_size(conf.type);
            d = strtod(doc_text + starts[k], &end);
            f = strtof(doc_text + starts[k], &end);

            if (conf.type == CLIPPER_DOUBLES
                ? memcmp(got, &d, sizeof(double))
                : memcmp(got, &f, sizeof(float)))
            {
                fail_msg("%.*s", (int) (end - doc_text - starts[k]),
                         doc_text + starts[k]);
            }
        }
    }

    clipper_input_done(&in);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_random_documents),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_arrays)
    };

    return cmocka_run_group_tests_name("input against jansson", tests, NULL,
                                       NULL);
}

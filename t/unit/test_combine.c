
/*
 * Catches: equal values that look different (or the other way round), losses
 * out of their range, votes that count members instead of weights or in
 * integers, means that lose a fraction, overflow or mix different things,
 * members without an answer that count as agreeing, output that is not JSON.
 */


#include "value_fixture.h"
#include "learn/clipper_combine.h"
#include "json/clipper_json.h"
#include "learn/clipper_policy_table.h"


#define MEMBERS  8
#define VOTE     CLIPPER_POLICY_VOTE
#define MEAN     CLIPPER_POLICY_MEAN


static const clipper_loss_t  zero_one = {
    CLIPPER_LOSS_ZERO_ONE, 0, 1
};

static clipper_combine_result_t  result;
static char                      output[4096];


static ngx_uint_t
equal(const char *one, const char *two, ngx_uint_t shape)
{
    ngx_uint_t       there;
    clipper_value_t  a, b;

    a = value_of(one);
    b = value_of(two);
    there = clipper_value_equal(&a, &b, shape);

    assert_int_equal(there, clipper_value_equal(&b, &a, shape));
    assert_true(clipper_value_equal(&a, &a, shape));

    /* and nothing here collides */
    assert_int_equal(there, clipper_value_hash(&a, shape)
                            == clipper_value_hash(&b, shape));

    return there;
}


static void
test_equal_values(void **state)
{
    ngx_uint_t  i;

    static const char  *same[][2] = {
        { "1", "1.0" }, { "1", "1e0" }, { "1.0", "10e-1" }, { " 1\n", "1" },
        { "0", "-0" }, { "0", "-0.0" }, { "0", "0e99" }, { "1e-400", "0" },
        { "0.1", "1e-1" }, { "0.1", "0.1000000000000000055" },
        { "100", "1E+2" }, { "9007199254740993", "9007199254740993" },
        { "18446744073709551615", "18446744073709551615" },
        { "18446744073709551616", "1.8446744073709551616e19" },
        { "-9223372036854775808", "-9.223372036854775808e18" },
        { "true", " true " }, { "null", "null" },
        { "\"cat\"", "cat" }, { "\"cat\"", "\"\\u0063at\"" },
        { "\"\\u00e9\"", "\"\xc3\xa9\"" }, { "\"\\u20ac\"", "\xe2\x82\xac" },
        { "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
        { "\"a\\/b\\n\\t\\\"\\\\\"", "a/b\n\t\"\\" },
        { "\"\\b\\f\\r\"", "\b\f\r" }, { "\"\"", "" },
        { "[1, 2]", "[1.0,2e0]" }, { "[ ]", "[]" }, { "[[1],[]]", "[[1],[ ]]" },
        { "{\"a\": 1}", "{\"\\u0061\":1.0}" }, { "{}", "{ }" },
        { "01", "01" }, { "nan", "nan" }, { "\"1.\"", "1." },
        { "\"1e400\"", "1e400" }, { "\"[1 2]\"", "[1 2]" }
    };

    static const char  *different[][2] = {
        { "1", "2" }, { "1", "-1" }, { "1", "\"1\"" }, { "1", "true" },
        { "0", "false" }, { "0", "null" }, { "true", "false" },
        { "null", "false" }, { "true", "\"true\"" }, { "null", "" },
        { "0", "" }, { "True", "true" }, { "cat", "Cat" },
        { "\"cat\"", "\"cats\"" }, { "cat ", "cat" },
        { "9007199254740993", "9007199254740992" },
        { "9007199254740993", "9007199254740992.0" },
        { "18446744073709551615", "18446744073709551614" },
        { "18446744073709551615", "1.8446744073709551615e19" },
        { "0.1", "0.10000000000000002" }, { "1", "1.0000000000000002" },
        { "[1]", "1" }, { "[1]", "[[1]]" }, { "[1,2]", "[2,1]" },
        { "[1,2]", "[1]" }, { "[]", "{}" }, { "[]", "[[]]" },
        { "[\"a\",1]", "{\"a\":1}" }, { "[[1],2]", "[[1,2]]" },
        { "01", "1" }, { "nan", "null" }, { "\"a\\nb\"", "a\\nb" }
    };

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (!equal(same[i][0], same[i][1], 0)) {
            fail_msg("%s is not %s", same[i][0], same[i][1]);
        }
    }

    for (i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        if (equal(different[i][0], different[i][1], 0)) {
            fail_msg("%s is %s", different[i][0], different[i][1]);
        }
    }
}


static void
test_equal_shapes(void **state)
{
    assert_true(equal("1", "2.5", 1));
    assert_true(equal("[1, 2]", "[3,4e5]", 1));
    assert_true(equal("[[1],[2,3]]", "[[0],[0,0]]", 1));
    assert_true(equal("{\"p\":1,\"c\":\"x\"}", "{\"p\":2,\"c\":\"x\"}", 1));
    assert_true(equal("cat", "\"cat\"", 1));

    assert_false(equal("[1,2]", "[1,2,3]", 1));
    assert_false(equal("[[1,2],3]", "[[1],2,3]", 1));
    assert_false(equal("1", "[1]", 1));
    assert_false(equal("1", "\"1\"", 1));
    assert_false(equal("1", "null", 1));
    assert_false(equal("cat", "dog", 1));
    assert_false(equal("{\"p\":1}", "{\"q\":1}", 1));
}


/* answers: NULL is a missing answer; weights */

static ngx_int_t
combine_with(const clipper_loss_t *l, clipper_policy_combine_e mode,
    const char **answers, const double *weights, ngx_uint_t n)
{
    size_t                    size;
    u_char                   *dst;
    ngx_int_t                 rc;
    ngx_str_t                 json;
    ngx_uint_t                i;
    clipper_combine_member_t  members[MEMBERS];

    memset(members, 0, sizeof(members));

    for (i = 0; i < n; i++) {
        members[i].weight = weights[i];

        if (answers[i]) {
            members[i].answered = 1;
            members[i].value = value_of(answers[i]);
        }
    }

    /* of exactly that size: a sanitizer sees one byte too many */

    size = clipper_combine_size(mode, members, n);
    assert_true(mode == MEAN || size == 0);
    dst = malloc(size ? size : 1);

    rc = clipper_combine(mode, l, members, n, dst, &result);

    if (rc == NGX_OK) {
        assert_true(result.output.len < sizeof(output));
        memcpy(output, result.output.data, result.output.len);
        output[result.output.len] = '\0';

        assert_true(result.confidence >= 0 && result.confidence <= 1);
        assert_true(result.group >> result.first & 1);
        assert_true(members[result.first].value.raw
                    || clipper_json_value(result.output.data,
                                          result.output.len,
                                          CLIPPER_LEX_MAX_DEPTH, &json)
                       == NGX_OK);
    }

    free(dst);

    return rc;
}


static ngx_int_t
combine(clipper_policy_combine_e mode, const char **answers,
    const double *weights, ngx_uint_t n)
{
    return combine_with(&zero_one, mode, answers, weights, n);
}


#define A(...)  (const char *[]) { __VA_ARGS__ }
#define W(...)  (const double[]) { __VA_ARGS__ }


/* weights are doubles; integers would see 0, 0, 0 or three equal members */

static void
test_vote_by_weight(void **state)
{
    assert_int_equal(combine(VOTE, A("3", "7", "3.0"), W(0.3, 0.45, 0.25), 3),
                     NGX_OK);
    assert_string_equal(output, "3");
    assert_int_equal(result.first, 0);
    assert_int_equal(result.group, 5);
    assert_close(result.confidence, 0.55, 1e-12);

    combine(VOTE, A("3", "7", "3.0"), W(0.3, 0.6, 0.1), 3);
    assert_string_equal(output, "7");
    assert_close(result.confidence, 0.6, 1e-12);

    combine(VOTE, A("cat", "\"dog\"", " \"cat\" "), W(1, 1, 1), 3);
    assert_string_equal(output, "cat");
    assert_close(result.confidence, 2.0 / 3, 1e-12);

    combine(VOTE, A("[1,0]", "[0,1]", "[0, 1.0]"), W(1, 1, 1), 3);
    assert_string_equal(output, "[0,1]");

    combine(VOTE, A("true", "1", "\"true\""), W(1, 2, 1), 3);
    assert_string_equal(output, "1");
    assert_close(result.confidence, 0.5, 1e-12);
}


/* 0.1 + 0.2 is not 0.3, but the first of equals must win */

static void
test_equal_weights_go_to_the_first(void **state)
{
    combine(VOTE, A("a", "b", "b"), W(0.3, 0.1, 0.2), 3);
    assert_string_equal(output, "a");

    combine(VOTE, A("b", "a", "b"), W(0.1, 0.3, 0.2), 3);
    assert_string_equal(output, "b");

    combine(VOTE, A("x", "y", "z"), W(1, 1, 1), 3);
    assert_string_equal(output, "x");

    /* all weight is with late members */

    combine(VOTE, A("x", "y", NULL), W(0, 0, 1), 3);
    assert_string_equal(output, "x");
    assert_close(result.confidence, 0, 0);
}


static void
test_late_members_do_not_agree(void **state)
{
    assert_int_equal(combine(VOTE, A(NULL, "1", "1"), W(0.5, 0.2, 0.3), 3),
                     NGX_OK);
    assert_string_equal(output, "1");
    assert_int_equal(result.first, 1);
    assert_int_equal(result.group, 6);
    assert_close(result.confidence, 0.5, 1e-12);

    combine(MEAN, A("2", NULL, "4"), W(1, 2, 1), 3);
    assert_string_equal(output, "3.0");
    assert_close(result.confidence, 0.5, 1e-12);

    assert_int_equal(combine(VOTE, A(NULL, NULL), W(1, 1), 2), NGX_DECLINED);
    assert_int_equal(combine(MEAN, A(NULL, NULL), W(1, 1), 2), NGX_DECLINED);
    assert_int_equal(combine(VOTE, NULL, NULL, 0), NGX_DECLINED);
}


static void
test_mean_of_numbers(void **state)
{
    combine(MEAN, A("1", "2"), W(1, 1), 2);
    assert_string_equal(output, "1.5");
    assert_close(result.confidence, 1, 0);

    combine(MEAN, A("1", "2", "6"), W(0.5, 0.25, 0.25), 3);
    assert_string_equal(output, "2.5");

    combine(MEAN, A("0.1", "0.1", "0.1"), W(0.3, 0.45, 0.25), 3);
    assert_string_equal(output, "0.1");

    combine(MEAN, A("7", "7.0"), W(1, 1), 2);
    assert_string_equal(output, "7.0");

    combine(MEAN, A("1.7976931348623157e308", "-1.7976931348623157e308",
                    "1.7976931348623157e308"), W(1, 1, 1), 3);
    assert_close(strtod(output, NULL) / 1.7976931348623157e308, 1.0 / 3, 1e-9);

    combine(MEAN, A("1.7976931348623157e308", "1.7976931348623157e308"),
            W(1, 1), 2);
    assert_string_equal(output, "1.7976931348623157e+308");

    combine(MEAN, A("3", "5"), W(0, 0), 2);
    assert_string_equal(output, "4.0");

    /* a single answer is a mean too */

    combine(MEAN, A("2.5", NULL), W(1, 1), 2);
    assert_string_equal(output, "2.5");
}


static void
test_mean_element_by_element(void **state)
{
    combine(MEAN, A("[1, 2,3]", "[3,4 , 5]"), W(1, 1), 2);
    assert_string_equal(output, "[2.0, 3.0,4.0]");

    combine(MEAN, A("[[1],[2,3]]", "[[2],[4,6]]"), W(3, 1), 2);
    assert_string_equal(output, "[[1.25],[2.5,3.75]]");

    combine(MEAN, A("{\"p\": 0.2, \"c\": \"a\"}", "{\"p\":0.4,\"c\":\"a\"}"),
            W(1, 1), 2);
    assert_string_equal(output, "{\"p\": 0.30000000000000004, \"c\": \"a\"}");

    combine(MEAN, A("[]", "[ ]"), W(1, 1), 2);
    assert_string_equal(output, "[]");

    /* worst case of the size: short digits become long ones */

    combine(MEAN, A("[1,2,1,2,1]", "[2,1,2,1,2]"), W(1, 2), 2);
    assert_close(strtod(output + 1, NULL), 5.0 / 3, 1e-15);
}


/* different things are not mixed: the shape with the most weight */

static void
test_mean_of_different_shapes(void **state)
{
    combine(MEAN, A("[1,2]", "3", "5", "[1,2,3]"), W(3, 2, 2, 1), 4);
    assert_string_equal(output, "4.0");
    assert_int_equal(result.group, 6);
    assert_int_equal(result.first, 1);
    assert_close(result.confidence, 0.5, 1e-12);

    combine(MEAN, A("nan", "2", "4"), W(1, 1, 1), 3);
    assert_string_equal(output, "3.0");

    combine(MEAN, A("nan", "nan", "4"), W(1, 1, 1), 3);
    assert_string_equal(output, "nan");

    combine(MEAN, A("\"a\"", "b", "a"), W(1, 1, 1), 3);
    assert_string_equal(output, "\"a\"");
    assert_close(result.confidence, 2.0 / 3, 1e-12);

    combine(MEAN, A("true", "true", "false"), W(1, 1, 1), 3);
    assert_string_equal(output, "true");
}


/* the agreement with a mean follows from the members' losses */

static void
test_confidence_of_a_mean(void **state)
{
    clipper_loss_t  absolute, squared;

    absolute.type = CLIPPER_LOSS_ABSOLUTE;
    absolute.low = 0;
    absolute.high = 10;
    squared = absolute;
    squared.type = CLIPPER_LOSS_SQUARED;

    combine_with(&absolute, MEAN, A("2", "4"), W(1, 1), 2);
    assert_string_equal(output, "3.0");
    assert_close(result.confidence, 0.9, 1e-12);

    combine_with(&squared, MEAN, A("2", "4"), W(1, 1), 2);
    assert_close(result.confidence, 0.99, 1e-12);

    combine_with(&absolute, MEAN, A("2", "4", NULL), W(1, 1, 2), 3);
    assert_close(result.confidence, 0.45, 1e-12);

    combine_with(&absolute, MEAN, A("[2,5]", "[4,5]"), W(1, 1), 2);
    assert_close(result.confidence, 0.95, 1e-12);

    combine_with(&absolute, MEAN, A("a", "a", "b"), W(1, 1, 2), 3);
    assert_close(result.confidence, 0.5, 1e-12);

    combine_with(&absolute, MEAN, A("-1000", "1000"), W(1, 1), 2);
    assert_close(result.confidence, 0, 1e-12);
}


/* exp4 votes on labels and takes the mean of numbers */

static void
test_mode_follows_the_loss(void **state)
{
    clipper_loss_t  l;

    l = zero_one;
    assert_int_equal(clipper_combine_mode(
                         &clipper_policy_exp4, &l), VOTE);
    assert_int_equal(clipper_combine_mode(
                         &clipper_policy_mean, &l), MEAN);
    l.type = CLIPPER_LOSS_SQUARED;
    assert_int_equal(clipper_combine_mode(
                         &clipper_policy_exp4, &l), MEAN);
    assert_int_equal(clipper_combine_mode(
                         &clipper_policy_majority, &l), VOTE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_equal_values),
        cmocka_unit_test(test_equal_shapes),
        cmocka_unit_test(test_vote_by_weight),
        cmocka_unit_test(test_equal_weights_go_to_the_first),
        cmocka_unit_test(test_late_members_do_not_agree),
        cmocka_unit_test(test_mean_of_numbers),
        cmocka_unit_test(test_mean_element_by_element),
        cmocka_unit_test(test_mean_of_different_shapes),
        cmocka_unit_test(test_confidence_of_a_mean),
        cmocka_unit_test(test_mode_follows_the_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

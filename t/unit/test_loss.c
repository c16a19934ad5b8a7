
/*
 * Catches: losses out of their range, a text of a number that is not that
 * number, labels that look comparable and never can be equal, settings that
 * are no losses or no ranges.
 */


#include "value_fixture.h"
#include "learn/clipper_loss.h"


static double
loss(const char *name, const char *range, const char *out, const char *label)
{
    ngx_str_t        text;
    clipper_loss_t   l;
    clipper_value_t  x, y;

    text.data = (u_char *) name;
    text.len = strlen(name);
    assert_int_equal(clipper_loss_set(&l, &text), NGX_OK);

    if (range) {
        text.data = (u_char *) range;
        text.len = strlen(range);
        assert_int_equal(clipper_loss_range(&l, &text), NGX_OK);
    }

    x = value_of(out);
    y = value_of(label);

    return clipper_loss_value(&l, &x, &y);
}


static void
test_losses(void **state)
{
    assert_close(loss("zero_one", NULL, "1", "1.0"), 0, 0);
    assert_close(loss("zero_one", NULL, "1", "1.1"), 1, 0);
    assert_close(loss("zero_one", NULL, "cat", "\"cat\""), 0, 0);
    assert_close(loss("zero_one", NULL, "true", "1"), 1, 0);

    assert_close(loss("absolute", NULL, "0.75", "0.5"), 0.25, 1e-15);
    assert_close(loss("absolute", "0:100", "75", "5e1"), 0.25, 1e-15);
    assert_close(loss("absolute", "-10:10", "-10", "10"), 1, 0);
    assert_close(loss("absolute", "0:1", "7", "0"), 1, 0);
    assert_close(loss("absolute", "0:1", "1e308", "-1e308"), 1, 0);
    assert_close(loss("squared", "0:10", "5", "0"), 0.25, 1e-15);
    assert_close(loss("squared", "0:10", "50", "0"), 1, 0);

    /* not numbers: equal or not */

    assert_close(loss("absolute", NULL, "cat", "0.5"), 1, 0);
    assert_close(loss("squared", NULL, "\"0.5x\"", "0.5"), 1, 0);
    assert_close(loss("squared", NULL, "cat", "\"cat\""), 0, 0);
    assert_close(loss("absolute", NULL, "[0.5]", "0.5"), 1, 0);
    assert_close(loss("absolute", NULL, "", "0"), 1, 0);
}


static ngx_uint_t
comparable(const char *out, const char *label)
{
    clipper_value_t  x, y;

    x = value_of(out);
    y = value_of(label);

    assert_int_equal(clipper_loss_comparable(&x, &y),
                     clipper_loss_comparable(&y, &x));

    return clipper_loss_comparable(&x, &y);
}


static void
test_texts_of_values(void **state)
{
    char        text[600], escaped[600];
    ngx_uint_t  i;

    static const char  *same[][2] = {
        { "7", "\"7\"" }, { "\"7\"", "7" }, { "\"7\"", "\"7.0\"" },
        { "7.0", "\"7\"" }, { "\" 7 \"", "7" }, { "\"\\u0037\"", "7" },
        { "true", "\"true\"" }, { "null", "\"null\"" },
        { "[1,2]", "\"[1, 2.0]\"" }, { "{\"a\":1}", "\"{\\\"a\\\": 1}\"" },
        { "9007199254740993", "\"9007199254740993\"" },
        { "\"\\u00e9\"", "\xc3\xa9" }, { "cat", "\"cat\"" },
        { "", "\"\"" }, { "07", "\"07\"" }, { "NaN", "\"NaN\"" }
    };

    static const char  *different[][2] = {
        { "7", "\"8\"" }, { "7", "\"07\"" }, { "7", "\"7a\"" },
        { "7", "\"\"" }, { "1", "\"true\"" }, { "true", "\"1\"" },
        { "9007199254740993", "\"9007199254740992\"" },
        { "[1]", "\"1\"" }, { "cat", "\"cats\"" }
    };

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_close(loss("zero_one", NULL, same[i][0], same[i][1]), 0, 0);
        assert_close(loss("squared", NULL, same[i][0], same[i][1]), 0, 0);
        assert_true(comparable(same[i][0], same[i][1]));
    }

    for (i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        assert_close(loss("zero_one", NULL, different[i][0],
                          different[i][1]), 1, 0);
    }

    assert_close(loss("absolute", "0:10", "2", "\"4.5\""), 0.25, 0);
    assert_close(loss("absolute", "0:10", "\"2\"", "\"4.5\""), 0.25, 0);

    /* a long text with an escape stays a text, and equals itself */

    memset(text, 'x', sizeof(text));
    text[0] = '"';
    text[1] = '\\';
    text[2] = 'n';
    text[sizeof(text) - 2] = '"';
    text[sizeof(text) - 1] = '\0';
    memcpy(escaped, text, sizeof(text));
    assert_close(loss("zero_one", NULL, text, escaped), 0, 0);
    assert_close(loss("zero_one", NULL, text, "1"), 1, 0);
}


static void
test_kinds(void **state)
{
    assert_true(comparable("1", "2"));
    assert_true(comparable("1", "\"2\""));
    assert_true(comparable("cat", "\"dog\""));
    assert_true(comparable("true", "null"));
    assert_true(comparable("[1]", "[]"));

    assert_false(comparable("1", "cat"));
    assert_false(comparable("1", "true"));
    assert_false(comparable("{\"p\":1}", "1"));
    assert_false(comparable("[1]", "{}"));
    assert_false(comparable("[1]", "cat"));
    assert_false(comparable("null", "cat"));
}


static void
test_loss_settings(void **state)
{
    ngx_str_t       text;
    ngx_uint_t      i;
    clipper_loss_t  l, before;

    static const char  *bad[] = { "", ":", "1", "0:", ":1", "1:0", "1:1",
                                  "a:b", "0:1:2", "0:nan", "0:inf", "[0]:1",
                                  "-1e308:1e308", "0:1e999", "\"0\":1" };

    text.data = (u_char *) "hinge";
    text.len = 5;
    assert_int_equal(clipper_loss_set(&l, &text), NGX_ERROR);

    text.data = (u_char *) "squared";
    text.len = 7;
    assert_int_equal(clipper_loss_set(&l, &text), NGX_OK);
    assert_int_equal(l.type, CLIPPER_LOSS_SQUARED);
    assert_close(l.high - l.low, 1, 0);

    before = l;

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text.data = (u_char *) bad[i];
        text.len = strlen(bad[i]);

        if (clipper_loss_range(&l, &text) != NGX_ERROR) {
            fail_msg("range %s", bad[i]);
        }
    }

    assert_memory_equal(&l, &before, sizeof(l));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_texts_of_values),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_loss_settings)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

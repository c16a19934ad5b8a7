
/*
 * Catches: an error of another kind, text or offset than in the REST contract,
 * errors in the wrong order, a limit that is off by one, memory that grows
 * instead of being reused.
 */

#include "input_fixture.h"


#define SCHEMA_TEXT                                                           \
    ". Expected JSON schema: \n  {\n"                                         \
    "   \"input\" := [double] | [int] | [string] | [byte] | [float],\n  }\n"

#define BASE64                                                                \
    "; accepted are A-Z a-z 0-9 with + / or - _, padding by = at the end,"    \
    " whole or none, white space (blank, tab, CR, LF), and the prefix of a"   \
    " data URL (data:...;base64,)"


/* the text between the prefix and the schema */

static void
assert_cause(const char *text)
{
    char     want[CLIPPER_INPUT_CAUSE];
    u_char   cause[CLIPPER_INPUT_CAUSE];
    u_char  *end;

    snprintf(want, sizeof(want), "Error parsing JSON: %s" SCHEMA_TEXT, text);

    end = clipper_input_error_cause(&in.error, in.mode, cause);

    assert_in_range(end - cause, 1, sizeof(cause));
    *end = '\0';
    assert_string_equal((char *) cause, want);
}


static void
assert_limit(const char *text)
{
    u_char   cause[CLIPPER_INPUT_CAUSE];
    u_char  *end;

    end = clipper_input_error_cause(&in.error, in.mode, cause);

    assert_in_range(end - cause, 1, sizeof(cause));
    *end = '\0';
    assert_string_equal((char *) cause, text);
}


static ngx_uint_t
update(const char *body)
{
    conf.type = DOUBLES;

    return scan_bytes(UPDATE, body, strlen(body));
}


static void
test_update(void **state)
{
    u_char   cause[CLIPPER_INPUT_CAUSE];
    u_char  *end;

    assert_int_equal(update("{\"uid\":0,\"input\":[1.0],\"label\":1.0}"), OK);
    assert_int_equal(in.nitems, 1);
    assert_text(&in.uid, CLIPPER_KIND_INTEGER, "0");
    assert_text(&in.label, CLIPPER_KIND_REAL, "1.0");

    /* labels are kept as written */

    assert_int_equal(update("{\"query_id\":123456789012345678,"
                            "\"label\":\"\\u0061\\n\"}"), OK);
    assert_text(&in.query_id, CLIPPER_KIND_INTEGER,
                "123456789012345678");
    assert_text(&in.label, CLIPPER_KIND_STRING, "\"\\u0061\\n\"");
    assert_int_equal(update("{\"query_id\":1,\"label\":false}"), OK);
    assert_text(&in.label, CLIPPER_KIND_FALSE, "false");
    assert_int_equal(update("{\"query_id\":1,\"label\":null}"), OK);

    /* an update has neither a batch nor a version */

    assert_int_equal(update("{\"input_batch\":[[1.0]],\"label\":1}"), SCHEMA);
    assert_int_equal(in.error.what, CLIPPER_INPUT_MISSING);
    assert_string_equal(in.error.expected, "query_id or input");
    assert_int_equal(update("{\"version\":5,\"query_id\":1,\"label\":1}"), OK);
    assert_int_equal(in.version.kind, CLIPPER_KIND_ABSENT);

    assert_int_equal(update("{\"query_id\":1}"), SCHEMA);
    assert_string_equal(in.error.expected, "label");
    assert_int_equal(update("{\"query_id\":1.0,\"label\":1}"), SCHEMA);
    assert_string_equal(in.error.key, "query_id");
    assert_int_equal(update("{\"query_id\":\"1\",\"label\":1}"), SCHEMA);
    assert_int_equal(update("{\"query_id\":1,\"label\":[1]}"), SCHEMA);
    assert_string_equal(in.error.key, "label");
    assert_int_equal(update("{\"query_id\":1,\"label\":1,\"uid\":1.5}"),
                     SCHEMA);
    assert_string_equal(in.error.key, "uid");

    /* members that only the caller requires */

    assert_int_equal(update("{\"input\":[1.0],\"label\":1}"), OK);
    clipper_input_error_require(&in.error, "uid");
    assert_int_equal(in.error.code, SCHEMA);

    end = clipper_input_error_cause(&in.error, in.mode, cause);
    *end = '\0';
    assert_string_equal((char *) cause,
        "Error parsing JSON: JSON object does not have required keys uid."
        " Expected JSON schema: \n"
        "  {\n"
        "   \"uid\" := string | int,\n"
        "   \"input\" := [double] | [int] | [string] | [byte] | [float],\n"
        "   \"query_id\" := int,\n"
        "   \"label\" := double | int | string | bool | null\n"
        "  }\n");
}


static void
test_causes(void **state)
{
    scan(DOUBLES, "");
    assert_cause("JSON parse error: The document is empty. (offset 0)\n");
    scan(DOUBLES, "{\"input\":[1.0]");
    assert_cause("JSON parse error: Missing a comma or '}' after an object"
                 " member. (offset 14)\n");
    scan(DOUBLES, "{}");
    assert_cause("JSON object does not have required keys input or"
                 " input_batch");
    scan(DOUBLES, "{\"input\":\"x\"}");
    assert_cause("Type mismatch! JSON key input expected type Array but found"
                 " type String (offset 9)");
    scan(STRINGS, "{\"input\":[]}");
    assert_cause("Type mismatch! JSON key input expected type String but found"
                 " type Array (offset 9); several inputs go under"
                 " input_batch");
    scan(STRINGS, "{\"input_batch\":{}}");
    assert_cause("Type mismatch! JSON key input_batch expected type Array but"
                 " found type Object (offset 15)");
    scan(STRINGS, "{\"input\":\"\",\"version\":1}");
    assert_cause("Type mismatch! JSON key version expected type String but"
                 " found type Number (offset 22)");
    scan(INTS, "{\"input\":[1.5]}");
    assert_cause("Array input of type Number is not of type int at input[0]"
                 " (offset 10)");
    scan(FLOATS, "{\"input\":[1.5,null]}");
    assert_cause("Array input of type Null is not of type float at input[1]"
                 " (offset 14); clipper_input with nulls=nan takes it as NaN");
    scan(DOUBLES, "{\"input\":[1.5,true]}");
    assert_cause("Array input of type True is not of type double at input[1]"
                 " (offset 14)");
    scan(DOUBLES, "{\"input_batch\":[[1.5],[2, 3 ,null]]}");
    assert_cause("Array input of type Null is not of type double at"
                 " input_batch[1][2] (offset 29); clipper_input with nulls=nan"
                 " takes it as NaN");
    scan(INTS, "{\"input_batch\":[[1],[2,null]]}");
    assert_cause("Array input of type Null is not of type int at"
                 " input_batch[1][1] (offset 23)");
    scan(DOUBLES, "{\"input\":[NaN]}");
    assert_cause("JSON parse error: NaN is not JSON; clipper_input with"
                 " nulls=nan accepts it. (offset 10)\n");
    scan(DOUBLES, "{\"input_batch\":[[1.5],false]}");
    assert_cause("Array input of type False is not of type array at"
                 " input_batch[1] (offset 22)");
    scan(STRINGS, "{\"input_batch\":[[1.5]]}");
    assert_cause("Array input of type Array is not of type string at"
                 " input_batch[0] (offset 16)");
    scan(BYTES, "{\"input_batch\":[\"*\"]}");
    assert_cause("PredictionData of type String is not of type base64-encoded"
                 " string at input_batch[0] (offset 16): character 0 of the"
                 " text is wrong" BASE64);
    scan(BYTES, "{\"input\":\"QUJD*UJD\"}");
    assert_cause("PredictionData of type String is not of type base64-encoded"
                 " string (offset 9): character 4 of the text is wrong"
                 BASE64);

    /* rows where one input is expected */

    scan(DOUBLES, "{\"input\":[[1,2],[3,4]]}");
    assert_cause("Array input of type Array is not of type double at input[0]"
                 " (offset 10); several inputs go under input_batch");
    scan(STRINGS, "{\"input\":[\"a\",\"b\"]}");
    assert_cause("Type mismatch! JSON key input expected type String but found"
                 " type Array (offset 9); several inputs go under"
                 " input_batch");
    scan(BYTES, "[]");
    assert_cause("Can only get key-value pair from an object (offset 0)");
}


static void
test_which_error_comes_first(void **state)
{
    /* malformed JSON is reported first, wherever it is */

    assert_int_equal(scan(INTS, "{\"input\":\"x\",\"version\":5,\"a\":01}"),
                     SYNTAX);
    assert_int_equal(scan(INTS, "{\"input\":[1.5,2,tru]}"), SYNTAX);
    assert_int_equal(scan(INTS, "[1] 2"), SYNTAX);

    /* version is known even when the input is wrong */

    assert_int_equal(scan(INTS, "{\"input\":[1.5,[{}]],\"version\":\"7\"}"),
                     SCHEMA);
    assert_int_equal(in.error.what, CLIPPER_INPUT_ELEMENT);
    assert_int_equal(in.error.offset, 10);
    assert_text(&in.version, CLIPPER_KIND_STRING, "7");
    assert_int_equal(scan(INTS, "{\"version\":\"7\"}"), SCHEMA);
    assert_text(&in.version, CLIPPER_KIND_STRING, "7");

    /* and its own error comes before the input's */

    assert_int_equal(scan(INTS, "{\"input\":[1.5],\"version\":7}"), SCHEMA);
    assert_string_equal(in.error.key, "version");

    /* the first error of the input, also across a batch */

    assert_int_equal(scan(INTS, "{\"input_batch\":[[1],[2,\"a\"],null]}"),
                     SCHEMA);
    assert_int_equal(in.error.kind, CLIPPER_KIND_STRING);
    assert_int_equal(in.error.offset, 23);
}


static void
test_limits(void **state)
{
    conf.max_batch = 2;
    conf.max_elements = 3;

    assert_int_equal(scan(INTS, "{\"input_batch\":[[1],[2]]}"), OK);
    assert_int_equal(scan(INTS, "{\"input_batch\":[[1],[2],[3]],"
                                "\"version\":\"7\"}"), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_BATCH);
    assert_limit("input_batch has more than 2 inputs (batch= of"
                 " clipper_limits) at input_batch[2] (offset 24)");
    assert_text(&in.version, CLIPPER_KIND_STRING, "7");

    assert_int_equal(scan(INTS, "{\"input\":[1,2,3]}"), OK);
    assert_int_equal(scan(INTS, "{\"input\":[1,2,3,4]}"), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_ELEMENTS);
    assert_int_equal(scan(DOUBLES, "{\"input_batch\":[[1,2,3],[1,2,3,4]]}"),
                     LIMIT);
    assert_limit("An input has more than 3 elements (elements= of"
                 " clipper_limits) at input_batch[1][3] (offset 31)");
    assert_int_equal(scan(STRINGS, "{\"input\":\"abc\"}"), OK);
    assert_int_equal(scan(STRINGS, "{\"input\":\"abcd\"}"), LIMIT);
    assert_int_equal(scan(STRINGS, "{\"input\":\"\\u0061\\u0061\\u0061\"}"),
                     OK);
    assert_int_equal(scan(BYTES, "{\"input\":\"QUJD\"}"), OK);
    assert_int_equal(scan(BYTES, "{\"input\":\"QUJDRA\"}"), LIMIT);

    /* over a limit and not JSON: reported as not JSON */

    assert_int_equal(scan(INTS, "{\"input\":[1,2,3,4,]}"), SYNTAX);

    conf.max_elements = 0;
    assert_int_equal(scan(INTS, "{\"input\":[]}"), OK);
    assert_int_equal(scan(INTS, "{\"input\":[1]}"), LIMIT);
}


static void
test_depth(void **state)
{
    char    *body;
    size_t   n;

    conf.max_depth = 3;

    assert_int_equal(scan(INTS, "{\"input_batch\":[[1]]}"), OK);
    assert_int_equal(scan(INTS, "{\"a\":[[]],\"input\":[1]}"), OK);
    assert_int_equal(scan(INTS, "{\"a\":[[[]]],\"input\":[1]}"), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_DEPTH);
    assert_int_equal(in.error.offset, 7);
    assert_int_equal(scan(INTS, "{\"input\":[[[]]]}"), LIMIT);
    assert_int_equal(in.error.what, CLIPPER_INPUT_DEPTH);

    conf.max_depth = 1;
    assert_int_equal(scan(STRINGS, "{\"input\":\"\"}"), OK);
    assert_int_equal(scan(INTS, "{\"input\":[]}"), LIMIT);

    /* with any configuration, a million brackets cost nothing */

    conf.max_depth = 100000000;
    n = 1000000;
    body = malloc(n + 16);
    memcpy(body, "{\"a\":", 5);
    memset(body + 5, '[', n);
    assert_int_equal(scan_bytes(PREDICT, body, n + 5), LIMIT);
    assert_int_equal(in.error.offset, 5 + CLIPPER_LEX_MAX_DEPTH - 1);
    free(body);
}


static void
test_memory_is_kept_and_bounded(void **state)
{
    char    *body;
    size_t   i, len;
    u_char  *start;

    body = malloc(100000);
    len = sprintf(body, "{\"input\":[");

    for (i = 0; i < 10000; i++) {
        len += sprintf(body + len, "%s%d", i ? "," : "", (int) i % 1000);
    }

    len += sprintf(body + len, "],\"version\":\"abc\"}");

    assert_int_equal(scan_bytes(PREDICT, body, len), OK);
    assert_int_equal(in.items[0].len, 80000);
    start = in.values.start;

    /* no allocation the second time, so nothing moves */

    assert_int_equal(scan_bytes(PREDICT, body, len), OK);
    assert_ptr_equal(in.values.start, start);

    clipper_input_trim(&in, 4096);
    assert_null(in.values.start);
    assert_non_null(in.texts.start);

    /* the cap is per buffer: 80000 bytes of doubles fit or do not */

    clipper_input_done(&in);
    clipper_input_init(&in, 80000);
    assert_int_equal(scan_bytes(PREDICT, body, len), OK);

    clipper_input_done(&in);
    clipper_input_init(&in, 79999);
    assert_int_equal(scan_bytes(PREDICT, body, len), NOMEM);
    assert_int_equal(in.nitems, 0);

    /* nothing is kept of names */

    clipper_input_done(&in);
    clipper_input_init(&in, 1024);
    len = sprintf(body, "{\"%0600d\":1,\"%0700d\":[],\"input\":[1]}", 1, 2);
    assert_int_equal(scan_bytes(PREDICT, body, len), OK);

    /* the object is as good as new after a failure */

    len = sprintf(body, "{\"%02000d\":1}", 1);
    assert_int_equal(scan_bytes(PREDICT, body, len), NOMEM);

    assert_int_equal(scan(INTS, "{\"input\":[1]}"), OK);

    free(body);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_causes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_error_comes_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_kept_and_bounded, setup,
                                        teardown)
    };

    return cmocka_run_group_tests_name("input errors", tests, NULL, NULL);
}

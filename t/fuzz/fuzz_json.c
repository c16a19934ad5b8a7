
/*
 * The JSON validator against jansson, and the writer: its output is JSON of
 * the announced length, and a string reads back to the same bytes if they
 * were valid.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "json/clipper_json.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define FLAGS  (JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL)


static void
check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}


static void
check_value(const uint8_t *data, size_t size)
{
    json_t        *tree, *again;
    ngx_int_t      rc;
    ngx_str_t      value;
    json_error_t   error;

    tree = json_loadb((const char *) data, size, FLAGS, &error);

    rc = clipper_json_value(data, size, CLIPPER_LEX_MAX_DEPTH, &value);

    /* jansson stops at a NUL byte; JSON has none at all */

    if (size && memchr(data, '\0', size)) {
        check(rc != NGX_OK, "took a NUL byte");
        json_decref(tree);
        return;
    }

    if (tree == NULL) {
        check(rc != NGX_OK
              || json_error_code(&error) == json_error_null_byte_in_key,
              "took what is not JSON");
        return;
    }

    if (rc == NGX_OK) {
        check(value.len > 0 && strchr(" \t\r\n", value.data[0]) == NULL
              && strchr(" \t\r\n", value.data[value.len - 1]) == NULL,
              "white space around the value");

        again = json_loadb((const char *) value.data, value.len, FLAGS, NULL);
        check(again != NULL && json_equal(again, tree), "another value");
        json_decref(again);

    } else {
        check(size > CLIPPER_LEX_MAX_DEPTH, "refused what is JSON");
    }

    json_decref(tree);
}


static void
check_string(const uint8_t *data, size_t size)
{
    u_char  *text;
    size_t   len;
    json_t  *string, *want;

    len = clipper_json_string_len(data, size);
    text = malloc(len);

    check(clipper_json_string(text, data, size) == text + len,
          "another length of a string");

    string = json_loadb((char *) text, len, FLAGS, NULL);
    check(json_is_string(string), "a string that is not JSON");

    /* NULL when the bytes are not UTF-8 */

    want = json_stringn((const char *) data, size);
    check(want == NULL || json_equal(want, string), "another string");

    json_decref(want);
    json_decref(string);
    free(text);
}


static void
check_output(const uint8_t *data, size_t size)
{
    u_char                *text;
    ngx_str_t              value;
    clipper_json_output_t  out;

    clipper_json_output(&out, data, size, 64);

    text = malloc(out.len);

    check(clipper_json_output_write(text, &out) == text + out.len,
          "another length of an output");

    check(clipper_json_value(text, out.len, 64, &value) == NGX_OK
          && value.len == out.len, "an output that is not JSON");

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_value(data, size);
    check_string(data, size);
    check_output(data, size);

    return 0;
}

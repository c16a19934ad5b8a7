
/*
 * Catches: requests and control messages that differ by a byte from the
 * documented ones; malformed heartbeats and metadata that are accepted or
 * reported with the wrong cause; reads beyond a frame.
 */

#include "proto_frames.h"


static message_t  m;


static void
assert_frames(const frame_t *got, ngx_uint_t n, const char *text)
{
    ngx_uint_t  i;

    proto_frames_set(text);
    assert_int_equal(n, proto_nframes);

    for (i = 0; i < n; i++) {
        assert_int_equal(got[i].len, proto_frames[i].len);

        if (got[i].len) {
            assert_memory_equal(got[i].data, proto_frames[i].data, got[i].len);
        }
    }
}


static void
assert_error(const char *text, ngx_uint_t version, clipper_proto_error_e error)
{
    assert_int_equal(proto_frames_decode(&m, text, version, ANY), NGX_DECLINED);
    assert_int_equal(m.error, error);
    proto_frames_assert_end(&m);
}


static void
assert_str(const ngx_str_t *got, const char *want)
{
    assert_int_equal(got->len, strlen(want));
    assert_memory_equal(got->data, want, got->len);
}


/* builds a request as the caller does and compares all frames but the inputs */

static void
assert_request(ngx_uint_t version, uint32_t id, ngx_uint_t kind,
    ngx_uint_t type, ngx_uint_t n, const uint64_t *lens, const uint64_t *left,
    const char *text)
{
    u_char                       *header;
    frame_t                       got[MAX_FRAMES];
    ngx_uint_t                    i;
    clipper_proto_head_t          head;
    clipper_proto_request_t       r;
    const clipper_proto_codec_t  *codec;

    codec = clipper_proto_version_codec(version);
    assert_non_null(codec);
    assert_int_equal(codec->version, version);

    r.message_id = id;
    r.kind = kind;
    r.input_type = type;
    r.count = n;

    codec->head(&head, &r);
    memcpy(got, head.frames, sizeof(head.frames));

    header = malloc(codec->header_size(n));
    assert_non_null(header);
    codec->header(header, &r);

    for (i = 0; i < n; i++) {
        codec->input(header, n, i, lens[i], left ? left[i] : 0);
    }

    got[head.nframes].data = header;
    got[head.nframes].len = codec->header_size(n);

    assert_frames(got, head.nframes + 1, text);
    free(header);
}


static void
test_v3_requests(void **state)
{
    static const uint64_t  doubles[] = { 16, 8 };
    static const uint64_t  strings[] = { 2, 6 };
    static const uint64_t  bytes[] = { 3 };

    assert_request(V3, 7, KIND(PREDICT), 3, 2, doubles, NULL,
        "|"
        "| 03 00 00 00"
        "| 01 00 00 00"
        "| 07 00 00 00"
        "| 00 00 00 00"
        "| 20 00 00 00 00 00 00 00"
        "| 03 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"
        "  10 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00");

    assert_request(V3, 8, KIND(PREDICT), 4, 2, strings, NULL,
        "|"
        "| 03 00 00 00"
        "| 01 00 00 00"
        "| 08 00 00 00"
        "| 00 00 00 00"
        "| 20 00 00 00 00 00 00 00"
        "| 04 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"
        "  02 00 00 00 00 00 00 00 06 00 00 00 00 00 00 00");

    assert_request(V3, 9, KIND(PREDICT), 0, 1, bytes, NULL,
        "|"
        "| 03 00 00 00"
        "| 01 00 00 00"
        "| 09 00 00 00"
        "| 00 00 00 00"
        "| 18 00 00 00 00 00 00 00"
        "| 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"
        "  03 00 00 00 00 00 00 00");

    assert_int_equal(clipper_proto_version_codec(V3)->joined, 0);
    assert_int_equal(clipper_proto_version_codec(V3)->probes, 0);
}


static void
test_v4_requests(void **state)
{
    static const uint64_t  lens[] = { 16, 0x0102030405060708ULL };
    static const uint64_t  left[] = { 20000, 0 };

    assert_request(V4, 0xfffefdfc, KIND(PREDICT), 3, 2, lens, left,
        "|"
        "| 04 00 00 00"
        "| 01 00 00 00"
        "| fc fd fe ff 00 00 00 00 03 00 00 00 02 00 00 00"
        "  10 00 00 00 00 00 00 00 08 07 06 05 04 03 02 01"
        "  20 4e 00 00 00 00 00 00 00 00 00 00 00 00 00 00");

    assert_request(V4, 1, KIND(PROBE), 4, 0, NULL, NULL,
        "|"
        "| 04 00 00 00"
        "| 01 00 00 00"
        "| 01 00 00 00 01 00 00 00 04 00 00 00 00 00 00 00");

    assert_int_equal(clipper_proto_version_codec(V4)->joined, 1);
    assert_int_equal(clipper_proto_version_codec(V4)->probes, 1);
}


static void
test_no_other_codec(void **state)
{
    assert_null(clipper_proto_version_codec(UNKNOWN));
    assert_null(clipper_proto_version_codec(2));
    assert_null(clipper_proto_version_codec(5));
}


static void
test_control_messages(void **state)
{
    frame_t    f[CLIPPER_PROTO_CONTROL_FRAMES];
    ngx_str_t  text = ngx_string("type mismatch");

    assert_frames(f, clipper_proto_ask_metadata(f),
                  "|| 03 00 00 00 | 02 00 00 00 | 01 00 00 00");
    assert_frames(f, clipper_proto_keepalive(f, V3),
                  "|| 03 00 00 00 | 02 00 00 00 | 00 00 00 00");
    assert_frames(f, clipper_proto_keepalive(f, UNKNOWN),
                  "|| 03 00 00 00 | 02 00 00 00 | 00 00 00 00");
    assert_frames(f, clipper_proto_keepalive(f, V4),
                  "|| 04 00 00 00 | 02 00 00 00 | 00 00 00 00");
    assert_frames(f, clipper_proto_move(f),
                  "|| 04 00 00 00 | 03 00 00 00");
    assert_frames(f, clipper_proto_refused(f, &text),
                  "|| 04 00 00 00 | 06 00 00 00 | \"type mismatch\"");
}


static void
test_heartbeat(void **state)
{
    static const ngx_uint_t  versions[] = { UNKNOWN, V3, V4 };

    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        assert_int_equal(proto_frames_decode(&m, "|| 02 00 00 00", versions[i],
                                             ANY), NGX_OK);
        assert_int_equal(m.kind, KIND(HEARTBEAT));
        assert_error("|| 02 00 00 00 |", versions[i], E(FRAMES));
    }
}


static void
test_leaving(void **state)
{
    assert_int_equal(proto_frames_decode(&m, "|| 05 00 00 00", V4, ANY),
                     NGX_OK);
    assert_int_equal(m.kind, KIND(LEAVING));
    assert_int_equal(proto_frames_decode(&m, "|| 05 00 00 00", UNKNOWN, ANY),
                     NGX_OK);
    assert_int_equal(m.kind, KIND(LEAVING));

    assert_error("|| 05 00 00 00", V3, E(TYPE));
    assert_error("|| 05 00 00 00 | 01", V4, E(FRAMES));
}


static void
test_envelope_errors(void **state)
{
    assert_error("", V3, E(SHORT));
    assert_error("|", V3, E(SHORT));
    assert_error("| 02 00 00 00", V3, E(DELIMITER));
    assert_error("| 00 | 02 00 00 00", V3, E(DELIMITER));
    assert_error("||", V3, E(TYPE));
    assert_error("|| 02 00 00", V3, E(TYPE));
    assert_error("|| 02 00 00 00 00 00 00 00", V3, E(TYPE));
    assert_error("|| 03 00 00 00", V4, E(TYPE));
    assert_error("|| 04 00 00 00", V4, E(TYPE));
    assert_error("|| 07 00 00 00", V4, E(TYPE));
    assert_error("|| 02 00 00 01", V3, E(TYPE));
    assert_int_equal(m.kind, KIND(NONE));

    /* a message of a frontend has the version in the place of the type */
    assert_error("|| 03 00 00 00 | 02 00 00 00 | 01 00 00 00", V3, E(TYPE));
}


static void
test_metadata_v3(void **state)
{
    assert_int_equal(proto_frames_decode(&m,
                                         "|| 00 00 00 00 | 73 75 6d | 31 | 33"
                            "| 03 00 00 00", UNKNOWN, ANY), NGX_OK);
    assert_int_equal(m.kind, KIND(METADATA));
    assert_int_equal(m.rpc_version, 3);
    assert_int_equal(m.metadata.input_type, 3);
    assert_str(&m.metadata.name, "sum");
    assert_str(&m.metadata.version, "1");
    assert_int_equal(m.metadata.token.len, 0);
    assert_int_equal(m.metadata.digest.len, 0);

    /* the version of a JVM container has 8 bytes, the low 4 count */
    assert_int_equal(proto_frames_decode(&m,
                                     "|| 00 00 00 00 | \"a\" | \"v 2\" | \"0\""
                                     "| 03 00 00 00 00 00 00 00", UNKNOWN, ANY),
                     NGX_OK);
    assert_int_equal(proto_frames_decode(&m,
                                     "|| 00 00 00 00 | \"a\" | \"v 2\" | \"0\""
                                     "| 03 00 00 00 01 00 00 00", UNKNOWN, ANY),
                     NGX_OK);
    assert_str(&m.metadata.version, "v 2");
    assert_int_equal(m.metadata.input_type, 0);
}


static void
test_metadata_rpc_version(void **state)
{
#define MD  "|| 00 00 00 00 | \"a\" | \"1\" | \"0\""

    assert_error("|| 00 00 00 00", UNKNOWN, E(SHORT));
    assert_error("|| 00 00 00 00 | \"a\" | \"1\"", UNKNOWN, E(SHORT));
    assert_error(MD, UNKNOWN, E(NO_VERSION));
    assert_int_equal(m.rpc_version, 0);

    assert_error(MD "| 02 00 00 00", UNKNOWN, E(VERSION));
    assert_int_equal(m.rpc_version, 2);
    assert_error(MD "| 05 00 00 00", UNKNOWN, E(VERSION));
    assert_error(MD "| 03 00 00 01", UNKNOWN, E(VERSION));
    assert_error(MD "|", UNKNOWN, E(VERSION));
    assert_error(MD "| 03", UNKNOWN, E(VERSION));
    assert_error(MD "| 03 00 00 00 00", UNKNOWN, E(VERSION));
    assert_error(MD "| 03 00 00 00 00 00 00 00 00", UNKNOWN, E(VERSION));

    assert_error(MD "| 04 00 00 00", UNKNOWN, E(FRAMES));
    assert_int_equal(m.rpc_version, 4);
    assert_error(MD "|| 03 00 00 00", UNKNOWN, E(FRAMES));
    assert_error(MD "||| 03 00 00 00", UNKNOWN, E(FRAMES));
    assert_error(MD "| 03 00 00 00 |", UNKNOWN, E(VERSION));
    assert_int_equal(m.kind, KIND(METADATA));
}


static void
assert_input_type(const char *text, clipper_proto_error_e error,
    ngx_uint_t type)
{
    char  msg[256];

    snprintf(msg, sizeof(msg), "|| 00 00 00 00 | \"a\" | \"1\" |%s"
             "| 03 00 00 00", text);

    if (error != E(OK)) {
        assert_error(msg, UNKNOWN, error);
        return;
    }

    assert_int_equal(proto_frames_decode(&m, msg, UNKNOWN, ANY), NGX_OK);
    assert_int_equal(m.metadata.input_type, type);
}


static void
test_metadata_input_type(void **state)
{
    assert_input_type("\"0\"", E(OK), 0);
    assert_input_type("\"4\"", E(OK), 4);
    assert_input_type("\"+2\"", E(OK), 2);
    assert_input_type("\"-0\"", E(OK), 0);
    assert_input_type("\"003\"", E(OK), 3);
    assert_input_type("\" \" 09 0a 0b 0c 0d \"3\"", E(OK), 3);

    /* the trailing bytes of the C++ and R containers */
    assert_input_type("\"3\" 00", E(OK), 3);
    assert_input_type("\"3\" 00 ff 41", E(OK), 3);
    assert_input_type("\"3x\"", E(OK), 3);
    assert_input_type("\"3.9\"", E(OK), 3);

    assert_input_type("", E(INPUT_TYPE), 0);
    assert_input_type("\"abc\"", E(INPUT_TYPE), 0);
    assert_input_type("\" \"", E(INPUT_TYPE), 0);
    assert_input_type("\"-\"", E(INPUT_TYPE), 0);
    assert_input_type("\"+-3\"", E(INPUT_TYPE), 0);
    assert_input_type("\"- 3\"", E(INPUT_TYPE), 0);
    assert_input_type("03", E(INPUT_TYPE), 0);
    assert_input_type("00 33", E(INPUT_TYPE), 0);

    assert_input_type("\"5\"", E(INPUT_RANGE), 0);
    assert_input_type("\"-1\"", E(INPUT_RANGE), 0);
    assert_input_type("\"30\"", E(INPUT_RANGE), 0);
    assert_input_type("\"4294967299\"", E(INPUT_RANGE), 0);
    assert_input_type("\"18446744073709551619\"", E(INPUT_RANGE), 0);
    assert_input_type("\"99999999999999999999999999999999\"",
                      E(INPUT_RANGE), 0);
}


#define TOKEN   "\"0123456789abcdef\""
#define TAIL3   "| \"0\" | 03 00 00 00"
#define TAIL4   "| \"0\" |" TOKEN "|| 04 00 00 00"


/* as a name, then as a version */

static void
assert_name(const char *hex, const char *tail, ngx_int_t good)
{
    char  msg[2048];

    snprintf(msg, sizeof(msg), "|| 00 00 00 00 | %s | \"1\" %s", hex, tail);
    assert_int_equal(proto_frames_decode(&m, msg, UNKNOWN, ANY),
                     good ? NGX_OK : NGX_DECLINED);
    assert_int_equal(m.error, good ? E(OK) : E(NAME));

    snprintf(msg, sizeof(msg), "|| 00 00 00 00 | \"1\" | %s %s", hex, tail);
    assert_int_equal(proto_frames_decode(&m, msg, UNKNOWN, ANY),
                     good ? NGX_OK : NGX_DECLINED);
    assert_int_equal(m.error, good ? E(OK) : E(MODEL_VERSION));
}


/* fields of up to 255 bytes */

static void
assert_longest(const char *tail)
{
    char        longest[3 * 256 + 1];
    ngx_uint_t  i;

    for (i = 0; i < 256; i++) {
        memcpy(longest + 3 * i, "61 ", 4);
    }

    assert_name(longest, tail, 0);
    longest[3 * 255] = '\0';
    assert_name(longest, tail, 1);
}


/* free text in version 3 */

static void
test_metadata_names(void **state)
{
    ngx_uint_t  i;

    static const char *good[] = {
        "\"sum-model\"", "\"a b\"", "\"-a\"", "\"a:b\"", "c3 a9", "df bf",
        "e0 a0 80", "ed 9f bf", "ee 80 80",
        "ef bf bf", "f0 90 80 80", "f4 8f bf bf", "20", "7e", "c2 a0"
    };

    static const char *bad[] = {
        "", "00", "41 00", "00 41", "1f", "7f", "0a", "80", "c2 80", "c2 9f",
        "bf", "c0 80", "c1 bf", "c3", "c3 41", "e0 9f bf", "e0 a0", "e2 82 41",
        "ed a0 80",
        "ed bf bf", "f0 8f bf bf", "f0 90 80", "f4 90 80 80", "f5 80 80 80",
        "ff", "fe", "f0 90 80 c0", "c3 c3 a9"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_name(good[i], TAIL3, 1);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_name(bad[i], TAIL3, 0);
    }

    assert_longest(TAIL3);
}


/* catches a name of version 4 that no configuration can have */

static void
test_metadata_names_v4(void **state)
{
    ngx_uint_t  i;

    static const char *good[] = {
        "\"a\"", "\"Z\"", "\"0\"", "\"9.A_z-\"", "\"1.10\""
    };

    static const char *bad[] = {
        "", "\" a\"", "\"a b\"", "\".a\"", "\"_a\"", "\"-a\"", "\"a/b\"",
        "\"a:b\"", "\"a@b\"", "\"a[b\"", "\"a`b\"", "\"a{b\"", "61 00",
        "c3 a9"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_name(good[i], TAIL4, 1);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_name(bad[i], TAIL4, 0);
    }

    assert_longest(TAIL4);
}


#define MD4     "|| 00 00 00 00 | \"a\" | \"1\" | \"4\""


static void
test_metadata_v4(void **state)
{
    char  msg[1024], digest[3 * 65 + 1];
    int   i;

    assert_int_equal(proto_frames_decode(&m,
                                MD4 "|" TOKEN "| aa bb | 04 00 00 00", UNKNOWN,
                                ANY), NGX_OK);
    assert_int_equal(m.rpc_version, 4);
    assert_int_equal(m.metadata.input_type, 4);
    assert_str(&m.metadata.name, "a");
    assert_str(&m.metadata.version, "1");
    assert_str(&m.metadata.token, "0123456789abcdef");
    assert_str(&m.metadata.digest, "\xaa\xbb");

    assert_int_equal(proto_frames_decode(&m, MD4 "|" TOKEN "|| 04 00 00 00",
                                         UNKNOWN, ANY),
                     NGX_OK);
    assert_int_equal(m.metadata.digest.len, 0);

    for (i = 0; i < 65; i++) {
        memcpy(digest + 3 * i, "cd ", 4);
    }

    snprintf(msg, sizeof(msg), MD4 "|" TOKEN "|%s| 04 00 00 00", digest);
    assert_error(msg, UNKNOWN, E(DIGEST));
    digest[3 * 64] = '\0';
    snprintf(msg, sizeof(msg), MD4 "|" TOKEN "|%s| 04 00 00 00", digest);
    assert_int_equal(proto_frames_decode(&m, msg, UNKNOWN, ANY), NGX_OK);
    assert_int_equal(m.metadata.digest.len, 64);

    assert_error(MD4 "| \"0123456789abcde\" || 04 00 00 00", UNKNOWN,
                 E(TOKEN));
    assert_error(MD4 "| \"0123456789abcdefg\" || 04 00 00 00", UNKNOWN,
                 E(TOKEN));
    assert_error(MD4 "||| 04 00 00 00", UNKNOWN, E(TOKEN));
    assert_error(MD4 "|" TOKEN "| 04 00 00 00", UNKNOWN, E(FRAMES));
    assert_error(MD4 "|" TOKEN "||| 04 00 00 00", UNKNOWN, E(FRAMES));
    assert_error(MD4 "|" TOKEN "|| 03 00 00 00", UNKNOWN, E(FRAMES));
    assert_error(MD4 "|" TOKEN "|| 05 00 00 00", UNKNOWN, E(VERSION));

    /* the version is known nevertheless, so a reply is possible */
    assert_error("|| 00 00 00 00 || \"1\" | \"4\" |" TOKEN "|| 04 00 00 00",
                 UNKNOWN, E(NAME));
    assert_int_equal(m.rpc_version, 4);
}


/* labels of a metric: complete, distinct, of the usual characters */

static void
test_error_table(void **state)
{
    size_t            k;
    ngx_uint_t        i, j;
    const ngx_str_t  *a, *b;

    for (i = 0; i < CLIPPER_PROTO_ERRORS; i++) {
        a = clipper_proto_error_name(i);
        assert_true(a->len > 3);
        assert_true(clipper_proto_error_text(i)->len > 7);

        for (k = 0; k < a->len; k++) {
            assert_true((a->data[k] >= 'a' && a->data[k] <= 'z')
                        || a->data[k] == '_');
        }

        for (j = 0; j < i; j++) {
            b = clipper_proto_error_name(j);
            assert_true(a->len != b->len
                        || memcmp(a->data, b->data, a->len) != 0);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_v3_requests),
        test(test_v4_requests),
        test(test_no_other_codec),
        test(test_control_messages),
        test(test_heartbeat),
        test(test_leaving),
        test(test_envelope_errors),
        test(test_metadata_v3),
        test(test_metadata_rpc_version),
        test(test_metadata_input_type),
        test(test_metadata_names),
        test(test_metadata_names_v4),
        test(test_metadata_v4),
        test(test_error_table),
    };

    return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}


/*
 * Catches: a malformed reply that is accepted or reported with the wrong cause,
 * an id that is lost because of another error, an output that belongs to
 * another input, reads beyond a frame.
 */

#include "proto_frames.h"


static message_t  m;


static void
assert_output(ngx_uint_t status, const char *data, size_t len)
{
    clipper_proto_output_t  out;

    assert_int_equal(clipper_proto_output_next(&m, &out), NGX_OK);
    assert_int_equal(out.status, status);
    assert_int_equal(out.len, len);

    if (len) {
        assert_memory_equal(out.data, data, len);
    }
}


static void
test_v3_reply(void **state)
{
    assert_int_equal(proto_frames_decode(&m,
        "|"
        "| 01 00 00 00"
        "| 07 00 00 00"
        "| 18 00 00 00 00 00 00 00"
        "| 02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00"
        "  03 00 00 00 00 00 00 00"
        "| 33 2e 30"
        "| 33 2e 31", V3, 2), NGX_OK);

    assert_int_equal(m.kind, KIND(REPLY));
    assert_int_equal(m.has_id, 1);
    assert_int_equal(m.message_id, 7);
    assert_int_equal(m.count, 2);
    assert_output(0, "3.0", 3);
    assert_output(0, "3.1", 3);
    proto_frames_assert_end(&m);

    /* an empty output is an output */
    assert_int_equal(proto_frames_decode(&m,
        "|| 01 00 00 00 | ff ff ff ff | 10 00 00 00 00 00 00 00"
        "| 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 |", V3, 1), NGX_OK);
    assert_int_equal(m.message_id, 0xffffffff);
    assert_output(0, NULL, 0);
    proto_frames_assert_end(&m);

    assert_int_equal(proto_frames_decode(&m,
        "|| 01 00 00 00 | 00 00 00 00 | 08 00 00 00 00 00 00 00"
        "| 00 00 00 00 00 00 00 00", V3, ANY), NGX_OK);
    proto_frames_assert_end(&m);
}


static void
assert_bad_reply(const char *text, ngx_uint_t version, ngx_uint_t expected,
    clipper_proto_error_e error, ngx_uint_t has_id)
{
    assert_int_equal(proto_frames_decode(&m, text, version, expected),
                     NGX_DECLINED);
    assert_int_equal(m.kind, KIND(REPLY));
    assert_int_equal(m.error, error);
    assert_int_equal(m.has_id, has_id);

    if (has_id) {
        assert_int_equal(m.message_id, 7);
    }

    /* no part of it can be used */
    assert_int_equal(m.count, 0);
    proto_frames_assert_end(&m);
}


static void
test_v3_reply_errors(void **state)
{
#define R3    "|| 01 00 00 00 | 07 00 00 00"
#define S(n)  "| " n " 00 00 00 00 00 00 00"
#define U(n)  n " 00 00 00 00 00 00 00"

    assert_bad_reply("|| 01 00 00 00", V3, 1, E(SHORT), 0);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00", V3, 1, E(ID), 0);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00 00 00", V3, 1, E(ID), 0);
    assert_bad_reply("|| 01 00 00 00 |", V3, 1, E(ID), 0);
    assert_bad_reply(R3, V3, 1, E(SHORT), 1);
    assert_bad_reply(R3 S("08"), V3, 1, E(SHORT), 1);

    /* the size of the header */
    assert_bad_reply(R3 "| 10 00 00 00 |" U("01") U("01") "| 61", V3, 1,
                     E(HEADER), 1);
    assert_bad_reply(R3 S("18") "|" U("01") U("01") "| 61", V3, 1,
                     E(HEADER), 1);
    assert_bad_reply(R3 "| 10 00 00 00 01 00 00 00 |" U("01") U("01") "| 61",
                     V3, 1, E(HEADER), 1);
    assert_bad_reply(R3 S("00") "|", V3, 1, E(HEADER), 1);
    assert_bad_reply(R3 S("04") "| 01 00 00 00 | 61", V3, 1, E(HEADER), 1);
    assert_bad_reply(R3 S("0c") "|" U("01") "01 00 00 00 | 61", V3, 1,
                     E(HEADER), 1);

    assert_bad_reply(R3 "| 10 00 00 00 00 00 00 00 00 |" U("01") U("01") "| 61",
                     V3, 1, E(HEADER), 1);
    assert_bad_reply(R3 S("0c") "|" U("00") "00 00 00 00", V3, ANY,
                     E(HEADER), 1);

    /* its count */
    assert_bad_reply(R3 S("10") "|" U("02") U("01") "| 61", V3, 1,
                     E(HEADER), 1);
    assert_bad_reply(R3 S("10") "| 01 00 00 00 00 00 00 80" U("01") "| 61",
                     V3, 1, E(HEADER), 1);
    assert_bad_reply(R3 S("10") "| ff ff ff ff ff ff ff ff" U("01") "| 61",
                     V3, 1, E(HEADER), 1);

    /* frames without an entry, entries without a frame */
    assert_bad_reply(R3 S("10") "|" U("01") U("01"), V3, 1, E(FRAMES), 1);
    assert_bad_reply(R3 S("10") "|" U("01") U("01") "| 61 | 62", V3, 1,
                     E(FRAMES), 1);

    /* lengths */
    assert_bad_reply(R3 S("10") "|" U("01") U("02") "| 61", V3, 1,
                     E(LENGTH), 1);
    assert_bad_reply(R3 S("10") "|" U("01") U("00") "| 61", V3, 1,
                     E(LENGTH), 1);
    assert_bad_reply(R3 S("10") "|" U("01") "01 00 00 40 00 00 00 00 | 61",
                     V3, 1, E(LENGTH), 1);
    assert_bad_reply(R3 S("18") "|" U("02") U("01") U("03") "| 61 | 62 63",
                     V3, 2, E(LENGTH), 1);

    /* a valid message with too few or too many outputs */
    assert_bad_reply(R3 S("10") "|" U("01") U("01") "| 61", V3, 2,
                     E(COUNT), 1);
    assert_bad_reply(R3 S("18") "|" U("02") U("01") U("01") "| 61 | 62", V3, 1,
                     E(COUNT), 1);
    assert_bad_reply(R3 S("08") "|" U("00"), V3, 1, E(COUNT), 1);

    /* an unregistered peer has no request to reply to */
    assert_bad_reply(R3 S("10") "|" U("01") U("01") "| 61", UNKNOWN, ANY,
                     E(UNREGISTERED), 0);
    assert_bad_reply("|| 01 00 00 00", UNKNOWN, ANY, E(UNREGISTERED), 0);

    /* version 4 on a version 3 connection */
    assert_bad_reply("|| 01 00 00 00 | 07 00 00 00 00 00 00 00 |", V3, 1,
                     E(ID), 0);
}


static void
test_v4_reply(void **state)
{
    assert_int_equal(proto_frames_decode(&m,
        "|| 01 00 00 00"
        "| 09 00 00 00 04 00 00 00"
        "  03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
        "  05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
        "  00 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00"
        "| \"3.0\" \"wrong\"", V4, 4), NGX_OK);

    assert_int_equal(m.kind, KIND(REPLY));
    assert_int_equal(m.message_id, 9);
    assert_int_equal(m.count, 4);
    assert_output(0, "3.0", 3);
    assert_output(2, NULL, 0);
    assert_output(1, "wrong", 5);
    assert_output(0, NULL, 0);
    proto_frames_assert_end(&m);

    /* of a probe; the data frame is there */
    assert_int_equal(proto_frames_decode(&m,
                                  "|| 01 00 00 00 | 07 00 00 00 00 00 00 00 |",
                                  V4, 0), NGX_OK);
    assert_int_equal(m.message_id, 7);
    proto_frames_assert_end(&m);

    /* of a skipped input only: the data frame has no address */
    assert_int_equal(proto_frames_decode(&m,
        "|| 01 00 00 00 | 07 00 00 00 01 00 00 00" U("00") "02 00 00 00 |",
        V4, 1), NGX_OK);
    assert_output(2, NULL, 0);
    proto_frames_assert_end(&m);
}


static void
test_v4_reply_errors(void **state)
{
#define R4(n)    "|| 01 00 00 00 | 07 00 00 00 " n " 00 00 00 "
#define OK4      "00 00 00 00"
#define FAIL4    "01 00 00 00"
#define SKIP4    "02 00 00 00"

    assert_bad_reply("|| 01 00 00 00", V4, 1, E(SHORT), 0);
    assert_bad_reply("|| 01 00 00 00 |", V4, 1, E(ID), 0);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00", V4, 1, E(ID), 0);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00 00", V4, 1, E(SHORT), 1);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00 00 |", V4, 1, E(HEADER), 1);
    assert_bad_reply(R4("00"), V4, 0, E(SHORT), 1);
    assert_bad_reply(R4("01") U("01") OK4 "| 61 |", V4, 1, E(FRAMES), 1);

    /* header against its size */
    assert_bad_reply(R4("02") U("01") OK4 "| 61", V4, 1, E(HEADER), 1);
    assert_bad_reply(R4("00") U("01") OK4 "| 61", V4, 1, E(HEADER), 1);
    assert_bad_reply(R4("01") U("01") "| 61", V4, 1, E(HEADER), 1);
    assert_bad_reply(R4("01") U("01") OK4 "00 | 61", V4, 1, E(HEADER), 1);
    assert_bad_reply("|| 01 00 00 00 | 07 00 00 00 ff ff ff ff" U("01") OK4
                     "| 61", V4, 1, E(HEADER), 1);

    /* lengths: beyond the data, less than the data, sums that wrap around */
    assert_bad_reply(R4("01") U("02") OK4 "| 61", V4, 1, E(LENGTH), 1);
    assert_bad_reply(R4("01") U("00") OK4 "| 61", V4, 1, E(LENGTH), 1);
    assert_bad_reply(R4("01") U("01") OK4 "|", V4, 1, E(LENGTH), 1);
    assert_bad_reply(R4("01") "00 00 00 40 00 00 00 00" OK4 "| 61", V4, 1,
                     E(LENGTH), 1);
    assert_bad_reply(R4("02") "ff ff ff ff ff ff ff ff" U("02") OK4 OK4
                     "| 61", V4, 2, E(LENGTH), 1);
    assert_bad_reply(R4("02") U("01") "ff ff ff ff ff ff ff ff" OK4 OK4
                     "| 61", V4, 2, E(LENGTH), 1);
    assert_bad_reply(R4("00") "| 61", V4, 0, E(LENGTH), 1);

    /* status */
    assert_bad_reply(R4("01") U("01") "03 00 00 00 | 61", V4, 1, E(STATUS), 1);
    assert_bad_reply(R4("01") U("01") "00 00 00 01 | 61", V4, 1, E(STATUS), 1);
    assert_bad_reply(R4("01") U("01") SKIP4 "| 61", V4, 1, E(STATUS), 1);

    assert_bad_reply(R4("01") U("01") OK4 "| 61", V4, 2, E(COUNT), 1);
    assert_bad_reply(R4("02") U("00") U("01") OK4 FAIL4 "| 61", V4, 1,
                     E(COUNT), 1);
    assert_bad_reply(R4("01") U("01") OK4 "| 61", UNKNOWN, ANY,
                     E(UNREGISTERED), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_v3_reply),
        test(test_v3_reply_errors),
        test(test_v4_reply),
        test(test_v4_reply_errors),
    };

    return cmocka_run_group_tests_name("proto_reply", tests, NULL, NULL);
}

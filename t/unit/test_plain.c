
/*
 * Catches: a control character, C1 included, or a byte that is no UTF-8 which
 * passes; text that is changed without need; a write beyond the buffer; half
 * a character or half an escape at its end.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clipper_plain.h"


static void
shows(const char *src, size_t len, const char *want)
{
    u_char  *buf, *end;
    size_t   size;

    size = len * CLIPPER_PLAIN_MAX;
    buf = malloc(size + 1);
    assert_non_null(buf);

    end = clipper_plain(buf, buf + size, (const u_char *) src, len);

    assert_int_equal(end - buf, strlen(want));
    assert_memory_equal(buf, want, strlen(want));
    assert_int_equal(clipper_plain_is((const u_char *) src, len),
                     len == strlen(want) && memcmp(src, want, len) == 0);

    free(buf);
}


static void
test_text(void **state)
{
    shows("", 0, "");
    shows("a b~\\\"'", 7, "a b~\\\"'");
    shows("J\xc3\xbcrgen \xe4\xb8\xad \xf0\x9f\x98\x80", 16,
          "J\xc3\xbcrgen \xe4\xb8\xad \xf0\x9f\x98\x80");
    shows("\xc2\xa0", 2, "\xc2\xa0");
}


static void
test_controls(void **state)
{
    u_char  ch, want[5];

    for (ch = 0; ch < 0x20; ch++) {
        (void) sprintf((char *) want, "\\x%02X", ch);
        shows((char *) &ch, 1, (char *) want);
    }

    shows("\x7f", 1, "\\x7F");
    shows("a\r\nb\x1b[m", 7, "a\\x0D\\x0Ab\\x1B[m");
    shows("\xc2\x80\xc2\x9f", 4, "\\xC2\\x80\\xC2\\x9F");
}


static void
test_no_utf8(void **state)
{
    shows("\x9b", 1, "\\x9B");
    shows("\xff\xfe", 2, "\\xFF\\xFE");
    shows("a\xc3", 2, "a\\xC3");
    shows("\xc2", 1, "\\xC2");
    shows("\xed\xa0\x80", 3, "\\xED\\xA0\\x80");
    shows("\xc0\x8a", 2, "\\xC0\\x8A");
}


static void
test_room(void **state)
{
    u_char     buf[9];
    size_t     size;
    ngx_str_t  text;

    for (size = 0; size <= 8; size++) {
        memset(buf, '#', sizeof(buf));
        text.data = (u_char *) "a\n\xc3\xbcz";
        text.len = 5;

        clipper_plain_text(&text, buf, size);

        assert_ptr_equal(text.data, buf);
        assert_int_equal(text.len, size < 1 ? 0 : size < 5 ? 1
                                   : size < 7 ? 5 : size < 8 ? 7 : 8);
        assert_memory_equal(buf, "a\\x0A\xc3\xbcz", text.len);
        assert_int_equal(buf[text.len], '#');
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_no_utf8),
        cmocka_unit_test(test_room)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

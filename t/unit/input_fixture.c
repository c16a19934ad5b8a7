
/* Scans a copy that ends where the body ends, for the sanitizers. */

#include "input_fixture.h"


clipper_input_t       in;
clipper_input_conf_t  conf;


int
setup(void **state)
{
    clipper_input_init(&in, 0);

    memset(&conf, 0, sizeof(conf));
    conf.type = DOUBLES;
    conf.max_batch = 1000;
    conf.max_elements = 1000000;
    conf.max_depth = 64;

    return 0;
}


int
teardown(void **state)
{
    clipper_input_done(&in);

    return 0;
}


ngx_uint_t
scan_bytes(ngx_uint_t mode, const char *body, size_t len)
{
    ngx_int_t          rc;
    clipper_segment_t  segment;

    segment.pos = malloc(len ? len : 1);
    segment.last = segment.pos + len;
    memcpy(segment.pos, body, len);

    rc = clipper_input_scan(&in, &conf, mode, &segment, 1);

    free(segment.pos);

    assert_int_equal(rc, in.error.code == OK ? NGX_OK : NGX_ERROR);

    return in.error.code;
}


ngx_uint_t
scan(ngx_uint_t type, const char *body)
{
    conf.type = type;

    return scan_bytes(PREDICT, body, strlen(body));
}


void
assert_text(const clipper_member_t *member, ngx_uint_t kind, const char *text)
{
    assert_int_equal(member->kind, kind);
    assert_int_equal(member->text.len, strlen(text));
    assert_memory_equal(member->text.data, text, strlen(text));
}

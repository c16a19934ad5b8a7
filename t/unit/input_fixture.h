
/* What the tests of the input scanner share: one object, one configuration. */


#ifndef _CLIPPER_INPUT_FIXTURE_H_INCLUDED_
#define _CLIPPER_INPUT_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json/clipper_input.h"


#define BYTES    CLIPPER_BYTES
#define INTS     CLIPPER_INTS
#define FLOATS   CLIPPER_FLOATS
#define DOUBLES  CLIPPER_DOUBLES
#define STRINGS  CLIPPER_STRINGS

#define PREDICT  CLIPPER_INPUT_PREDICT
#define UPDATE   CLIPPER_INPUT_UPDATE

#define OK       CLIPPER_INPUT_OK
#define SYNTAX   CLIPPER_INPUT_SYNTAX
#define SCHEMA   CLIPPER_INPUT_SCHEMA
#define LIMIT    CLIPPER_INPUT_LIMIT
#define NOMEM    CLIPPER_INPUT_NOMEM


static clipper_input_t       in;
static clipper_input_conf_t  conf;


static int
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


static int
teardown(void **state)
{
    clipper_input_done(&in);

    return 0;
}


static ngx_uint_t
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


static ngx_uint_t
scan(ngx_uint_t type, const char *body)
{
    conf.type = type;

    return scan_bytes(PREDICT, body, strlen(body));
}


static void
assert_text(const clipper_member_t *member, ngx_uint_t kind, const char *text)
{
    assert_int_equal(member->kind, kind);
    assert_int_equal(member->text.len, strlen(text));
    assert_memory_equal(member->text.data, text, strlen(text));
}


#endif /* _CLIPPER_INPUT_FIXTURE_H_INCLUDED_ */

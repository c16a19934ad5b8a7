
/* Shared by the tests of the input scanner: one object, one configuration. */


#ifndef _INPUT_FIXTURE_H_INCLUDED_
#define _INPUT_FIXTURE_H_INCLUDED_


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


extern clipper_input_t       in;
extern clipper_input_conf_t  conf;


int setup(void **state);
int teardown(void **state);

/* the error's code */
ngx_uint_t scan_bytes(ngx_uint_t mode, const char *body, size_t len);
ngx_uint_t scan(ngx_uint_t type, const char *body);

void assert_text(const clipper_member_t *member, ngx_uint_t kind,
    const char *text);


#endif /* _INPUT_FIXTURE_H_INCLUDED_ */


/*
 * Messages in the notation of the documentation, for the tests of the codec.
 * Each frame is a separate heap block, so a sanitizer sees reads beyond it;
 * an empty frame has no address.
 */

#ifndef _PROTO_FRAMES_H_INCLUDED_
#define _PROTO_FRAMES_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/clipper_proto.h"


#define MAX_FRAMES  16
#define V3          CLIPPER_PROTO_V3
#define V4          CLIPPER_PROTO_V4
#define UNKNOWN     CLIPPER_PROTO_UNKNOWN
#define ANY         CLIPPER_PROTO_ANY_COUNT

#define E(name)     CLIPPER_PROTO_E##name
#define KIND(name)  CLIPPER_PROTO_##name


typedef clipper_proto_frame_t    frame_t;
typedef clipper_proto_message_t  message_t;


extern frame_t     proto_frames[MAX_FRAMES];
extern ngx_uint_t  proto_nframes;


/*
 * Frames in the notation of the documentation: "| 03 00 | 31" has two.  A
 * quoted text is used as it is.  They live until the next call or the
 * teardown.
 */
void proto_frames_set(const char *text);
int proto_frames_teardown(void **state);

ngx_int_t proto_frames_decode(message_t *m, const char *text,
    ngx_uint_t version, ngx_uint_t expected);

/* no output is left in a reply */
void proto_frames_assert_end(message_t *m);


#define test(name)  cmocka_unit_test_teardown(name, proto_frames_teardown)


#endif /* _PROTO_FRAMES_H_INCLUDED_ */

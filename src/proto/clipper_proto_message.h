
/*
 * A message of a container: its frames, and what they say.
 */


#ifndef _CLIPPER_PROTO_MESSAGE_H_INCLUDED_
#define _CLIPPER_PROTO_MESSAGE_H_INCLUDED_


#include "proto/clipper_proto_error.h"


#define CLIPPER_PROTO_UNKNOWN      0            /* not announced yet */
#define CLIPPER_PROTO_V3           3
#define CLIPPER_PROTO_V4           4

#define CLIPPER_PROTO_TOKEN        16
#define CLIPPER_PROTO_DIGEST       64           /* longest model digest */

#define CLIPPER_PROTO_ANY_COUNT    ((ngx_uint_t) -1)


typedef enum {
    CLIPPER_PROTO_OUTPUT = 0,
    CLIPPER_PROTO_FAILED,                       /* data is the error's text */
    CLIPPER_PROTO_SKIPPED                       /* it was late; no data */
} clipper_proto_status_e;


typedef enum {
    CLIPPER_PROTO_METADATA = 0,
    CLIPPER_PROTO_REPLY,
    CLIPPER_PROTO_HEARTBEAT,
    CLIPPER_PROTO_LEAVING,
    CLIPPER_PROTO_NONE                          /* the type was unreadable */
} clipper_proto_kind_e;


typedef struct {
    const u_char                           *data;
    size_t                                  len;
} clipper_proto_frame_t;


typedef struct {
    ngx_str_t                               name;
    ngx_str_t                               version;
    ngx_uint_t                              input_type;
    ngx_str_t                               token;      /* version 4 */
    ngx_str_t                               digest;     /* version 4 */
} clipper_proto_metadata_t;


typedef struct {
    clipper_proto_status_e                  status;
    const u_char                           *data;
    size_t                                  len;
} clipper_proto_output_t;


typedef struct {
    clipper_proto_kind_e                    kind;
    clipper_proto_error_e                   error;

    /* metadata: the version in the last frame, 0 if it is unreadable */
    uint32_t                                rpc_version;
    clipper_proto_metadata_t                metadata;

    /* reply: the id is valid if has_id, whatever else is wrong */
    uint32_t                                message_id;
    ngx_uint_t                              count;
    unsigned                                has_id:1;

    /* the cursor of output_next, private to the codec */
    ngx_uint_t                              next;
    const u_char                           *lengths;
    const u_char                           *statuses;   /* NULL: all 0 */
    const u_char                           *data;       /* NULL: frames */
    const clipper_proto_frame_t            *outputs;
} clipper_proto_message_t;


#endif /* _CLIPPER_PROTO_MESSAGE_H_INCLUDED_ */

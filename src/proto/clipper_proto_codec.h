
/*
 * The differences between the versions of the protocol: the file of each
 * version gives a row to clipper_proto.c.
 */


#ifndef _CLIPPER_PROTO_CODEC_H_INCLUDED_
#define _CLIPPER_PROTO_CODEC_H_INCLUDED_


#include "proto/clipper_proto_message.h"


/* message types on the wire; CONTENT is a request or its reply */

#define CLIPPER_PROTO_NEW_CONTAINER   0
#define CLIPPER_PROTO_CONTENT         1
#define CLIPPER_PROTO_BEAT            2
#define CLIPPER_PROTO_MOVE            3
#define CLIPPER_PROTO_LEAVE           5
#define CLIPPER_PROTO_REFUSE          6


typedef enum {
    CLIPPER_PROTO_PREDICT = 0,
    CLIPPER_PROTO_PROBE                         /* version 4 only */
} clipper_proto_request_e;


typedef struct {
    uint32_t                                message_id;
    clipper_proto_request_e                 kind;
    ngx_uint_t                              input_type;
    ngx_uint_t                              count;
} clipper_proto_request_t;


/* the fixed frames of a request, up to the one before the header frame */

typedef struct {
    clipper_proto_frame_t                   frames[6];
    ngx_uint_t                              nframes;
    u_char                                  buf[24];
} clipper_proto_head_t;


/*
 * The functions of one version.  A request is sent as the frames of
 * head(), one frame of header_size(n) bytes written by header() and then
 * input() for i = 0 .. n-1, and the inputs: each in a frame of its own, or if
 * "joined" back to back in one frame, which is there even with no input.
 */

typedef struct {
    ngx_uint_t                              version;
    unsigned                                joined:1;
    unsigned                                probes:1;

    size_t                                (*header_size)(ngx_uint_t n);
    void                                  (*head)(
                                  clipper_proto_head_t *head,
                                  const clipper_proto_request_t *r);
    void                                  (*header)(u_char *header,
                                  const clipper_proto_request_t *r);
    void                                  (*input)(u_char *header,
                                  ngx_uint_t n, ngx_uint_t i, uint64_t len,
                                  uint64_t left_us);
    clipper_proto_error_e        (*reply)(
                                  clipper_proto_message_t *m,
                                  const clipper_proto_frame_t *frames,
                                  ngx_uint_t n);
} clipper_proto_codec_t;


extern const clipper_proto_codec_t  clipper_proto_v3_codec;
extern const clipper_proto_codec_t  clipper_proto_v4_codec;


#endif /* _CLIPPER_PROTO_CODEC_H_INCLUDED_ */


/*
 * Clipper: what the files of the wire codec share; nobody else includes it.
 */

#ifndef _CLIPPER_PROTO_CODEC_H_INCLUDED_
#define _CLIPPER_PROTO_CODEC_H_INCLUDED_


#include "proto/clipper_proto.h"


/* message types on the wire; CONTENT is a request or its reply */

#define CLIPPER_PROTO_NEW_CONTAINER   0
#define CLIPPER_PROTO_CONTENT         1
#define CLIPPER_PROTO_BEAT            2
#define CLIPPER_PROTO_MOVE            3
#define CLIPPER_PROTO_LEAVE           5
#define CLIPPER_PROTO_REFUSE          6


extern const clipper_proto_codec_t  clipper_proto_codec_v3;
extern const clipper_proto_codec_t  clipper_proto_codec_v4;


/* the metadata message; the frames before frame 2 have been checked */

clipper_proto_error_e clipper_proto_metadata(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n);


#endif /* _CLIPPER_PROTO_CODEC_H_INCLUDED_ */


/*
 * Clipper: what the files of the wire codec share, and the row that the file
 * of each version gives to clipper_proto.c; nobody else includes it.
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


extern const clipper_proto_codec_t  clipper_proto_v3_codec;
extern const clipper_proto_codec_t  clipper_proto_v4_codec;


#endif /* _CLIPPER_PROTO_CODEC_H_INCLUDED_ */

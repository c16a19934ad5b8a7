
/*
 * Clipper: the wire codec of the container RPC, versions 3 and 4.  Pure.
 *
 * A message is an array of frames; frame 0 is the empty delimiter, and the
 * identity frame is not part of it.  The codec never allocates and never
 * copies: the results of decode point into the frames, which must live as long
 * as the message is used.
 *
 * All sizes, counts, types and texts that a peer sends are checked here; what
 * decode accepts can be walked without further checks.
 */


#ifndef _CLIPPER_PROTO_H_INCLUDED_
#define _CLIPPER_PROTO_H_INCLUDED_


#include "proto/clipper_proto_codec.h"


/* NULL for an unsupported version */

const clipper_proto_codec_t *clipper_proto_version_codec(ngx_uint_t version);

/*
 * Decodes a whole message of a peer whose version is V3, V4 or UNKNOWN.
 * "expected" is the size of the batch the peer is working on, or ANY_COUNT.
 * NGX_OK, or NGX_DECLINED and m->error; m->kind, m->has_id and m->rpc_version
 * are set in both cases as far as they could be read.  A reply of an UNKNOWN
 * peer is EUNREGISTERED.
 */

ngx_int_t clipper_proto_decode(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version,
    ngx_uint_t expected);

/* the outputs of a decoded reply in order: NGX_OK, then NGX_DONE */

ngx_int_t clipper_proto_output_next(clipper_proto_message_t *m,
    clipper_proto_output_t *out);

/*
 * Messages to a container that consist of constant bytes and perhaps a text.
 * They fill frames and return their number; "version" is that of the peer.
 * move and refused exist in version 4 only.
 */

#define CLIPPER_PROTO_CONTROL_FRAMES  4

ngx_uint_t clipper_proto_keepalive(clipper_proto_frame_t *frames,
    ngx_uint_t version);
ngx_uint_t  clipper_proto_ask_metadata(clipper_proto_frame_t *frames);
ngx_uint_t  clipper_proto_move(clipper_proto_frame_t *frames);
ngx_uint_t clipper_proto_refused(clipper_proto_frame_t *frames,
    const ngx_str_t *text);


#endif /* _CLIPPER_PROTO_H_INCLUDED_ */


/*
 * The metadata that a container sends to register.
 */


#ifndef _CLIPPER_PROTO_METADATA_H_INCLUDED_
#define _CLIPPER_PROTO_METADATA_H_INCLUDED_


#include "proto/clipper_proto_message.h"


/* the metadata message; the frames before frame 2 have been checked */

clipper_proto_error_e clipper_proto_metadata(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n);


#endif /* _CLIPPER_PROTO_METADATA_H_INCLUDED_ */


/*
 * Unpacks a body in several pieces of memory: gzip (RFC 1952, also several
 * members) and deflate (RFC 1950, or the bare RFC 1951 that some clients send).
 *
 * Promise: writes no byte beyond the limit, whatever the input claims; never
 * reads past the end of a piece.  The object keeps zlib's memory between
 * bodies.  No nginx object, clock, lock or randomness.
 */


#ifndef _CLIPPER_INFLATE_H_INCLUDED_
#define _CLIPPER_INFLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <zlib.h>
#include "base/clipper_scratch.h"


#define CLIPPER_INFLATE_GZIP     1
#define CLIPPER_INFLATE_DEFLATE  2


typedef struct {
    z_stream      stream;
    ngx_uint_t    ready;
} clipper_inflate_t;


/* all zero is a fresh object; frees what it keeps */
void clipper_inflate_done(clipper_inflate_t *z);

/*
 * Appends what the segments unpack to.  NGX_OK; NGX_DECLINED: no whole stream
 * of this coding, which shows at *offset of the packed bytes; NGX_ABORT: more
 * than limit bytes; NGX_ERROR: out cannot grow.
 */
ngx_int_t clipper_inflate(clipper_inflate_t *z, ngx_uint_t coding,
    const clipper_segment_t *segments, ngx_uint_t n, size_t limit,
    clipper_scratch_t *out, size_t *offset);


#endif /* _CLIPPER_INFLATE_H_INCLUDED_ */

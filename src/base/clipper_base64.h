
/*
 * Base64 (RFC 4648 section 4), decoded in place.
 *
 * Promise: only the standard alphabet; padding may be left out but must be
 * right if present; no white space.  Surplus bits of the last character are
 * ignored, as most decoders do.
 */


#ifndef _CLIPPER_BASE64_H_INCLUDED_
#define _CLIPPER_BASE64_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* returns the decoded length, in place, or NGX_ERROR: not base64 */

ssize_t clipper_base64_decode(u_char *data, size_t len);


#endif /* _CLIPPER_BASE64_H_INCLUDED_ */

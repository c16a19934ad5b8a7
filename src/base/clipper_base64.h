
/*
 * Base64 as it is found in the wild, decoded in place.
 *
 * Promise: takes the standard and the URL-safe alphabet of RFC 4648, also
 * mixed; padding may be left out but must be right if present; white space
 * (blank, tab, CR, LF) anywhere, as in MIME and PEM; and the prefix of a data
 * URL, "data:image/png;base64,".  Surplus bits of the last character are
 * ignored, as most decoders do.
 */


#ifndef _CLIPPER_BASE64_H_INCLUDED_
#define _CLIPPER_BASE64_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Returns the decoded length, in place, or NGX_ERROR: not base64, and *bad is
 * the offset of the first wrong byte, len if something is missing at the end.
 */

ssize_t clipper_base64_decode(u_char *data, size_t len, size_t *bad);


#endif /* _CLIPPER_BASE64_H_INCLUDED_ */


/*
 * Text from outside as one line of text: for the log, for headers.
 *
 * Control characters, C1 included, and bytes that are not UTF-8 become \xHH.
 */


#ifndef _CLIPPER_PLAIN_H_INCLUDED_
#define _CLIPPER_PLAIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes that one byte can become */
#define CLIPPER_PLAIN_MAX  4


/* 1: clipper_plain() would copy it unchanged */
ngx_uint_t clipper_plain_is(const u_char *src, size_t len);

/* writes what fits as a whole between dst and end; returns the end of it */
u_char *clipper_plain(u_char *dst, u_char *end, const u_char *src, size_t len);

/* *text becomes what fits in buf */
void clipper_plain_text(ngx_str_t *text, u_char *buf, size_t size);


#endif /* _CLIPPER_PLAIN_H_INCLUDED_ */

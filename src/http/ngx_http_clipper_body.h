
/*
 * The body of a request for the scanner: in memory, in several buffers, or
 * spooled to a file.
 *
 * The scanner's buffers belong to the worker.  One request uses them at a
 * time, from scan to release, and must not wait in between.
 */


#ifndef _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/*
 * Scans the body, which has been read; if coding is a CLIPPER_INFLATE_*, it is
 * unpacked first.  The `error` of the result says how the scan ended.  NULL:
 * out of memory or unreadable file, logged.
 */
clipper_input_t *ngx_http_clipper_body_scan(ngx_http_request_t *r,
    ngx_http_clipper_app_t *app, ngx_uint_t mode, ngx_uint_t coding);

void ngx_http_clipper_body_release(clipper_input_t *in);

/*
 * Frees the body of a request after its scan: a waiting request needs little
 * memory without it.  The body is kept if the configuration uses $request_body.
 */
void ngx_http_clipper_body_free(ngx_http_request_t *r);

/* after the configuration is read: checks whether it uses $request_body */
void ngx_http_clipper_body_conf(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_ */

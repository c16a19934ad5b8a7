
/*
 * The body of a request for the scanner: in memory, split, or spooled to a
 * file.  The scanner's buffers are the worker's and are used by one request at
 * a time, from scan to release, between which nothing may wait.
 */


#ifndef _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/*
 * Scans the body that has been read; the error member of what it gives tells
 * how that ended.  NULL: no memory or the file cannot be read, logged.
 */
clipper_input_t *ngx_http_clipper_body_scan(ngx_http_request_t *r,
    ngx_http_clipper_app_t *app, ngx_uint_t mode);

void ngx_http_clipper_body_release(clipper_input_t *in);

/*
 * Gives back the memory of a body that was scanned: of a request that waits it
 * is the greatest part.  The body of a configuration that uses $request_body
 * is kept.
 */
void ngx_http_clipper_body_free(ngx_http_request_t *r);

/* after the configuration is read: does it use $request_body? */
void ngx_http_clipper_body_conf(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CLIPPER_BODY_H_INCLUDED_ */

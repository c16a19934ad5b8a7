
/*
 * What the files of the zone's check share.
 */


#ifndef _NGX_HTTP_CLIPPER_CHECK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CHECK_H_INCLUDED_


#include "shm/clipper_zone.h"


#define ngx_http_clipper_check(cond, what, row)                               \
    if (!(cond)) {                                                            \
        return ngx_http_clipper_check_says(what, row);                        \
    }


/* the text of a contradiction, in one static buffer */
const char *ngx_http_clipper_check_says(const char *what, uint32_t row);

/* each gives NULL or the text */
const char *ngx_http_clipper_check_flights(ngx_http_clipper_zone_t *zone);
const char *ngx_http_clipper_check_hash(ngx_http_clipper_zone_t *zone);
const char *ngx_http_clipper_check_waiters(ngx_http_clipper_zone_t *zone);
const char *ngx_http_clipper_check_lists(ngx_http_clipper_zone_t *zone);
const char *ngx_http_clipper_check_mail(ngx_http_clipper_zone_t *zone);
const char *ngx_http_clipper_check_chunks(ngx_http_clipper_zone_t *zone);


#endif /* _NGX_HTTP_CLIPPER_CHECK_H_INCLUDED_ */


/*
 * Models and replicas in the status document.  Rows of shared memory are copied
 * under the mutex, a few at a time, and written without it.
 */


#ifndef _NGX_HTTP_CLIPPER_STATUS_MODELS_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATUS_MODELS_H_INCLUDED_


#include "conf/ngx_http_clipper.h"
#include "http/ngx_http_clipper_document.h"
#include "shm/clipper_table.h"


/* rows examined and copied under the mutex at a time */

#define NGX_HTTP_CLIPPER_STATUS_LOOK  64
#define NGX_HTTP_CLIPPER_STATUS_BITE  8


void ngx_http_clipper_status_models(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf);
void ngx_http_clipper_status_models_replicas(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone);

/* the name of an input type; NGX_CONF_UNSET is null */
void ngx_http_clipper_status_models_type(ngx_http_clipper_document_t *d,
    const char *key, ngx_int_t type);


#endif /* _NGX_HTTP_CLIPPER_STATUS_MODELS_H_INCLUDED_ */

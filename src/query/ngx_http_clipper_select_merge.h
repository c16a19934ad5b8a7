
/*
 * From the asks of a query to its answers: one model's word, or what several
 * agree on; and the records that feedback will find.
 */


#ifndef _NGX_HTTP_CLIPPER_SELECT_MERGE_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_SELECT_MERGE_H_INCLUDED_


#include "query/ngx_http_clipper_query_type.h"


/* all asks are over */
void ngx_http_clipper_select_merge(ngx_http_clipper_query_t *query);


#endif /* _NGX_HTTP_CLIPPER_SELECT_MERGE_H_INCLUDED_ */


/*
 * This instance's number, which the ids of its queries contain.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_ID_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_ID_H_INCLUDED_


#include "query/ngx_http_clipper_state_flow.h"


/* asks Redis for this instance's number, unless it has one */
void ngx_http_clipper_state_id_ask(void);

/*
 * The id of the next query: below 2^53, not predictable from earlier ids,
 * different from those of other workers and of other instances on the same
 * Redis.  With clipper_query_id_bits 31 it is below 2^31, and only different
 * from those of other workers.
 */
uint64_t ngx_http_clipper_state_id_next(clipper_zone_t *zone);

/* whether it is of a query of this instance, since its zone was made */
ngx_uint_t ngx_http_clipper_state_id_own(clipper_zone_t *zone, uint64_t id);


#endif /* _NGX_HTTP_CLIPPER_STATE_ID_H_INCLUDED_ */


/*
 * The time of learned states.  In the zone it is that of the machine since its
 * start, which nobody sets.  In Redis it is Unix time by the clock of Redis,
 * the same for all instances: a clock of an instance that is wrong or jumps
 * moves nothing, and one of Redis that was ahead is forgiven.
 *
 * A Redis that does not tell its time (the user may not call TIME) gets the
 * wall clock of the instance that writes.
 */


#ifndef _NGX_HTTP_CLIPPER_STATE_TIME_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_STATE_TIME_H_INCLUDED_


#include "query/ngx_http_clipper_state_flow.h"


/* asks Redis for its time; replies to later commands may need it */
void ngx_http_clipper_state_time_ask(void);

/* Redis said so now */
void ngx_http_clipper_state_time_told(double now);

/* the clocks in a reply become the zone's */
void ngx_http_clipper_state_time_convert(clipper_state_reply_t *reply);


#endif /* _NGX_HTTP_CLIPPER_STATE_TIME_H_INCLUDED_ */

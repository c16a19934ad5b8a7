
/*
 * The worker's row in the zone, and the rows of the names in its
 * configuration: taken at its start, or later, when others have gone.
 */


#ifndef _NGX_HTTP_CLIPPER_ENTER_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_ENTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* opens the doorbell, too */
ngx_int_t ngx_http_clipper_enter_init(ngx_cycle_t *cycle);

void ngx_http_clipper_enter_done(void);


#endif /* _NGX_HTTP_CLIPPER_ENTER_H_INCLUDED_ */

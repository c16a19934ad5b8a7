
/*
 * Directives of a location that make no sense together, or without others.
 */


#ifndef _NGX_HTTP_CLIPPER_CONF_CHECK_H_INCLUDED_
#define _NGX_HTTP_CLIPPER_CONF_CHECK_H_INCLUDED_


#include "conf/ngx_http_clipper.h"


/* the links of a location, and whether an application has them */

typedef struct {
    ngx_array_t                  *links;        /* of .._link_t */
    ngx_uint_t                    used;
} ngx_http_clipper_links_t;


/* links of a location: an application there or inside must use them */
ngx_int_t ngx_http_clipper_conf_check_add_links(ngx_conf_t *cf,
    ngx_array_t *links);

/* an application uses these links, its own or inherited ones */
void ngx_http_clipper_conf_check_use_links(ngx_conf_t *cf,
    ngx_array_t *links);

/*
 * The first is called before a handler of the module is set, the second at the
 * end, as another directive may have replaced it.  NGX_DECLINED: the location
 * has another handler.
 */
ngx_int_t ngx_http_clipper_conf_check_free(ngx_conf_t *cf);
ngx_int_t ngx_http_clipper_conf_check_kept(ngx_conf_t *cf,
    ngx_http_clipper_loc_conf_t *lcf);

/* at the end: links that nothing uses, applications without a container */
ngx_int_t ngx_http_clipper_conf_check_all(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf);

/* warns where the zone cannot keep all names that learning needs */
void ngx_http_clipper_conf_check_names(ngx_http_clipper_main_conf_t *mcf,
    ngx_log_t *log);


#endif /* _NGX_HTTP_CLIPPER_CONF_CHECK_H_INCLUDED_ */

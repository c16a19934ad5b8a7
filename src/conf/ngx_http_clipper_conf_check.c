
/*
 * Directives that make no sense together, see the header.
 */


#include "conf/ngx_http_clipper_conf_check.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "shm/clipper_zone.h"


static ngx_uint_t ngx_http_clipper_conf_check_new(
    ngx_http_clipper_main_conf_t *mcf, ngx_uint_t app, ngx_uint_t n);


ngx_int_t
ngx_http_clipper_conf_check_add_links(ngx_conf_t *cf, ngx_array_t *links)
{
    ngx_http_clipper_links_t      *slot;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);

    slot = ngx_array_push(&mcf->links);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    slot->links = links;
    slot->used = 0;

    return NGX_OK;
}


void
ngx_http_clipper_conf_check_use_links(ngx_conf_t *cf, ngx_array_t *links)
{
    ngx_uint_t                     i;
    ngx_http_clipper_links_t      *all;
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_clipper_module);
    all = mcf->links.elts;

    for (i = 0; i < mcf->links.nelts; i++) {
        if (all[i].links == links) {
            all[i].used = 1;
        }
    }
}


ngx_int_t
ngx_http_clipper_conf_check_free(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return clcf->handler ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_clipper_conf_check_kept(ngx_conf_t *cf,
    ngx_http_clipper_loc_conf_t *lcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (lcf->handler == NULL || clcf->handler == lcf->handler) {
        return NGX_OK;
    }

    ngx_http_clipper_conf_value_error(cf, lcf->file, lcf->line,
                       "another directive, such as \"proxy_pass\", answers "
                       "instead of the clipper handler of location \"%V\"",
                       &clcf->name);
    return NGX_ERROR;
}


ngx_int_t
ngx_http_clipper_conf_check_all(ngx_conf_t *cf,
    ngx_http_clipper_main_conf_t *mcf)
{
    ngx_uint_t                 i;
    ngx_http_clipper_link_t   *link;
    ngx_http_clipper_app_t   **apps;
    ngx_http_clipper_links_t  *all;

    all = mcf->links.elts;

    for (i = 0; i < mcf->links.nelts; i++) {
        if (!all[i].used && all[i].links->nelts) {
            link = all[i].links->elts;
            ngx_http_clipper_conf_value_error(cf, link->file, link->line,
                       "\"clipper_link\" needs a \"clipper_app\" in its "
                       "location or inside it");
            return NGX_ERROR;
        }
    }

    if (mcf->apps.nelts && mcf->endpoints.nelts == 0) {
        apps = mcf->apps.elts;
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "no \"clipper_rpc\": no container can connect, and "
                      "application \"%V\" always answers with its "
                      "default, in %s:%ui",
                      &apps[0]->name, apps[0]->file, apps[0]->line);
    }

    return NGX_OK;
}


/*
 * What an application learns is named: by itself with its policy, and by its
 * members.  Without room for all of an application's it learns nothing.
 */

void
ngx_http_clipper_conf_check_names(ngx_http_clipper_main_conf_t *mcf,
    ngx_log_t *log)
{
    size_t                    needed, room, extra;
    ngx_uint_t                i, n;
    const clipper_policy_t   *policy;
    ngx_http_clipper_app_t  **apps;

    apps = mcf->apps.elts;
    needed = 0;
    extra = 0;

    for (i = 0; i < mcf->apps.nelts; i++) {
        policy = apps[i]->opt.select.policy;

        if (policy->observe == NULL) {
            continue;
        }

        needed++;
        extra = ngx_max(extra, policy->nextra);

        for (n = 0; n < apps[i]->links.nelts; n++) {
            needed += ngx_http_clipper_conf_check_new(mcf, i, n);
        }
    }

    needed += extra;
    room = clipper_zone_names(mcf->zone_size - mcf->zone_size / 64) - 1;

    if (needed > room) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "clipper_zone of %uz bytes has room for the names of %uz "
                      "learned states, but the applications that learn and "
                      "their links need %uz: some will not learn; increase it",
                      mcf->zone_size, room, needed);
    }
}


/* whether no earlier link of an application that learns is the same */

static ngx_uint_t
ngx_http_clipper_conf_check_new(ngx_http_clipper_main_conf_t *mcf,
    ngx_uint_t app, ngx_uint_t n)
{
    ngx_uint_t                 i, k, end;
    ngx_http_clipper_app_t   **apps;
    ngx_http_clipper_link_t   *link, *links;

    apps = mcf->apps.elts;
    link = (ngx_http_clipper_link_t *) apps[app]->links.elts + n;

    for (i = 0; i <= app; i++) {

        if (apps[i]->opt.select.policy->observe == NULL) {
            continue;
        }

        links = apps[i]->links.elts;
        end = (i == app) ? n : apps[i]->links.nelts;

        for (k = 0; k < end; k++) {
            if (links[k].model == link->model
                && links[k].version == link->version)
            {
                return 0;
            }
        }
    }

    return 1;
}

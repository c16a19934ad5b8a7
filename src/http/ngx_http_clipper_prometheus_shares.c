
/*
 * clipper_selection_weight: the current weights of the links of each
 * application.  A link whose version is not announced has no sample; links to
 * the same version are summed.
 */


#include "http/ngx_http_clipper_prometheus_shares.h"
#include "query/ngx_http_clipper_select.h"
#include "http/ngx_http_clipper_prometheus_text.h"


static void ngx_http_clipper_prometheus_shares_app(
    ngx_http_clipper_prometheus_t *p, ngx_http_clipper_app_t *app);


void
ngx_http_clipper_prometheus_shares(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_uint_t                i;
    ngx_http_clipper_app_t  **apps;

    apps = p->conf->apps.elts;

    for (i = 0; i < p->conf->apps.nelts; i++) {
        ngx_http_clipper_prometheus_shares_app(p, apps[i]);
    }
}


static void
ngx_http_clipper_prometheus_shares_app(ngx_http_clipper_prometheus_t *p,
    ngx_http_clipper_app_t *app)
{
    u_char                            buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    double                            shares[CLIPPER_POLICY_MEMBERS];
    uint64_t                          told;
    ngx_str_t                         labels, version;
    ngx_uint_t                        i, k, n;
    ngx_http_clipper_link_t          *links;
    const ngx_http_clipper_lineup_t  *lineup;

    lineup = ngx_http_clipper_select_shares(app, shares);
    if (lineup == NULL) {
        p->failed = 1;
        return;
    }

    links = app->links.elts;
    n = app->links.nelts;
    labels.data = buf;
    told = 0;

    for (i = 0; i < n; i++) {

        if (lineup->rows[i] == 0 || (told & ((uint64_t) 1 << i))) {
            continue;
        }

        for (k = i + 1; k < n; k++) {
            if (lineup->rows[k] == lineup->rows[i]) {
                shares[i] += shares[k];
                told |= (uint64_t) 1 << k;
            }
        }

        version = lineup->names[i];
        version.data += links[i].model->name.len + 1;
        version.len -= links[i].model->name.len + 1;

        labels.len = 0;
        ngx_http_clipper_prometheus_text_label(&labels, "app", app->name.data,
                                               app->name.len);
        ngx_http_clipper_prometheus_text_label(&labels, "model",
                                               links[i].model->name.data,
                                               links[i].model->name.len);
        ngx_http_clipper_prometheus_text_label(&labels, "version", version.data,
                                               version.len);
        ngx_http_clipper_prometheus_text_real(p, &labels, shares[i]);
    }
}

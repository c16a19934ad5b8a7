
/*
 * How an application chooses among its models: clipper_select, clipper_loss,
 * clipper_confidence, clipper_uid.
 */


#include "conf/ngx_http_clipper_conf_select.h"
#include "conf/ngx_http_clipper_conf_value.h"
#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_param.h"


static char *ngx_http_clipper_conf_select_param(ngx_conf_t *cf,
    clipper_policy_conf_t *policy, ngx_str_t *value);


char *
ngx_http_clipper_conf_select(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               i;
    const clipper_policy_t  *policy;

    if (lcf->opt.select.policy) {
        return "is duplicate";
    }

    value = cf->args->elts;
    policy = clipper_policy_table_find(&value[1]);

    if (policy == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown selection policy \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    clipper_policy_param_init(&lcf->opt.select, policy);

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_clipper_conf_select_param(cf, &lcf->opt.select,
                                                &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_clipper_conf_select_param(ngx_conf_t *cf,
    clipper_policy_conf_t *policy, ngx_str_t *value)
{
    char       err[CLIPPER_POLICY_ERR_LEN];
    u_char    *equals;
    ngx_str_t  name, text;

    equals = ngx_strlchr(value->data, value->data + value->len, '=');

    if (equals == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    name.data = value->data;
    name.len = equals - value->data;
    text.data = equals + 1;
    text.len = value->len - name.len - 1;

    if (clipper_policy_param_set(policy, &name, &text, err)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "selection policy \"%V\": %s",
                           &policy->policy->name, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_select_loss(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_str_t  *value, range;

    if (lcf->opt.loss.low != lcf->opt.loss.high) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (clipper_loss_set(&lcf->opt.loss, &value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown loss \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    range.data = value[2].data + 6;
    range.len = value[2].len - 6;

    if (ngx_strncmp(value[2].data, "range=", 6) != 0
        || lcf->opt.loss.type == CLIPPER_LOSS_ZERO_ONE
        || clipper_loss_range(&lcf->opt.loss, &range) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_select_confidence(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (lcf->opt.confidence != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atofp(value[1].data, value[1].len, 6);

    if (n == NGX_ERROR || n > 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid confidence \"%V\", it must be between "
                           "0 and 1", &value[1]);
        return NGX_CONF_ERROR;
    }

    lcf->opt.confidence = n;

    return NGX_CONF_OK;
}


char *
ngx_http_clipper_conf_select_uid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_clipper_loc_conf_t *lcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (lcf->uid != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->uid_body = 0;
    lcf->uid = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (lcf->uid == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = lcf->uid;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (lcf->uid->lengths == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no variables, so all clients would be "
                           "the same user", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "body") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    lcf->uid_body = 1;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_clipper_conf_select_links(ngx_conf_t *cf, ngx_http_clipper_app_t *app)
{
    ngx_uint_t                i;
    ngx_http_clipper_link_t  *links;

    links = app->links.elts;

    if (app->links.nelts > CLIPPER_POLICY_MEMBERS) {
        ngx_http_clipper_conf_value_error(cf, app->file, app->line,
                       "application \"%V\" links %ui models, the maximum is %d",
                       &app->name, app->links.nelts, CLIPPER_POLICY_MEMBERS);
        return NGX_ERROR;
    }

    if (app->links.nelts && app->links.nelts < app->opt.select.policy->links) {
        ngx_http_clipper_conf_value_error(cf, app->file, app->line,
                       "selection policy \"%V\" needs %ui models, but "
                       "application \"%V\" links %ui",
                       &app->opt.select.policy->name,
                       app->opt.select.policy->links, &app->name,
                       app->links.nelts);
        return NGX_ERROR;
    }

    app->weights = ngx_palloc(cf->pool, (app->links.nelts + 1)
                                        * sizeof(double));
    if (app->weights == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < app->links.nelts; i++) {
        app->weights[i] = links[i].weight;
    }

    return NGX_OK;
}


/*
 * The options of an application, see the header.
 */


#include "conf/ngx_http_clipper_conf_opt.h"
#include "base/clipper_name.h"
#include "learn/clipper_policy_param.h"
#include "learn/clipper_policy_table.h"


void
ngx_http_clipper_conf_opt_unset(ngx_http_clipper_conf_opt_t *opt)
{
    opt->input_type = NGX_CONF_UNSET;
    opt->strict = NGX_CONF_UNSET;
    opt->nulls = NGX_CONF_UNSET;
    opt->binary = NGX_CONF_UNSET;
    opt->decompress = NGX_CONF_UNSET_SIZE;
    opt->explain = NGX_CONF_UNSET;
    opt->slo = NGX_CONF_UNSET_MSEC;
    opt->cache = NGX_CONF_UNSET;
    opt->cache_valid = NGX_CONF_UNSET_MSEC;
    opt->confidence = NGX_CONF_UNSET;
    opt->limits.batch = NGX_CONF_UNSET_UINT;
    opt->limits.elements = NGX_CONF_UNSET_SIZE;
    opt->limits.depth = NGX_CONF_UNSET_UINT;
    opt->limits.output = NGX_CONF_UNSET_SIZE;
}


void
ngx_http_clipper_conf_opt_merge(ngx_http_clipper_conf_opt_t *prev,
    ngx_http_clipper_conf_opt_t *opt)
{
    static ngx_str_t  first = ngx_string("first");
    static ngx_str_t  zero_one = ngx_string("zero_one");

    ngx_conf_merge_value(opt->input_type, prev->input_type, CLIPPER_DOUBLES);
    ngx_conf_merge_value(opt->strict, prev->strict, 0);
    ngx_conf_merge_value(opt->nulls, prev->nulls, 0);
    ngx_conf_merge_value(opt->binary, prev->binary, 0);
    ngx_conf_merge_size_value(opt->decompress, prev->decompress, 0);
    ngx_conf_merge_value(opt->explain, prev->explain, 0);
    ngx_conf_merge_msec_value(opt->slo, prev->slo, 100);
    ngx_conf_merge_value(opt->cache, prev->cache, 1);
    ngx_conf_merge_msec_value(opt->cache_valid, prev->cache_valid, 0);
    ngx_conf_merge_value(opt->confidence, prev->confidence, 0);
    ngx_conf_merge_uint_value(opt->limits.batch, prev->limits.batch, 1000);
    ngx_conf_merge_size_value(opt->limits.elements, prev->limits.elements,
                              1024 * 1024);
    ngx_conf_merge_uint_value(opt->limits.depth, prev->limits.depth, 64);
    ngx_conf_merge_size_value(opt->limits.output, prev->limits.output,
                              1024 * 1024);

    /* not ngx_conf_merge_str_value(): "" is a valid default output */

    if (opt->output.data == NULL) {
        opt->output = prev->output;
    }

    if (opt->output.data == NULL) {
        ngx_str_set(&opt->output, "null");
    }

    if (opt->select.policy == NULL) {
        opt->select = prev->select;
    }

    if (opt->select.policy == NULL) {
        clipper_policy_param_init(&opt->select,
                                  clipper_policy_table_find(&first));
    }

    if (opt->loss.low == opt->loss.high) {
        opt->loss = prev->loss;
    }

    if (opt->loss.low == opt->loss.high) {
        (void) clipper_loss_set(&opt->loss, &zero_one);
    }
}


const char *
ngx_http_clipper_conf_opt_differs(const ngx_http_clipper_conf_opt_t *a,
    const ngx_http_clipper_conf_opt_t *b)
{
    if (a->input_type != b->input_type || a->strict != b->strict
        || a->nulls != b->nulls)
    {
        return "\"clipper_input\"";
    }

    if (a->binary != b->binary) {
        return "\"clipper_binary\"";
    }

    if (a->decompress != b->decompress) {
        return "\"clipper_decompress\"";
    }

    if (a->explain != b->explain) {
        return "\"clipper_explain\"";
    }

    if (a->slo != b->slo) {
        return "\"clipper_slo\"";
    }

    if (!clipper_name_equal(&a->output, &b->output)) {
        return "\"clipper_default\"";
    }

    if (a->cache != b->cache || a->cache_valid != b->cache_valid) {
        return "\"clipper_cache\"";
    }

    /* no padding in these */

    if (ngx_memcmp(&a->limits, &b->limits, sizeof(a->limits)) != 0) {
        return "\"clipper_limits\"";
    }

    if (ngx_memcmp(&a->select, &b->select, sizeof(a->select)) != 0) {
        return "\"clipper_select\"";
    }

    if (a->loss.type != b->loss.type || a->loss.low != b->loss.low
        || a->loss.high != b->loss.high)
    {
        return "\"clipper_loss\"";
    }

    if (a->confidence != b->confidence) {
        return "\"clipper_confidence\"";
    }

    return NULL;
}

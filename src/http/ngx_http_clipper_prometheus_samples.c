
/*
 * Samples of a group, see the header.
 */


#include "http/ngx_http_clipper_prometheus_samples.h"
#include "http/ngx_http_clipper_prometheus_text.h"


static void ngx_http_clipper_prometheus_histogram(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group, const ngx_str_t *bounds,
    ngx_uint_t n, ngx_uint_t time);


/* clipper_time_bounds in seconds, clipper_size_bounds */

static const ngx_str_t  ngx_http_clipper_prometheus_time_bounds[] = {
    ngx_string("0.0005"), ngx_string("0.001"), ngx_string("0.0025"),
    ngx_string("0.005"), ngx_string("0.01"), ngx_string("0.025"),
    ngx_string("0.05"), ngx_string("0.1"), ngx_string("0.25"),
    ngx_string("0.5"), ngx_string("1"), ngx_string("2.5"), ngx_string("5"),
    ngx_string("10")
};

static const ngx_str_t  ngx_http_clipper_prometheus_size_bounds[] = {
    ngx_string("1"), ngx_string("2"), ngx_string("4"), ngx_string("8"),
    ngx_string("16"), ngx_string("32"), ngx_string("64"), ngx_string("128"),
    ngx_string("256"), ngx_string("512"), ngx_string("1024"),
    ngx_string("2048"), ngx_string("4096"), ngx_string("8192")
};


void
ngx_http_clipper_prometheus_samples_counter(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_text_count(p, "", &group->labels,
                                           group->sum[family->offset]);
}


void
ngx_http_clipper_prometheus_samples_counters(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    u_char      buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    ngx_str_t   labels;
    ngx_uint_t  k;

    labels.data = buf;
    ngx_memcpy(buf, group->labels.data, group->labels.len);

    for (k = family->begin; k < family->end; k++) {
        labels.len = group->labels.len;

        ngx_http_clipper_prometheus_text_label(&labels, family->label,
                                               family->values[k].data,
                                               family->values[k].len);
        ngx_http_clipper_prometheus_text_count(p, "", &labels,
                                               group->sum[family->offset + k]);
    }
}


void
ngx_http_clipper_prometheus_samples_times(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_histogram(p, family, group,
                                      ngx_http_clipper_prometheus_time_bounds,
                                      CLIPPER_TIME_BUCKETS, 1);
}


void
ngx_http_clipper_prometheus_samples_sizes(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_histogram(p, family, group,
                                      ngx_http_clipper_prometheus_size_bounds,
                                      CLIPPER_SIZE_BUCKETS, 0);
}


/* workers keep counting: the last bucket and the count must be one number */

static void
ngx_http_clipper_prometheus_histogram(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group, const ngx_str_t *bounds,
    ngx_uint_t n, ngx_uint_t time)
{
    u_char      buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    uint64_t    count, *sum;
    ngx_str_t   labels;
    ngx_uint_t  k;

    labels.data = buf;
    ngx_memcpy(buf, group->labels.data, group->labels.len);
    sum = &group->sum[family->offset];
    count = 0;

    for (k = 0; k <= n; k++) {
        count += sum[k];
        labels.len = group->labels.len;

        if (k < n) {
            ngx_http_clipper_prometheus_text_label(&labels, "le",
                                                   bounds[k].data,
                                                   bounds[k].len);
        } else {
            ngx_http_clipper_prometheus_text_label(&labels, "le",
                                                   (u_char *) "+Inf", 4);
        }

        ngx_http_clipper_prometheus_text_count(p, "_bucket", &labels, count);
    }

    if (time) {
        ngx_http_clipper_prometheus_text_seconds(p, "_sum", &group->labels,
                                                 sum[n + 1]);
    } else {
        ngx_http_clipper_prometheus_text_count(p, "_sum", &group->labels,
                                               sum[n + 1]);
    }

    ngx_http_clipper_prometheus_text_count(p, "_count", &group->labels, count);
}


/* the offset is that of a member of the group, not of a counter */

void
ngx_http_clipper_prometheus_samples_gauge(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    uint64_t  *value;

    value = (uint64_t *) ((u_char *) group + family->offset);

    ngx_http_clipper_prometheus_text_count(p, "", &group->labels, *value);
}

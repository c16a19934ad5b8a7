
/*
 * clipper_metrics, see the header.  A family is a row of the table below: its
 * name and the function that writes its samples.
 */


#include "http/ngx_http_clipper_prometheus.h"
#include "base/clipper_clock.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_record.h"
#include "query/ngx_http_clipper_feedback.h"
#include "worker/ngx_http_clipper_process.h"
#include "proto/clipper_proto.h"
#include "query/ngx_http_clipper_query.h"
#include "query/ngx_http_clipper_state.h"
#include "shm/clipper_zone.h"
#include "http/ngx_http_clipper_prometheus_groups.h"
#include "http/ngx_http_clipper_prometheus_shares.h"
#include "http/ngx_http_clipper_prometheus_text.h"

#include <zmq.h>


#define NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(member)                            \
    offsetof(ngx_http_clipper_prometheus_t, member)


static void ngx_http_clipper_prometheus_counter(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_counters(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_times(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_sizes(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_gauge(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_used(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_size(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_rpc(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_overflows(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_span(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_records(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_build(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_redis(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_started(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);
static void ngx_http_clipper_prometheus_loaded(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family);

static void ngx_http_clipper_prometheus_histogram(
    ngx_http_clipper_prometheus_t *p, const ngx_http_clipper_family_t *family,
    const ngx_str_t *bounds, ngx_uint_t n, ngx_uint_t time);
static ngx_int_t ngx_http_clipper_prometheus_send(ngx_http_request_t *r,
    ngx_http_clipper_prometheus_t *p);


static const ngx_str_t  ngx_http_clipper_prometheus_lookups[] = {
    ngx_string("hit"),
    ngx_string("miss"),
    ngx_string("joined")
};


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


#define NGX_HTTP_CLIPPER_APPS    NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(apps)
#define NGX_HTTP_CLIPPER_MODELS  NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(models)
#define NGX_HTTP_CLIPPER_ALONE   NULL, NULL, 0, 0

static const ngx_http_clipper_family_t  ngx_http_clipper_families[] = {

    { "clipper_queries_total", "counter",
      "Inputs of prediction requests, by outcome.",
      ngx_http_clipper_prometheus_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_OUTCOME,
      "outcome", ngx_http_clipper_query_outcomes,
      NGX_HTTP_CLIPPER_ANSWER, NGX_HTTP_CLIPPER_OUTCOMES },

    { "clipper_query_duration_seconds", "histogram",
      "Time from the last byte of a request to its response.",
      ngx_http_clipper_prometheus_times, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_DURATION, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_defaults_total", "counter",
      "Default outputs, by reason.",
      ngx_http_clipper_prometheus_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_DEFAULT,
      "reason", ngx_http_clipper_query_reasons,
      NGX_HTTP_CLIPPER_REASON_NONE + 1, NGX_HTTP_CLIPPER_REASONS },

    { "clipper_batch_duration_seconds", "histogram",
      "Time from sending a batch to a replica until its reply.",
      ngx_http_clipper_prometheus_times, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_BATCH_TIME, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_batch_size", "histogram",
      "Inputs per batch.",
      ngx_http_clipper_prometheus_sizes, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_BATCH_SIZE, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_queue_tasks", "gauge",
      "Inputs waiting for a replica.",
      ngx_http_clipper_prometheus_gauge, NGX_HTTP_CLIPPER_MODELS,
      offsetof(ngx_http_clipper_prometheus_group_t, queued),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_replicas", "gauge",
      "Replicas that may get batches.",
      ngx_http_clipper_prometheus_gauge, NGX_HTTP_CLIPPER_MODELS,
      offsetof(ngx_http_clipper_prometheus_group_t, replicas),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_tasks_dropped_total", "counter",
      "Inputs that a model did not answer in time, by reason.",
      ngx_http_clipper_prometheus_counters, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_DROPPED,
      "reason", ngx_http_clipper_query_reasons,
      NGX_HTTP_CLIPPER_REASON_NONE + 1, NGX_HTTP_CLIPPER_REASONS },

    { "clipper_hedges_total", "counter",
      "Inputs sent to a second replica because the first was slow.",
      ngx_http_clipper_prometheus_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_HEDGES, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redispatches_total", "counter",
      "Inputs queued again because their replica was lost.",
      ngx_http_clipper_prometheus_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_REDISPATCHES, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_cache_lookups_total", "counter",
      "Lookups in the prediction cache, by result.",
      ngx_http_clipper_prometheus_counters, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_CACHE,
      "result", ngx_http_clipper_prometheus_lookups, 0, 3 },

    { "clipper_cache_evictions_total", "counter",
      "Cache entries evicted to store outputs of a model.",
      ngx_http_clipper_prometheus_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_EVICTIONS, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_feedback_total", "counter",
      "Feedback, by result.",
      ngx_http_clipper_prometheus_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_FEEDBACK,
      "result", ngx_http_clipper_feedback_names,
      NGX_HTTP_CLIPPER_FEEDBACK_LEARNED, NGX_HTTP_CLIPPER_FEEDBACK_RESULTS },

    { "clipper_selection_weight", "gauge",
      "Probability that a link is chosen, or weight of its answer.",
      ngx_http_clipper_prometheus_shares, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_records", "gauge",
      "Answered queries that wait for feedback.",
      ngx_http_clipper_prometheus_records, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_records_span_seconds", "gauge",
      "Age of the oldest query that is remembered for feedback.",
      ngx_http_clipper_prometheus_span, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redis_up", "gauge",
      "Whether the worker of this scrape is connected to Redis.",
      ngx_http_clipper_prometheus_redis, 0,
      offsetof(ngx_http_clipper_state_stat_t, up), NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redis_pending_deltas", "gauge",
      "Applications and users with changes that are not in Redis yet.",
      ngx_http_clipper_prometheus_redis, 0,
      offsetof(ngx_http_clipper_state_stat_t, pending),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_zone_used_bytes", "gauge",
      "Shared memory used by rows, payload or cache entries.",
      ngx_http_clipper_prometheus_used, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_zone_size_bytes", "gauge",
      "Size of a shared memory zone.",
      ngx_http_clipper_prometheus_size, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_journal_overflows_total", "counter",
      "Changes of shared memory that a death would not have taken back.",
      ngx_http_clipper_prometheus_overflows, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_rpc_errors_total", "counter",
      "Dropped messages of containers, by cause.",
      ngx_http_clipper_prometheus_rpc, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_build_info", "gauge",
      "Always 1; the labels have the versions.",
      ngx_http_clipper_prometheus_build, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_start_time_seconds", "gauge",
      "Unix time when the counters were created.",
      ngx_http_clipper_prometheus_started, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_config_load_time_seconds", "gauge",
      "Unix time when the worker of this scrape was configured.",
      ngx_http_clipper_prometheus_loaded, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { NULL, NULL, NULL, NULL, 0, 0, NGX_HTTP_CLIPPER_ALONE }
};


ngx_int_t
ngx_http_clipper_prometheus_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_clipper_prometheus_t     p;
    const ngx_http_clipper_family_t  *family;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&p, sizeof(ngx_http_clipper_prometheus_t));

    p.pool = r->pool;
    p.zone = ngx_http_clipper_process.zone;
    p.conf = ngx_http_get_module_main_conf(r, ngx_http_clipper_module);

    if (p.zone == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_clipper_prometheus_groups_read(&p) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (family = ngx_http_clipper_families; family->name; family++) {
        ngx_http_clipper_prometheus_text_family(&p, family->name, family->type,
                                                family->help);
        family->write(&p, family);
    }

    if (p.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_prometheus_send(r, &p);
}


static ngx_int_t
ngx_http_clipper_prometheus_send(ngx_http_request_t *r,
    ngx_http_clipper_prometheus_t *p)
{
    ngx_int_t  rc;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = p->size + ngx_buf_size(p->last->buf);

    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    p->last->buf->last_buf = (r == r->main) ? 1 : 0;
    p->last->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, p->first);
}


/* --- samples of each application, or of each model and version --- */


static ngx_array_t *
ngx_http_clipper_prometheus_groups(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    return (ngx_array_t *) ((u_char *) p + family->groups);
}


static void
ngx_http_clipper_prometheus_counter(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_uint_t                            i;
    ngx_array_t                          *groups;
    ngx_http_clipper_prometheus_group_t  *group;

    groups = ngx_http_clipper_prometheus_groups(p, family);
    group = groups->elts;

    for (i = 0; i < groups->nelts; i++) {
        ngx_http_clipper_prometheus_text_count(p, "", &group[i].labels,
                                               group[i].sum[family->offset]);
    }
}


static void
ngx_http_clipper_prometheus_counters(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    u_char                  buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    ngx_str_t                             labels;
    ngx_uint_t                            i, k;
    ngx_array_t                          *groups;
    ngx_http_clipper_prometheus_group_t  *group;

    groups = ngx_http_clipper_prometheus_groups(p, family);
    group = groups->elts;
    labels.data = buf;

    for (i = 0; i < groups->nelts; i++) {
        ngx_memcpy(buf, group[i].labels.data, group[i].labels.len);

        for (k = family->begin; k < family->end; k++) {
            labels.len = group[i].labels.len;

            ngx_http_clipper_prometheus_text_label(&labels, family->label,
                                                   family->values[k].data,
                                                   family->values[k].len);
            ngx_http_clipper_prometheus_text_count(p, "", &labels,
                                       group[i].sum[family->offset + k]);
        }
    }
}


static void
ngx_http_clipper_prometheus_times(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_histogram(p, family,
                                      ngx_http_clipper_prometheus_time_bounds,
                                      CLIPPER_TIME_BUCKETS, 1);
}


static void
ngx_http_clipper_prometheus_sizes(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_histogram(p, family,
                                      ngx_http_clipper_prometheus_size_bounds,
                                      CLIPPER_SIZE_BUCKETS, 0);
}


/* workers keep counting: the last bucket and the count must be one number */

static void
ngx_http_clipper_prometheus_histogram(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family, const ngx_str_t *bounds,
    ngx_uint_t n, ngx_uint_t time)
{
    u_char                  buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    uint64_t                              count, *sum;
    ngx_str_t                             labels;
    ngx_uint_t                            i, k;
    ngx_array_t                          *groups;
    ngx_http_clipper_prometheus_group_t  *group;

    groups = ngx_http_clipper_prometheus_groups(p, family);
    group = groups->elts;
    labels.data = buf;

    for (i = 0; i < groups->nelts; i++) {
        ngx_memcpy(buf, group[i].labels.data, group[i].labels.len);
        sum = &group[i].sum[family->offset];
        count = 0;

        for (k = 0; k <= n; k++) {
            count += sum[k];
            labels.len = group[i].labels.len;

            if (k < n) {
                ngx_http_clipper_prometheus_text_label(&labels, "le",
                                                       bounds[k].data,
                                                       bounds[k].len);
            } else {
                ngx_http_clipper_prometheus_text_label(&labels, "le",
                                                       (u_char *) "+Inf", 4);
            }

            ngx_http_clipper_prometheus_text_count(p, "_bucket", &labels,
                                                   count);
        }

        if (time) {
            ngx_http_clipper_prometheus_text_seconds(p, "_sum",
                                                     &group[i].labels,
                                                     sum[n + 1]);
        } else {
            ngx_http_clipper_prometheus_text_count(p, "_sum", &group[i].labels,
                                                   sum[n + 1]);
        }

        ngx_http_clipper_prometheus_text_count(p, "_count", &group[i].labels,
                                               count);
    }
}


/* the offset is of a member of the group, not of a counter */

static void
ngx_http_clipper_prometheus_gauge(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    uint64_t                             *value;
    ngx_uint_t                            i;
    ngx_array_t                          *groups;
    ngx_http_clipper_prometheus_group_t  *group;

    groups = ngx_http_clipper_prometheus_groups(p, family);
    group = groups->elts;

    for (i = 0; i < groups->nelts; i++) {
        value = (uint64_t *) ((u_char *) &group[i] + family->offset);

        ngx_http_clipper_prometheus_text_count(p, "", &group[i].labels, *value);
    }
}


/* --- samples of the whole server --- */


static const ngx_str_t  ngx_http_clipper_prometheus_zone =
    ngx_string("zone=\"main\"");
static const ngx_str_t  ngx_http_clipper_prometheus_cache =
    ngx_string("zone=\"cache\"");


/* words that change concurrently: each is read once */

static void
ngx_http_clipper_prometheus_used(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    uint64_t               used;
    clipper_header_t      *header;
    clipper_cache_usage_t  usage;

    header = p->zone->header;

    used = (uint64_t) header->flights.used * sizeof(clipper_flight_t)
           + (uint64_t) header->waiters.used
             * sizeof(clipper_waiter_t)
           + (uint64_t) header->replicas.used
             * sizeof(clipper_replica_row_t)
           + (uint64_t) header->chunks.used
             * (sizeof(clipper_chunk_t) + CLIPPER_CHUNK);

    ngx_http_clipper_prometheus_text_count(p, "",
                                           &ngx_http_clipper_prometheus_zone,
                                           used);

    if (clipper_cache_enabled()) {
        clipper_cache_usage(&usage);
        ngx_http_clipper_prometheus_text_count(p, "",
                                            &ngx_http_clipper_prometheus_cache,
                                               usage.used);
    }
}


static void
ngx_http_clipper_prometheus_size(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_text_count(p, "",
                                           &ngx_http_clipper_prometheus_zone,
                                           p->conf->zone_size);

    if (clipper_cache_enabled()) {
        ngx_http_clipper_prometheus_text_count(p, "",
                                            &ngx_http_clipper_prometheus_cache,
                                               p->conf->cache_size);
    }
}


static void
ngx_http_clipper_prometheus_overflows(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           clipper_zone_overflows(p->zone));
}


static void
ngx_http_clipper_prometheus_records(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    clipper_record_usage_t  usage;

    clipper_record_usage(p->zone, clipper_clock_wall(), &usage);

    ngx_http_clipper_prometheus_text_count(p, "", NULL, usage.records);
}


static void
ngx_http_clipper_prometheus_span(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    clipper_record_usage_t  usage;

    clipper_record_usage(p->zone, clipper_clock_wall(), &usage);

    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           (uint64_t) usage.span);
}


static void
ngx_http_clipper_prometheus_rpc(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    u_char            buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    ngx_str_t         labels;
    ngx_uint_t        i;
    const ngx_str_t  *cause;

    labels.data = buf;

    for (i = CLIPPER_PROTO_EOK + 1;
         i < CLIPPER_PROTO_ERRORS;
         i++)
    {
        cause = clipper_proto_error_name(i);
        labels.len = 0;

        ngx_http_clipper_prometheus_text_label(&labels, "cause", cause->data,
                                               cause->len);
        ngx_http_clipper_prometheus_text_count(p, "", &labels,
                    __atomic_load_n(&p->zone->header->rpc_errors[i],
                                    __ATOMIC_RELAXED));
    }
}


static void
ngx_http_clipper_prometheus_build(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    int        major, minor, patch;
    u_char     zmq[NGX_INT_T_LEN * 3], *end;
    u_char     buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    ngx_str_t  labels;

    zmq_version(&major, &minor, &patch);
    end = ngx_sprintf(zmq, "%d.%d.%d", major, minor, patch);

    labels.data = buf;
    labels.len = 0;

    ngx_http_clipper_prometheus_text_label(&labels, "version",
                                           (u_char *) NGX_HTTP_CLIPPER_VERSION,
                                         sizeof(NGX_HTTP_CLIPPER_VERSION) - 1);
    ngx_http_clipper_prometheus_text_label(&labels, "nginx_version",
                                           (u_char *) NGINX_VERSION,
                                           sizeof(NGINX_VERSION) - 1);
    ngx_http_clipper_prometheus_text_label(&labels, "zmq_version", zmq,
                                           end - zmq);

    ngx_http_clipper_prometheus_text_count(p, "", &labels, 1);
}


static void
ngx_http_clipper_prometheus_redis(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_state_stat_t  stat;

    ngx_http_clipper_state_stat(&stat);

    if (stat.redis) {
        ngx_http_clipper_prometheus_text_count(p, "", NULL,
                            *(uint64_t *) ((u_char *) &stat + family->offset));
    }
}


static void
ngx_http_clipper_prometheus_started(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           p->zone->header->started);
}


static void
ngx_http_clipper_prometheus_loaded(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL, p->conf->loaded);
}

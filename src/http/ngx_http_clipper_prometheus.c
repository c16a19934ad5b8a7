
/*
 * clipper_metrics, see the header.  A family is a row of the table below: its
 * name and the function that writes its samples.
 */


#include "http/ngx_http_clipper_prometheus.h"
#include "query/ngx_http_clipper_feedback.h"
#include "worker/ngx_http_clipper_process.h"
#include "query/ngx_http_clipper_query.h"
#include "query/ngx_http_clipper_state.h"
#include "http/ngx_http_clipper_prometheus_groups.h"
#include "http/ngx_http_clipper_prometheus_samples.h"
#include "http/ngx_http_clipper_prometheus_server.h"
#include "http/ngx_http_clipper_prometheus_shares.h"
#include "http/ngx_http_clipper_prometheus_text.h"


#define NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(member)                            \
    offsetof(ngx_http_clipper_prometheus_t, member)


static void ngx_http_clipper_prometheus_write(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family);
static ngx_int_t ngx_http_clipper_prometheus_send(ngx_http_request_t *r,
    ngx_http_clipper_prometheus_t *p);


static const ngx_str_t  ngx_http_clipper_prometheus_lookups[] = {
    ngx_string("hit"),
    ngx_string("miss"),
    ngx_string("joined")
};


#define NGX_HTTP_CLIPPER_APPS    NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(apps)
#define NGX_HTTP_CLIPPER_MODELS  NGX_HTTP_CLIPPER_PROMETHEUS_GROUPS(models)
#define NGX_HTTP_CLIPPER_ALONE   NULL, NULL, 0, 0

static const ngx_http_clipper_family_t  ngx_http_clipper_families[] = {

    { "clipper_queries_total", "counter",
      "Inputs of prediction requests, by outcome.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_OUTCOME,
      "outcome", ngx_http_clipper_query_outcomes,
      NGX_HTTP_CLIPPER_ANSWER, NGX_HTTP_CLIPPER_OUTCOMES },

    { "clipper_query_duration_seconds", "histogram",
      "Time from the last byte of a request to its response.",
      ngx_http_clipper_prometheus_samples_times, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_DURATION, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_defaults_total", "counter",
      "Default outputs, by reason.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_DEFAULT,
      "reason", ngx_http_clipper_query_reasons,
      NGX_HTTP_CLIPPER_REASON_NONE + 1, NGX_HTTP_CLIPPER_REASONS },

    { "clipper_batch_duration_seconds", "histogram",
      "Time from sending a batch to a replica to its reply.",
      ngx_http_clipper_prometheus_samples_times, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_BATCH_TIME, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_batch_size", "histogram",
      "Inputs per batch.",
      ngx_http_clipper_prometheus_samples_sizes, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_BATCH_SIZE, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_queue_tasks", "gauge",
      "Inputs waiting for a replica.",
      ngx_http_clipper_prometheus_samples_gauge, NGX_HTTP_CLIPPER_MODELS,
      offsetof(ngx_http_clipper_prometheus_group_t, queued),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_replicas", "gauge",
      "Replicas that may get batches.",
      ngx_http_clipper_prometheus_samples_gauge, NGX_HTTP_CLIPPER_MODELS,
      offsetof(ngx_http_clipper_prometheus_group_t, replicas),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_tasks_dropped_total", "counter",
      "Inputs that a model did not answer in time, by reason.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_DROPPED,
      "reason", ngx_http_clipper_query_reasons,
      NGX_HTTP_CLIPPER_REASON_NONE + 1, NGX_HTTP_CLIPPER_REASONS },

    { "clipper_hedges_total", "counter",
      "Inputs sent to a second replica because the first was slow.",
      ngx_http_clipper_prometheus_samples_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_HEDGES, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redispatches_total", "counter",
      "Inputs queued again because their replica was lost.",
      ngx_http_clipper_prometheus_samples_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_REDISPATCHES, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_batch_timeouts_total", "counter",
      "Batches that were not answered within batch_timeout.",
      ngx_http_clipper_prometheus_samples_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_TIMEOUTS, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_cache_lookups_total", "counter",
      "Lookups in the prediction cache, by result.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_CACHE,
      "result", ngx_http_clipper_prometheus_lookups, 0, 3 },

    { "clipper_cache_evictions_total", "counter",
      "Cache entries evicted to store outputs of a model.",
      ngx_http_clipper_prometheus_samples_counter, NGX_HTTP_CLIPPER_MODELS,
      CLIPPER_M_EVICTIONS, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_feedback_total", "counter",
      "Feedback, by result.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_FEEDBACK,
      "result", ngx_http_clipper_feedback_names,
      NGX_HTTP_CLIPPER_FEEDBACK_LEARNED, NGX_HTTP_CLIPPER_FEEDBACK_RESULTS },

    { "clipper_labels_total", "counter",
      "Feedback labels, by how they match the answers.",
      ngx_http_clipper_prometheus_samples_counters, NGX_HTTP_CLIPPER_APPS,
      CLIPPER_M_LABEL,
      "match", ngx_http_clipper_feedback_learn_matches,
      NGX_HTTP_CLIPPER_FEEDBACK_RIGHT, NGX_HTTP_CLIPPER_FEEDBACK_MATCHES },

    { "clipper_selection_weight", "gauge",
      "Probability that a link is chosen, or weight of its answer.",
      ngx_http_clipper_prometheus_shares, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_records", "gauge",
      "Answered queries remembered for feedback.",
      ngx_http_clipper_prometheus_server_records, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_records_span_seconds", "gauge",
      "Age of the oldest query remembered for feedback.",
      ngx_http_clipper_prometheus_server_span, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_records_redis_total", "counter",
      "Answered queries to be stored in Redis, by result.",
      ngx_http_clipper_prometheus_server_stored, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redis_up", "gauge",
      "Whether the worker of this scrape is connected to Redis.",
      ngx_http_clipper_prometheus_server_redis, 0,
      offsetof(ngx_http_clipper_state_stat_t, up), NGX_HTTP_CLIPPER_ALONE },

    { "clipper_redis_pending_deltas", "gauge",
      "Applications and users with changes that are not in Redis yet.",
      ngx_http_clipper_prometheus_server_redis, 0,
      offsetof(ngx_http_clipper_state_stat_t, pending),
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_zone_used_bytes", "gauge",
      "Shared memory used by rows, payload or cache entries.",
      ngx_http_clipper_prometheus_server_used, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_zone_size_bytes", "gauge",
      "Size of a shared memory zone.",
      ngx_http_clipper_prometheus_server_size, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_journal_overflows_total", "counter",
      "Changes to shared memory that were too large to be undone.",
      ngx_http_clipper_prometheus_server_overflows, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_rpc_errors_total", "counter",
      "Container messages dropped, by cause.",
      ngx_http_clipper_prometheus_server_rpc, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_rpc_refused_total", "counter",
      "Container connections refused, by cause.",
      ngx_http_clipper_prometheus_server_refused, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_build_info", "gauge",
      "Always 1; the labels carry the versions.",
      ngx_http_clipper_prometheus_server_build, 0, 0, NGX_HTTP_CLIPPER_ALONE },

    { "clipper_start_time_seconds", "gauge",
      "Unix time when the counters were created.",
      ngx_http_clipper_prometheus_server_started, 0, 0,
      NGX_HTTP_CLIPPER_ALONE },

    { "clipper_config_load_time_seconds", "gauge",
      "Unix time when the worker of this scrape loaded its configuration.",
      ngx_http_clipper_prometheus_server_loaded, 0, 0, NGX_HTTP_CLIPPER_ALONE },

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
        ngx_http_clipper_prometheus_write(&p, family);
    }

    if (p.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_prometheus_send(r, &p);
}


static void
ngx_http_clipper_prometheus_write(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family)
{
    ngx_uint_t                            i;
    ngx_array_t                          *groups;
    ngx_http_clipper_prometheus_group_t  *group;

    if (family->groups == 0) {
        family->write(p, family, NULL);
        return;
    }

    groups = (ngx_array_t *) ((u_char *) p + family->groups);
    group = groups->elts;

    for (i = 0; i < groups->nelts; i++) {
        family->write(p, family, &group[i]);
    }
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

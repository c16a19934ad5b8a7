
/*
 * The status document: the configuration of this worker and the current
 * content of shared memory.  Members may be added, none is removed;
 * docs/reference.md explains each of them.
 */


#include "http/ngx_http_clipper_status.h"
#include "base/clipper_clock.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_record.h"
#include "http/ngx_http_clipper_document.h"
#include "shm/clipper_metrics.h"
#include "worker/ngx_http_clipper_process.h"
#include "query/ngx_http_clipper_query.h"
#include "http/ngx_http_clipper_response.h"
#include "query/ngx_http_clipper_select.h"
#include "query/ngx_http_clipper_state.h"
#include "shm/clipper_zone.h"
#include "http/ngx_http_clipper_status_models.h"


static void ngx_http_clipper_status_zone(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone);
static void ngx_http_clipper_status_table(ngx_http_clipper_document_t *d,
    const char *key, clipper_table_t *table);
static void ngx_http_clipper_status_cache(ngx_http_clipper_document_t *d);
static void ngx_http_clipper_status_state(ngx_http_clipper_document_t *d);
static void ngx_http_clipper_status_records(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone);
static void ngx_http_clipper_status_workers(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone);
static void ngx_http_clipper_status_worker(ngx_http_clipper_document_t *d,
    clipper_worker_t *worker, ngx_uint_t row);
static void ngx_http_clipper_status_applications(
    ngx_http_clipper_document_t *d, clipper_zone_t *zone,
    ngx_http_clipper_main_conf_t *mcf);
static void ngx_http_clipper_status_links(ngx_http_clipper_document_t *d,
    ngx_http_clipper_app_t *app);
static void ngx_http_clipper_status_queries(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_app_t *app);


ngx_int_t
ngx_http_clipper_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_buf_t                     *b;
    clipper_zone_t                *zone;
    ngx_http_clipper_document_t    d;
    ngx_http_clipper_main_conf_t  *mcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_clipper_module);
    zone = ngx_http_clipper_process.zone;

    if (zone == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_clipper_document_init(&d, r->pool);

    ngx_http_clipper_document_open(&d, NULL, '{');
    ngx_http_clipper_document_number(&d, "schema", 1);
    ngx_http_clipper_document_text(&d, "version", NGX_HTTP_CLIPPER_VERSION);
    ngx_http_clipper_document_text(&d, "nginx_version", NGINX_VERSION);
    ngx_http_clipper_document_string(&d, "generation", &mcf->generation);
    ngx_http_clipper_document_number(&d, "pid", ngx_pid);
    ngx_http_clipper_document_number(&d, "time", ngx_time());

    ngx_http_clipper_status_zone(&d, zone);
    ngx_http_clipper_status_cache(&d);
    ngx_http_clipper_status_state(&d);
    ngx_http_clipper_status_records(&d, zone);
    ngx_http_clipper_status_workers(&d, zone);
    ngx_http_clipper_status_applications(&d, zone, mcf);
    ngx_http_clipper_status_models(&d, zone, mcf);
    ngx_http_clipper_status_models_replicas(&d, zone);

    ngx_http_clipper_document_close(&d);

    b = ngx_http_clipper_document_end(&d);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_clipper_response_send(r, NGX_HTTP_OK, b);
}


/* words that change concurrently: each is read once */

static void
ngx_http_clipper_status_zone(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone)
{
    clipper_header_t  *header;

    header = zone->header;

    ngx_http_clipper_document_open(d, "zone", '{');
    ngx_http_clipper_document_number(d, "size", header->size);
    ngx_http_clipper_document_number(d, "started", header->started);
    ngx_http_clipper_document_number(d, "rebuilds", header->rebuilds);
    ngx_http_clipper_document_number(d, "journal_overflows",
                                     clipper_zone_overflows(zone));
    ngx_http_clipper_status_table(d, "flights", &header->flights);
    ngx_http_clipper_status_table(d, "waiters", &header->waiters);
    ngx_http_clipper_status_table(d, "chunks", &header->chunks);
    ngx_http_clipper_status_table(d, "replicas", &header->replicas);
    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_table(ngx_http_clipper_document_t *d, const char *key,
    clipper_table_t *table)
{
    ngx_http_clipper_document_open(d, key, '{');
    ngx_http_clipper_document_number(d, "used", table->used);
    ngx_http_clipper_document_number(d, "total", table->n - 1);
    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_cache(ngx_http_clipper_document_t *d)
{
    clipper_cache_usage_t  usage;

    if (!clipper_cache_enabled()) {
        ngx_http_clipper_document_null(d, "cache");
        return;
    }

    clipper_cache_usage(&usage);

    ngx_http_clipper_document_open(d, "cache", '{');
    ngx_http_clipper_document_number(d, "size", usage.size);
    ngx_http_clipper_document_number(d, "capacity", usage.capacity);
    ngx_http_clipper_document_number(d, "used", usage.used);
    ngx_http_clipper_document_number(d, "entries", usage.entries);
    ngx_http_clipper_document_number(d, "resets", usage.resets);
    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_state(ngx_http_clipper_document_t *d)
{
    ngx_http_clipper_state_stat_t  stat;

    ngx_http_clipper_state_stat(&stat);

    ngx_http_clipper_document_open(d, "selection_state", '{');
    ngx_http_clipper_document_number(d, "rows", stat.rows);
    ngx_http_clipper_document_number(d, "rows_max", stat.rows_max);
    ngx_http_clipper_document_number(d, "evicted", stat.evicted);
    ngx_http_clipper_document_number(d, "dropped", stat.dropped);

    ngx_http_clipper_document_open(d, "redis", '{');
    ngx_http_clipper_document_flag(d, "configured", stat.redis);
    ngx_http_clipper_document_flag(d, "up", stat.up);
    ngx_http_clipper_document_number(d, "pending_deltas", stat.pending);
    ngx_http_clipper_document_number(d, "sent_deltas", stat.sent);
    ngx_http_clipper_document_number(d, "errors", stat.errors);
    ngx_http_clipper_document_close(d);

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_records(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone)
{
    clipper_record_usage_t  usage;

    clipper_record_usage(zone, clipper_clock_boot(), &usage);

    ngx_http_clipper_document_open(d, "records", '{');
    ngx_http_clipper_document_number(d, "size", usage.size);
    ngx_http_clipper_document_number(d, "used", usage.used);
    ngx_http_clipper_document_number(d, "waiting", usage.records);
    ngx_http_clipper_document_number(d, "span", (uint64_t) usage.span);

    ngx_http_clipper_document_open(d, "redis", '{');
    ngx_http_clipper_document_number(d, "time",
                     ngx_http_clipper_process.conf->records_redis / 1000);
    ngx_http_clipper_document_number(d, "stored", usage.stored);
    ngx_http_clipper_document_number(d, "missed", usage.missed);
    ngx_http_clipper_document_close(d);

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_workers(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone)
{
    ngx_uint_t        i, k, n;
    clipper_worker_t  rows[NGX_HTTP_CLIPPER_STATUS_BITE];

    ngx_http_clipper_document_open(d, "workers", '[');

    for (i = 1; i < zone->header->workers.n; i += n) {

        n = ngx_min(NGX_HTTP_CLIPPER_STATUS_BITE,
                    zone->header->workers.n - i);

        clipper_zone_lock(zone);
        ngx_memcpy(rows, &zone->workers[i], n * sizeof(clipper_worker_t));
        clipper_zone_unlock(zone);

        for (k = 0; k < n; k++) {
            ngx_http_clipper_status_worker(d, &rows[k], i + k);
        }
    }

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_worker(ngx_http_clipper_document_t *d,
    clipper_worker_t *worker, ngx_uint_t row)
{
    if (worker->state == CLIPPER_FREE) {
        return;
    }

    ngx_http_clipper_document_open(d, NULL, '{');
    ngx_http_clipper_document_number(d, "slot", row);
    ngx_http_clipper_document_number(d, "pid",
                                     clipper_lock_pid(worker->pid));

    if (worker->generation[0]) {
        ngx_http_clipper_document_text(d, "generation", worker->generation);

    } else {
        ngx_http_clipper_document_null(d, "generation");
    }

    ngx_http_clipper_document_text(d, "state",
                                   worker->retiring ? "retiring" : "accepting");
    ngx_http_clipper_document_number(d, "waiting_connections",
                                     worker->waiting);
    ngx_http_clipper_document_number(d, "started", worker->started);
    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_applications(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_http_clipper_app_t  **apps, *app;

    ngx_http_clipper_document_open(d, "applications", '[');

    apps = mcf->apps.elts;

    for (i = 0; i < mcf->apps.nelts; i++) {
        app = apps[i];

        ngx_http_clipper_document_open(d, NULL, '{');
        ngx_http_clipper_document_string(d, "name", &app->name);
        ngx_http_clipper_document_string(d, "location", &app->location);
        ngx_http_clipper_status_models_type(d, "input_type",
                                            app->opt.input_type);
        ngx_http_clipper_document_flag(d, "strict", app->opt.strict);
        ngx_http_clipper_document_flag(d, "nulls", app->opt.nulls);
        ngx_http_clipper_document_flag(d, "binary", app->opt.binary);
        ngx_http_clipper_document_number(d, "decompress", app->opt.decompress);
        ngx_http_clipper_document_number(d, "slo_ms", app->opt.slo);
        ngx_http_clipper_document_string(d, "default_output", &app->opt.output);
        ngx_http_clipper_document_flag(d, "cache", app->opt.cache);
        ngx_http_clipper_status_links(d, app);
        ngx_http_clipper_status_queries(d, zone, app);
        ngx_http_clipper_document_close(d);
    }

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_links(ngx_http_clipper_document_t *d,
    ngx_http_clipper_app_t *app)
{
    double                    shares[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t                i;
    ngx_http_clipper_link_t  *links;

    ngx_memzero(shares, sizeof(shares));
    (void) ngx_http_clipper_select_shares(app, shares);

    ngx_http_clipper_document_open(d, "links", '[');

    links = app->links.elts;

    for (i = 0; i < app->links.nelts; i++) {
        ngx_http_clipper_document_open(d, NULL, '{');
        ngx_http_clipper_document_string(d, "model", &links[i].model->name);
        ngx_http_clipper_document_string(d, "version", links[i].version
                                         ? &links[i].version->version : NULL);
        ngx_http_clipper_document_number(d, "weight", links[i].weight);
        ngx_http_clipper_document_real(d, "share", shares[i]);
        ngx_http_clipper_document_close(d);
    }

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_queries(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_app_t *app)
{
    uint64_t    sum[CLIPPER_BLOCK];
    ngx_uint_t  i;

    ngx_memzero(sum, sizeof(sum));

    if (app->row) {
        clipper_metrics_sum_app(zone, app->row, sum);
    }

    ngx_http_clipper_document_open(d, "queries", '{');

    for (i = 0; i < NGX_HTTP_CLIPPER_OUTCOMES; i++) {
        ngx_http_clipper_document_number(d,
                          (char *) ngx_http_clipper_query_outcomes[i].data,
                          sum[CLIPPER_M_OUTCOME + i]);
    }

    ngx_http_clipper_document_close(d);
    ngx_http_clipper_document_open(d, "defaults", '{');

    for (i = NGX_HTTP_CLIPPER_REASON_NONE + 1;
         i < NGX_HTTP_CLIPPER_REASONS;
         i++)
    {
        ngx_http_clipper_document_number(d,
                          (char *) ngx_http_clipper_query_reasons[i].data,
                          sum[CLIPPER_M_DEFAULT + i]);
    }

    ngx_http_clipper_document_close(d);
}


/*
 * The models and replicas of the status document.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>
#include "http/ngx_http_clipper_status_models.h"
#include "shm/clipper_registry_failure.h"
#include "shm/clipper_metrics.h"
#include "conf/ngx_http_clipper_conf_table.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "query/ngx_http_clipper_query.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_zone.h"


static void ngx_http_clipper_status_model(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf,
    clipper_model_row_t *model, ngx_uint_t row);
static void ngx_http_clipper_status_declaration(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf,
    clipper_model_row_t *model, ngx_uint_t row);
static void ngx_http_clipper_status_counters(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_uint_t row);
static void ngx_http_clipper_status_replica(ngx_http_clipper_document_t *d,
    clipper_replica_row_t *replica, clipper_model_row_t *model, uint32_t pid);
static const char *ngx_http_clipper_status_state(uint32_t state);
static void ngx_http_clipper_status_token(ngx_http_clipper_document_t *d,
    clipper_replica_row_t *replica);


void
ngx_http_clipper_status_models(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf)
{
    uint32_t             numbers[NGX_HTTP_CLIPPER_STATUS_BITE];
    ngx_uint_t           i, k, n, end;
    clipper_model_row_t  rows[NGX_HTTP_CLIPPER_STATUS_BITE];

    ngx_http_clipper_document_open(d, "models", '[');

    for (i = 1; i < zone->header->models.n; /* void */) {

        end = ngx_min(i + NGX_HTTP_CLIPPER_STATUS_LOOK,
                      zone->header->models.n);

        clipper_zone_lock(zone);

        for (n = 0; i < end && n < NGX_HTTP_CLIPPER_STATUS_BITE; i++) {

            if (zone->models[i].state != CLIPPER_FREE) {
                rows[n] = zone->models[i];
                numbers[n++] = i;
            }
        }

        clipper_zone_unlock(zone);

        for (k = 0; k < n; k++) {
            ngx_http_clipper_status_model(d, zone, mcf, &rows[k], numbers[k]);
        }
    }

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_model(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf,
    clipper_model_row_t *model, ngx_uint_t row)
{
    u_char  error[CLIPPER_TEXT];

    ngx_http_clipper_document_open(d, NULL, '{');
    ngx_http_clipper_document_text(d, "name", model->name);
    ngx_http_clipper_document_text(d, "version", model->version);

    ngx_http_clipper_status_declaration(d, zone, mcf, model, row);

    ngx_http_clipper_document_flag(d, "announced", model->announced);
    ngx_http_clipper_document_number(d, "epoch", model->epoch);
    ngx_http_clipper_document_bytes(d, "digest", model->digest,
                                    model->digest_len);
    ngx_http_clipper_document_number(d, "queue_tasks", model->queued);
    ngx_http_clipper_document_number(d, "queue_bytes", model->queued_bytes);
    ngx_http_clipper_document_number(d, "flights", model->flights);
    ngx_http_clipper_document_number(d, "replicas", model->replicas);
    ngx_http_clipper_document_number(d, "connected", model->members);

    ngx_http_clipper_document_number(d, "failed", model->failed);

    if (clipper_registry_failure_text(model, error)) {
        ngx_http_clipper_document_text(d, "last_error", error);
        ngx_http_clipper_document_number(d, "last_error_time",
                                         model->error_time);

    } else {
        ngx_http_clipper_document_null(d, "last_error");
        ngx_http_clipper_document_null(d, "last_error_time");
    }

    ngx_http_clipper_status_counters(d, zone, row);

    ngx_http_clipper_document_close(d);
}


/* the version as configured in this worker */

static void
ngx_http_clipper_status_declaration(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_http_clipper_main_conf_t *mcf,
    clipper_model_row_t *row_data, ngx_uint_t row)
{
    ngx_int_t                         type;
    ngx_str_t                         name, number;
    ngx_uint_t                        current;
    ngx_http_clipper_model_conf_t    *model;
    ngx_http_clipper_version_conf_t  *version;

    name.data = row_data->name;
    name.len = ngx_strlen(row_data->name);
    number.data = row_data->version;
    number.len = ngx_strlen(row_data->version);

    model = ngx_http_clipper_conf_table_model(mcf, &name);
    version = model ? ngx_http_clipper_conf_table_version(model, &number)
                    : NULL;
    current = ngx_http_clipper_model_current_row(zone, model, &name);

    type = version ? version->input_type : NGX_CONF_UNSET;

    if (type == NGX_CONF_UNSET && row_data->announced) {
        type = row_data->input_type;
    }

    ngx_http_clipper_status_models_type(d, "input_type", type);
    ngx_http_clipper_document_flag(d, "current", current == row);
    ngx_http_clipper_document_flag(d, "declared",
                                   version && version->declared);
    ngx_http_clipper_document_string(d, "label",
                                     version ? &version->label : NULL);
    ngx_http_clipper_document_string(d, "image",
                                     version ? &version->image : NULL);
}


static void
ngx_http_clipper_status_counters(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone, ngx_uint_t row)
{
    uint64_t    sum[CLIPPER_BLOCK], batches;
    ngx_uint_t  i;

    ngx_memzero(sum, sizeof(sum));
    clipper_metrics_sum_model(zone, row, sum);

    batches = 0;

    for (i = 0; i <= CLIPPER_SIZE_BUCKETS; i++) {
        batches += sum[CLIPPER_M_BATCH_SIZE + i];
    }

    ngx_http_clipper_document_number(d, "batches", batches);
    ngx_http_clipper_document_number(d, "inputs",
                                     sum[CLIPPER_M_BATCH_SIZE
                                         + CLIPPER_SIZE_BUCKETS + 1]);
    ngx_http_clipper_document_number(d, "batch_us",
                                     sum[CLIPPER_M_BATCH_TIME
                                         + CLIPPER_TIME_BUCKETS + 1]);
    ngx_http_clipper_document_number(d, "errors",
                                     sum[CLIPPER_M_ERRORS]);
    ngx_http_clipper_document_number(d, "hedges",
                                     sum[CLIPPER_M_HEDGES]);
    ngx_http_clipper_document_number(d, "redispatches",
                                     sum[CLIPPER_M_REDISPATCHES]);
    ngx_http_clipper_document_number(d, "batch_timeouts",
                                     sum[CLIPPER_M_TIMEOUTS]);

    ngx_http_clipper_document_open(d, "cache", '{');
    ngx_http_clipper_document_number(d, "hits",
                                     sum[CLIPPER_M_CACHE]);
    ngx_http_clipper_document_number(d, "misses",
                                     sum[CLIPPER_M_CACHE + 1]);
    ngx_http_clipper_document_number(d, "joined",
                                     sum[CLIPPER_M_CACHE + 2]);
    ngx_http_clipper_document_number(d, "evictions",
                                     sum[CLIPPER_M_EVICTIONS]);
    ngx_http_clipper_document_close(d);

    ngx_http_clipper_document_open(d, "dropped", '{');

    for (i = NGX_HTTP_CLIPPER_REASON_NONE + 1;
         i < NGX_HTTP_CLIPPER_REASONS;
         i++)
    {
        ngx_http_clipper_document_number(d,
                          (char *) ngx_http_clipper_query_reasons[i].data,
                          sum[CLIPPER_M_DROPPED + i]);
    }

    ngx_http_clipper_document_close(d);
}


void
ngx_http_clipper_status_models_replicas(ngx_http_clipper_document_t *d,
    clipper_zone_t *zone)
{
    uint32_t                pids[NGX_HTTP_CLIPPER_STATUS_BITE];
    ngx_uint_t              i, k, n, end;
    clipper_model_row_t     models[NGX_HTTP_CLIPPER_STATUS_BITE];
    clipper_replica_row_t   rows[NGX_HTTP_CLIPPER_STATUS_BITE];
    clipper_replica_row_t  *row;

    ngx_http_clipper_document_open(d, "replicas", '[');

    for (i = 1; i < zone->header->replicas.n; /* void */) {

        end = ngx_min(i + NGX_HTTP_CLIPPER_STATUS_LOOK,
                      zone->header->replicas.n);

        clipper_zone_lock(zone);

        for (n = 0; i < end && n < NGX_HTTP_CLIPPER_STATUS_BITE; i++) {
            row = &zone->replicas[i];

            if (row->state != CLIPPER_FREE) {
                rows[n] = *row;
                models[n] = zone->models[row->model];
                pids[n++] = clipper_lock_pid(zone->workers[row->worker].pid);
            }
        }

        clipper_zone_unlock(zone);

        for (k = 0; k < n; k++) {
            ngx_http_clipper_status_replica(d, &rows[k], &models[k], pids[k]);
        }
    }

    ngx_http_clipper_document_close(d);
}


static void
ngx_http_clipper_status_replica(ngx_http_clipper_document_t *d,
    clipper_replica_row_t *replica, clipper_model_row_t *model, uint32_t pid)
{
    uint64_t  now_us;

    now_us = clipper_clock_us();

    ngx_http_clipper_document_open(d, NULL, '{');
    ngx_http_clipper_document_text(d, "model", model->name);
    ngx_http_clipper_document_text(d, "version", model->version);
    ngx_http_clipper_document_number(d, "replica_id", replica->id);
    ngx_http_clipper_status_models_type(d, "input_type", replica->input_type);
    ngx_http_clipper_document_number(d, "rpc_version", replica->rpc_version);
    ngx_http_clipper_document_text(d, "address", replica->address);
    ngx_http_clipper_document_text(d, "state",
                               ngx_http_clipper_status_state(replica->state));
    ngx_http_clipper_document_number(d, "worker", replica->worker);
    ngx_http_clipper_document_number(d, "worker_pid", pid);
    ngx_http_clipper_document_number(d, "busy", replica->busy);
    ngx_http_clipper_document_number(d, "busy_ms",
                                     replica->busy && now_us > replica->sent_us
                                     ? (now_us - replica->sent_us) / 1000 : 0);
    ngx_http_clipper_document_flag(d, "stuck",
                                   clipper_registry_replica_stuck(replica,
                                                                  now_us));
    ngx_http_clipper_document_number(d, "batches", replica->nbatches);
    ngx_http_clipper_document_number(d, "inputs", replica->ninputs);
    ngx_http_clipper_document_number(d, "errors", replica->nerrors);
    ngx_http_clipper_document_number(d, "connected_ms",
                                now_us > replica->connected_us
                                ? (now_us - replica->connected_us) / 1000 : 0);
    ngx_http_clipper_status_token(d, replica);
    ngx_http_clipper_document_bytes(d, "digest", replica->digest,
                                    replica->digest_len);
    ngx_http_clipper_document_close(d);
}


static const char *
ngx_http_clipper_status_state(uint32_t state)
{
    switch (state) {
    case CLIPPER_READY:
        return "ready";
    case CLIPPER_LEAVING:
        return "leaving";
    default:
        return "probing";
    }
}


/*
 * Whoever knows a token can take its replica's place, so only its hash is
 * shown, which whoever started the container can compute.  Version 3 has no
 * token: all bytes are zero.
 */

static void
ngx_http_clipper_status_token(ngx_http_clipper_document_t *d,
    clipper_replica_row_t *replica)
{
    u_char      hash[20];
    ngx_sha1_t  sha1;

    static const u_char  none[sizeof(replica->token)];

    if (ngx_memcmp(replica->token, none, sizeof(none)) == 0) {
        ngx_http_clipper_document_null(d, "token_hash");
        return;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, "clipper replica ", sizeof("clipper replica ") - 1);
    ngx_sha1_update(&sha1, replica->token, sizeof(replica->token));
    ngx_sha1_final(hash, &sha1);

    ngx_http_clipper_document_bytes(d, "token_hash", hash, sizeof(hash));
}


void
ngx_http_clipper_status_models_type(ngx_http_clipper_document_t *d,
    const char *key, ngx_int_t type)
{
    ngx_http_clipper_document_string(d, key, type == NGX_CONF_UNSET ? NULL
                                     : clipper_input_type_name(type));
}

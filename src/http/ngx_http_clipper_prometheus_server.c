
/*
 * Samples of the whole server, see the header.
 */


#include "http/ngx_http_clipper_prometheus_server.h"
#include "base/clipper_clock.h"
#include "shm/clipper_cache.h"
#include "shm/clipper_record.h"
#include "shm/clipper_zone.h"
#include "proto/clipper_proto_error.h"
#include "proto/clipper_proto_refusal.h"
#include "query/ngx_http_clipper_state.h"
#include "http/ngx_http_clipper_prometheus_text.h"

#include <zmq.h>


static void ngx_http_clipper_prometheus_cause(
    ngx_http_clipper_prometheus_t *p, const ngx_str_t *cause, uint64_t *count);


static const ngx_str_t  ngx_http_clipper_prometheus_zone =
    ngx_string("zone=\"main\"");
static const ngx_str_t  ngx_http_clipper_prometheus_cache =
    ngx_string("zone=\"cache\"");


/* words that change concurrently: each is read once */

void
ngx_http_clipper_prometheus_server_used(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
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


void
ngx_http_clipper_prometheus_server_size(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
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


void
ngx_http_clipper_prometheus_server_overflows(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           clipper_zone_overflows(p->zone));
}


void
ngx_http_clipper_prometheus_server_records(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    clipper_record_usage_t  usage;

    clipper_record_usage(p->zone, clipper_clock_boot(), &usage);

    ngx_http_clipper_prometheus_text_count(p, "", NULL, usage.records);
}


void
ngx_http_clipper_prometheus_server_stored(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    clipper_record_usage_t  usage;

    static const ngx_str_t  stored = ngx_string("result=\"stored\"");
    static const ngx_str_t  missed = ngx_string("result=\"missed\"");

    clipper_record_usage(p->zone, clipper_clock_boot(), &usage);

    ngx_http_clipper_prometheus_text_count(p, "", &stored, usage.stored);
    ngx_http_clipper_prometheus_text_count(p, "", &missed, usage.missed);
}


void
ngx_http_clipper_prometheus_server_span(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    clipper_record_usage_t  usage;

    clipper_record_usage(p->zone, clipper_clock_boot(), &usage);

    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           (uint64_t) usage.span);
}


void
ngx_http_clipper_prometheus_server_rpc(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_uint_t  i;

    for (i = CLIPPER_PROTO_EOK + 1; i < CLIPPER_PROTO_ERRORS; i++) {
        ngx_http_clipper_prometheus_cause(p, clipper_proto_error_name(i),
                                          &p->zone->header->rpc_errors[i]);
    }
}


void
ngx_http_clipper_prometheus_server_refused(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_uint_t  i;

    for (i = 0; i < CLIPPER_PROTO_REFUSALS; i++) {
        ngx_http_clipper_prometheus_cause(p, clipper_proto_refusal_name(i),
                                          &p->zone->header->refusals[i]);
    }
}


static void
ngx_http_clipper_prometheus_cause(ngx_http_clipper_prometheus_t *p,
    const ngx_str_t *cause, uint64_t *count)
{
    u_char     buf[NGX_HTTP_CLIPPER_PROMETHEUS_LABELS];
    ngx_str_t  labels;

    labels.data = buf;
    labels.len = 0;

    ngx_http_clipper_prometheus_text_label(&labels, "cause", cause->data,
                                           cause->len);
    ngx_http_clipper_prometheus_text_count(p, "", &labels,
                                 __atomic_load_n(count, __ATOMIC_RELAXED));
}


void
ngx_http_clipper_prometheus_server_build(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
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


void
ngx_http_clipper_prometheus_server_redis(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_state_stat_t  stat;

    ngx_http_clipper_state_stat(&stat);

    if (stat.redis) {
        ngx_http_clipper_prometheus_text_count(p, "", NULL,
                            *(uint64_t *) ((u_char *) &stat + family->offset));
    }
}


void
ngx_http_clipper_prometheus_server_started(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL,
                                           p->zone->header->started);
}


void
ngx_http_clipper_prometheus_server_loaded(ngx_http_clipper_prometheus_t *p,
    const ngx_http_clipper_family_t *family,
    ngx_http_clipper_prometheus_group_t *group)
{
    ngx_http_clipper_prometheus_text_count(p, "", NULL, p->conf->loaded);
}

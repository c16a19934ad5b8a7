
/*
 * Requests to containers, see the header.
 */


#include "replica/ngx_http_clipper_request.h"
#include "replica/ngx_http_clipper_rpc_message.h"
#include "shm/clipper_chunk.h"
#include "worker/ngx_http_clipper_process.h"


static void ngx_http_clipper_request_header(
    ngx_http_clipper_replica_t *replica, clipper_proto_request_t *request);
static void ngx_http_clipper_request_joined(
    ngx_http_clipper_replica_t *replica);
static void ngx_http_clipper_request_apart(
    ngx_http_clipper_replica_t *replica);


static uint32_t  ngx_http_clipper_request_id;


ngx_int_t
ngx_http_clipper_request_send(ngx_http_clipper_replica_t *replica,
    clipper_proto_request_e kind)
{
    u_char                   *p;
    ngx_uint_t                i;
    clipper_proto_head_t      head;
    clipper_proto_request_t   request;

    request.message_id = ngx_http_clipper_request_id++;
    request.kind = kind;
    request.input_type = replica->input_type;
    request.count = replica->nleases;

    replica->message_id = request.message_id;
    replica->in_flight = 1;

    replica->codec->head(&head, &request);

    for (i = 0; i < head.nframes; i++) {
        p = ngx_http_clipper_rpc_message_part(head.frames[i].len);

        if (p && head.frames[i].len) {
            ngx_memcpy(p, head.frames[i].data, head.frames[i].len);
        }
    }

    ngx_http_clipper_request_header(replica, &request);

    if (replica->codec->joined) {
        ngx_http_clipper_request_joined(replica);

    } else {
        ngx_http_clipper_request_apart(replica);
    }

    return ngx_http_clipper_rpc_message_send(&replica->id);
}


static void
ngx_http_clipper_request_header(ngx_http_clipper_replica_t *replica,
    clipper_proto_request_t *request)
{
    u_char            *header;
    uint64_t           now_us;
    ngx_uint_t         i, n;
    clipper_flight_t  *f;

    n = replica->nleases;
    now_us = clipper_clock_us();

    header = ngx_http_clipper_rpc_message_part(replica->codec->header_size(n));
    if (header == NULL) {
        return;
    }

    replica->codec->header(header, request);

    for (i = 0; i < n; i++) {
        f = &ngx_http_clipper_process.zone->flights[replica->leases[i].flight];
        replica->codec->input(header, n, i, f->input_len,
                              f->deadline_us > now_us
                              ? f->deadline_us - now_us : 0);
    }
}


/* all inputs in one frame */

static void
ngx_http_clipper_request_joined(ngx_http_clipper_replica_t *replica)
{
    size_t             size;
    u_char            *p;
    ngx_uint_t         i;
    clipper_zone_t    *zone;
    clipper_flight_t  *f;

    zone = ngx_http_clipper_process.zone;
    size = 0;

    for (i = 0; i < replica->nleases; i++) {
        size += zone->flights[replica->leases[i].flight].input_len;
    }

    p = ngx_http_clipper_rpc_message_part(size);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < replica->nleases; i++) {
        f = &zone->flights[replica->leases[i].flight];
        clipper_chunk_read(zone, f->input, p, f->input_len);
        p += f->input_len;
    }
}


/* each input in a frame of its own */

static void
ngx_http_clipper_request_apart(ngx_http_clipper_replica_t *replica)
{
    u_char            *p;
    ngx_uint_t         i;
    clipper_zone_t    *zone;
    clipper_flight_t  *f;

    zone = ngx_http_clipper_process.zone;

    for (i = 0; i < replica->nleases; i++) {
        f = &zone->flights[replica->leases[i].flight];

        p = ngx_http_clipper_rpc_message_part(f->input_len);
        if (p == NULL) {
            return;
        }

        clipper_chunk_read(zone, f->input, p, f->input_len);
    }
}

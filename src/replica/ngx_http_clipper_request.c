
/*
 * A request to a container: the codec's frames around the inputs on lease.
 */


#include "replica/ngx_http_clipper_dispatch.h"
#include "shm/clipper_chunk.h"
#include "worker/ngx_http_clipper_process.h"


static ngx_int_t ngx_http_clipper_request_joined(
    ngx_http_clipper_replica_t *replica);
static ngx_int_t ngx_http_clipper_request_apart(
    ngx_http_clipper_replica_t *replica);


static uint32_t  ngx_http_clipper_request_id;


ngx_int_t
ngx_http_clipper_request_send(ngx_http_clipper_replica_t *replica,
    clipper_proto_request_e kind)
{
    u_char                  *header;
    uint64_t                 now_us;
    zmq_msg_t                msg;
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    clipper_flight_t        *f;
    clipper_proto_head_t     head;
    clipper_proto_request_t  request;

    n = replica->nleases;
    now_us = clipper_clock_us();

    request.message_id = ngx_http_clipper_request_id++;
    request.kind = kind;
    request.input_type = replica->input_type;
    request.count = n;

    replica->message_id = request.message_id;
    replica->in_flight = 1;

    if (ngx_http_clipper_rpc_open(&replica->id) != NGX_OK
        || zmq_msg_init_size(&msg, replica->codec->header_size(n)) == -1)
    {
        return NGX_ERROR;
    }

    header = zmq_msg_data(&msg);
    replica->codec->header(header, &request);

    for (i = 0; i < n; i++) {
        f = &ngx_http_clipper_process.zone->flights[replica->leases[i].flight];
        replica->codec->input(header, n, i, f->input_len,
                              f->deadline_us > now_us
                              ? f->deadline_us - now_us : 0);
    }

    replica->codec->head(&head, &request);

    for (i = 0; i < head.nframes; i++) {
        rc = ngx_http_clipper_rpc_frame(head.frames[i].data,
                                        head.frames[i].len, 0);
        if (rc != NGX_OK) {
            (void) zmq_msg_close(&msg);
            return NGX_ERROR;
        }
    }

    if (ngx_http_clipper_rpc_message(&msg, !replica->codec->joined && n == 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = replica->codec->joined ? ngx_http_clipper_request_joined(replica)
                                : ngx_http_clipper_request_apart(replica);

    ngx_http_clipper_rpc_check();

    return rc;
}


/* all inputs in one frame */

static ngx_int_t
ngx_http_clipper_request_joined(ngx_http_clipper_replica_t *replica)
{
    size_t             size;
    u_char            *p;
    zmq_msg_t          msg;
    ngx_uint_t         i;
    clipper_zone_t    *zone;
    clipper_flight_t  *f;

    zone = ngx_http_clipper_process.zone;
    size = 0;

    for (i = 0; i < replica->nleases; i++) {
        size += zone->flights[replica->leases[i].flight].input_len;
    }

    if (zmq_msg_init_size(&msg, size) == -1) {
        return NGX_ERROR;
    }

    p = zmq_msg_data(&msg);

    for (i = 0; i < replica->nleases; i++) {
        f = &zone->flights[replica->leases[i].flight];
        clipper_chunk_read(zone, f->input, p, f->input_len);
        p += f->input_len;
    }

    return ngx_http_clipper_rpc_message(&msg, 1);
}


/* each input in a frame of its own */

static ngx_int_t
ngx_http_clipper_request_apart(ngx_http_clipper_replica_t *replica)
{
    zmq_msg_t          msg;
    ngx_uint_t         i;
    clipper_zone_t    *zone;
    clipper_flight_t  *f;

    zone = ngx_http_clipper_process.zone;

    for (i = 0; i < replica->nleases; i++) {
        f = &zone->flights[replica->leases[i].flight];

        if (zmq_msg_init_size(&msg, f->input_len) == -1) {
            return NGX_ERROR;
        }

        clipper_chunk_read(zone, f->input, zmq_msg_data(&msg), f->input_len);

        if (ngx_http_clipper_rpc_message(&msg, i == replica->nleases - 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

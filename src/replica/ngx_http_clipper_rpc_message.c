
/*
 * Messages to containers, see the header.
 */


#include "replica/ngx_http_clipper_rpc_message.h"


#define NGX_HTTP_CLIPPER_RPC_MESSAGE_PARTS  16      /* at first */


static void ngx_http_clipper_rpc_message_forget(void);


static zmq_msg_t   *ngx_http_clipper_rpc_message_parts;
static ngx_uint_t   ngx_http_clipper_rpc_message_n;
static ngx_uint_t   ngx_http_clipper_rpc_message_room;
static ngx_uint_t   ngx_http_clipper_rpc_message_failed;


u_char *
ngx_http_clipper_rpc_message_part(size_t len)
{
    zmq_msg_t   *part;
    ngx_uint_t   room;

    if (ngx_http_clipper_rpc_message_n == ngx_http_clipper_rpc_message_room) {
        room = ngx_max(NGX_HTTP_CLIPPER_RPC_MESSAGE_PARTS,
                       ngx_http_clipper_rpc_message_room * 2);

        part = ngx_http_clipper_rpc_grow(ngx_http_clipper_rpc_message_parts,
                                         ngx_http_clipper_rpc_message_n, room);
        if (part == NULL) {
            goto failed;
        }

        ngx_http_clipper_rpc_message_parts = part;
        ngx_http_clipper_rpc_message_room = room;
    }

    part = &ngx_http_clipper_rpc_message_parts[ngx_http_clipper_rpc_message_n];

    if (zmq_msg_init_size(part, len) == -1) {
        goto failed;
    }

    ngx_http_clipper_rpc_message_n++;

    return zmq_msg_data(part);

failed:

    ngx_http_clipper_rpc_message_failed = 1;

    return NULL;
}


ngx_int_t
ngx_http_clipper_rpc_message_send(ngx_http_clipper_identity_t *id)
{
    ngx_int_t  rc;

    rc = NGX_ERROR;

    if (!ngx_http_clipper_rpc_message_failed) {
        rc = ngx_http_clipper_rpc_send(id, ngx_http_clipper_rpc_message_parts,
                                       ngx_http_clipper_rpc_message_n);
    }

    if (rc == NGX_OK) {

        /* a part that was sent is empty and need not be closed */

        ngx_http_clipper_rpc_message_n = 0;

    } else {
        ngx_http_clipper_rpc_message_forget();
    }

    return rc;
}


static void
ngx_http_clipper_rpc_message_forget(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_clipper_rpc_message_n; i++) {
        (void) zmq_msg_close(&ngx_http_clipper_rpc_message_parts[i]);
    }

    ngx_http_clipper_rpc_message_n = 0;
    ngx_http_clipper_rpc_message_failed = 0;
}


ngx_int_t
ngx_http_clipper_rpc_message_control(ngx_http_clipper_identity_t *id,
    clipper_proto_frame_t *frames, ngx_uint_t n)
{
    u_char      *p;
    ngx_uint_t   i;

    for (i = 0; i < n; i++) {
        p = ngx_http_clipper_rpc_message_part(frames[i].len);

        if (p && frames[i].len) {
            ngx_memcpy(p, frames[i].data, frames[i].len);
        }
    }

    return ngx_http_clipper_rpc_message_send(id);
}


void
ngx_http_clipper_rpc_message_done(void)
{
    ngx_http_clipper_rpc_message_forget();

    ngx_free(ngx_http_clipper_rpc_message_parts);
    ngx_http_clipper_rpc_message_parts = NULL;
    ngx_http_clipper_rpc_message_room = 0;
}

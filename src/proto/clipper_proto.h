
/*
 * Clipper: the wire codec of the container RPC, versions 3 and 4.  Pure.
 *
 * A message is an array of frames; frame 0 is the empty delimiter, and the
 * identity frame is not part of it.  The codec never allocates and never
 * copies: the results of decode point into the frames, which must live as long
 * as the message is used.
 *
 * All sizes, counts, types and texts that a peer sends are checked here; what
 * decode accepts can be walked without further checks.
 */

#ifndef _CLIPPER_PROTO_H_INCLUDED_
#define _CLIPPER_PROTO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_PROTO_UNKNOWN      0            /* not announced yet */
#define CLIPPER_PROTO_V3           3
#define CLIPPER_PROTO_V4           4

#define CLIPPER_PROTO_TOKEN        16
#define CLIPPER_PROTO_DIGEST       64           /* longest model digest */
#define CLIPPER_PROTO_INPUT_TYPES  5

#define CLIPPER_PROTO_ANY_COUNT    ((ngx_uint_t) -1)


typedef enum {
    CLIPPER_PROTO_PREDICT = 0,
    CLIPPER_PROTO_PROBE                         /* version 4 only */
} clipper_proto_request_e;


typedef enum {
    CLIPPER_PROTO_OUTPUT = 0,
    CLIPPER_PROTO_FAILED,                       /* data is the error's text */
    CLIPPER_PROTO_SKIPPED                       /* it was late; no data */
} clipper_proto_status_e;


typedef enum {
    CLIPPER_PROTO_METADATA = 0,
    CLIPPER_PROTO_REPLY,
    CLIPPER_PROTO_HEARTBEAT,
    CLIPPER_PROTO_LEAVING,
    CLIPPER_PROTO_NONE                          /* the type was unreadable */
} clipper_proto_kind_e;


/* why a message was dropped; the second group is for the caller */

typedef enum {
    CLIPPER_PROTO_EOK = 0,
    CLIPPER_PROTO_ESHORT,
    CLIPPER_PROTO_EDELIMITER,
    CLIPPER_PROTO_ETYPE,
    CLIPPER_PROTO_EFRAMES,
    CLIPPER_PROTO_EID,
    CLIPPER_PROTO_EHEADER,
    CLIPPER_PROTO_ELENGTH,
    CLIPPER_PROTO_ESTATUS,
    CLIPPER_PROTO_ECOUNT,
    CLIPPER_PROTO_ENAME,
    CLIPPER_PROTO_EMODEL_VERSION,
    CLIPPER_PROTO_EINPUT_TYPE,
    CLIPPER_PROTO_EINPUT_RANGE,
    CLIPPER_PROTO_ENO_VERSION,
    CLIPPER_PROTO_EVERSION,
    CLIPPER_PROTO_ETOKEN,
    CLIPPER_PROTO_EDIGEST,

    CLIPPER_PROTO_EUNREGISTERED,
    CLIPPER_PROTO_EUNKNOWN_ID,
    CLIPPER_PROTO_EREGISTERED,
    CLIPPER_PROTO_EMISMATCH,
    CLIPPER_PROTO_ENO_SPACE,

    CLIPPER_PROTO_ERRORS
} clipper_proto_error_e;


typedef struct {
    const u_char                           *data;
    size_t                                  len;
} clipper_proto_frame_t;


typedef struct {
    ngx_str_t                               name;
    ngx_str_t                               version;
    ngx_uint_t                              input_type;
    ngx_str_t                               token;      /* version 4 */
    ngx_str_t                               digest;     /* version 4 */
} clipper_proto_metadata_t;


typedef struct {
    clipper_proto_status_e                  status;
    const u_char                           *data;
    size_t                                  len;
} clipper_proto_output_t;


typedef struct {
    clipper_proto_kind_e                    kind;
    clipper_proto_error_e                   error;

    /* metadata: the version in the last frame, 0 if it is unreadable */
    uint32_t                                rpc_version;
    clipper_proto_metadata_t                metadata;

    /* reply: the id is valid if has_id, whatever else is wrong */
    uint32_t                                message_id;
    ngx_uint_t                              count;
    unsigned                                has_id:1;

    /* the cursor of output_next, private to the codec */
    ngx_uint_t                              next;
    const u_char                           *lengths;
    const u_char                           *statuses;   /* NULL: all 0 */
    const u_char                           *data;       /* NULL: frames */
    const clipper_proto_frame_t            *outputs;
} clipper_proto_message_t;


typedef struct {
    uint32_t                                message_id;
    clipper_proto_request_e                 kind;
    ngx_uint_t                              input_type;
    ngx_uint_t                              count;
} clipper_proto_request_t;


/* the fixed frames of a request, up to the one before the header frame */

typedef struct {
    clipper_proto_frame_t                   frames[6];
    ngx_uint_t                              nframes;
    u_char                                  buf[24];
} clipper_proto_head_t;


/*
 * What differs between the versions.  A request is sent as the frames of
 * head(), one frame of header_size(n) bytes written by header() and then
 * input() for i = 0 .. n-1, and the inputs: each in a frame of its own, or if
 * "joined" back to back in one frame, which is there even with no input.
 */

typedef struct {
    ngx_uint_t                              version;
    unsigned                                joined:1;
    unsigned                                probes:1;

    size_t                                (*header_size)(ngx_uint_t n);
    void                                  (*head)(
                                  clipper_proto_head_t *head,
                                  const clipper_proto_request_t *r);
    void                                  (*header)(u_char *header,
                                  const clipper_proto_request_t *r);
    void                                  (*input)(u_char *header,
                                  ngx_uint_t n, ngx_uint_t i, uint64_t len,
                                  uint64_t left_us);
    clipper_proto_error_e        (*reply)(
                                  clipper_proto_message_t *m,
                                  const clipper_proto_frame_t *frames,
                                  ngx_uint_t n);
} clipper_proto_codec_t;


/* NULL for an unsupported version */

const clipper_proto_codec_t *clipper_proto_codec(ngx_uint_t version);

/*
 * Decodes a whole message of a peer whose version is V3, V4 or UNKNOWN.
 * "expected" is the size of the batch the peer is working on, or ANY_COUNT.
 * NGX_OK, or NGX_DECLINED and m->error; m->kind, m->has_id and m->rpc_version
 * are set in both cases as far as they could be read.  A reply of an UNKNOWN
 * peer is EUNREGISTERED.
 */

ngx_int_t clipper_proto_decode(clipper_proto_message_t *m,
    const clipper_proto_frame_t *frames, ngx_uint_t n, ngx_uint_t version,
    ngx_uint_t expected);

/* the outputs of a decoded reply in order: NGX_OK, then NGX_DONE */

ngx_int_t clipper_proto_output_next(clipper_proto_message_t *m,
    clipper_proto_output_t *out);

/*
 * Messages to a container that consist of constant bytes and perhaps a text.
 * They fill frames and return their number; "version" is that of the peer.
 * move and refused exist in version 4 only.
 */

#define CLIPPER_PROTO_CONTROL_FRAMES  4

ngx_uint_t clipper_proto_keepalive(clipper_proto_frame_t *frames,
    ngx_uint_t version);
ngx_uint_t  clipper_proto_ask_metadata(clipper_proto_frame_t *frames);
ngx_uint_t  clipper_proto_move(clipper_proto_frame_t *frames);
ngx_uint_t clipper_proto_refused(clipper_proto_frame_t *frames,
    const ngx_str_t *text);

/*
 * The name of an error is the "cause" label of clipper_rpc_errors_total, its
 * text follows "container message dropped: ".
 */

const ngx_str_t *clipper_proto_error_name(clipper_proto_error_e error);
const ngx_str_t *clipper_proto_error_text(clipper_proto_error_e error);


#endif /* _CLIPPER_PROTO_H_INCLUDED_ */

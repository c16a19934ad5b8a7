
/*
 * Why a message of a container was dropped.
 */


#ifndef _CLIPPER_PROTO_ERROR_H_INCLUDED_
#define _CLIPPER_PROTO_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


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


/*
 * The name of an error is the "cause" label of clipper_rpc_errors_total, its
 * text follows "container message dropped: ".
 */

const ngx_str_t *clipper_proto_error_name(clipper_proto_error_e error);
const ngx_str_t *clipper_proto_error_text(clipper_proto_error_e error);


#endif /* _CLIPPER_PROTO_ERROR_H_INCLUDED_ */

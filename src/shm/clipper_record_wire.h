
/*
 * A record as bytes for other instances.  Members are named by the hashes of
 * their names, which are the same everywhere.  Pure.
 *
 *   1        version
 *   16       the user, as given to the encoder
 *   1        members, at least one
 *   1        the one that was served, or 255: all
 *   8        up
 *   8        seen
 *   8        propensity, a double
 *   8        time of the sender's machine, a double
 *   8        key      of each member
 *   1        length   of each member's output, or .._LONG, .._MISSED
 *            outputs
 */


#ifndef _CLIPPER_RECORD_WIRE_H_INCLUDED_
#define _CLIPPER_RECORD_WIRE_H_INCLUDED_


#include "shm/clipper_record.h"


#define CLIPPER_RECORD_WIRE_VERSION  1
#define CLIPPER_RECORD_WIRE_OWNER    16
#define CLIPPER_RECORD_WIRE_HEAD     51
#define CLIPPER_RECORD_WIRE_MAX                                               \
    (CLIPPER_RECORD_WIRE_HEAD                                                 \
     + CLIPPER_POLICY_MEMBERS * (8 + 1 + CLIPPER_RECORD_OUTPUT))


/* returns the length; out has .._MAX bytes */
size_t clipper_record_wire_encode(const clipper_record_t *record,
    const u_char owner[CLIPPER_RECORD_WIRE_OWNER], u_char *out);

/*
 * Sets all but the id, application, user and input.  NGX_ERROR: these are not
 * the bytes of a record.
 */
ngx_int_t clipper_record_wire_decode(const u_char *data, size_t len,
    clipper_record_t *record);


#endif /* _CLIPPER_RECORD_WIRE_H_INCLUDED_ */

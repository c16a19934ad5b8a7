
/*
 * What the table of states and its parts are asked about, and what Redis
 * replied.
 */


#ifndef _CLIPPER_STATE_WHO_H_INCLUDED_
#define _CLIPPER_STATE_WHO_H_INCLUDED_


#include "shm/clipper_state_row.h"


/* whose state, and the requested members in order */

typedef struct {
    uint64_t                    id[2];          /* digest of what follows */
    uint32_t                    kind;
    uint32_t                    policy;
    uint32_t                    nfields;
    ngx_str_t                   owner;
    ngx_str_t                   uid;
    uint32_t                    n;
    const uint64_t             *key;
    const ngx_str_t            *names;
} clipper_state_who_t;


/* what Redis replied about some members */

typedef struct {
    uint64_t                    last;           /* number of this source's
                                                   last delta in it */
    uint64_t                    acked;          /* of a question: what the row
                                                   had then */
    double                      head[CLIPPER_POLICY_ROWS];
    double                      time;           /* Redis', of the last delta;
                                                   0: not known */
    uint32_t                    n;
    const uint64_t             *key;
    const double               *rows;           /* n times nfields */
} clipper_state_reply_t;


#endif /* _CLIPPER_STATE_WHO_H_INCLUDED_ */

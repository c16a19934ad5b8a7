
/*
 * A batch that a replica takes: its leases, its limits, and their outputs.
 */


#ifndef _CLIPPER_QUEUE_TAKE_H_INCLUDED_
#define _CLIPPER_QUEUE_TAKE_H_INCLUDED_


#include "shm/clipper_table.h"


/* an input of the batch of a replica */

typedef struct {
    uint32_t          flight;
    uint32_t          gen;
} clipper_lease_t;


typedef struct {
    uint32_t          result;           /* clipper_result_e */
    uint32_t          chunk;            /* chain on loan, if it is long */
    const u_char     *data;             /* else; of an error: its text */
    size_t            len;
} clipper_output_t;


/* limits of a batch, and when to ask again if there is none yet */

typedef struct {
    const clipper_batch_conf_t           *conf;
    ngx_uint_t                            max;       /* leases of the caller */
    uint64_t                              now_us;
    uint64_t                              margin_us; /* to deliver an answer */
    uint64_t                              wait_us;   /* out; 0: no need to */
    ngx_uint_t                            once;      /* "hedge off" */
    ngx_uint_t                            copies;    /* out: of what another
                                                        replica is late with */
    uint64_t                              late_us;   /* out: a batch that takes
                                                        longer is late; 0: not
                                                        known */
} clipper_take_t;


#endif /* _CLIPPER_QUEUE_TAKE_H_INCLUDED_ */


/*
 * What is known about the owners of records: who lives, and what became of the
 * lesson of a dead one.  The kernel is asked without the lock: a function that
 * meets an unknown owner under the lock leaves the question here; its caller
 * releases the lock, asks, and begins again.
 */


#ifndef _CLIPPER_RECORD_FATE_H_INCLUDED_
#define _CLIPPER_RECORD_FATE_H_INCLUDED_


#include "shm/clipper_table.h"


typedef struct {
    clipper_owner_t     ask;                    /* the question */
    uint64_t            ask_lesson;
    clipper_owner_t     dead;                   /* 0: none */
    uint64_t            lesson;                 /* its; 0: it claimed only */
    ngx_uint_t          learned;
    ngx_uint_t          n;
    clipper_owner_t     living[CLIPPER_WORKERS];
} clipper_record_fate_t;


/*
 * Whether a dead process has learned the lesson with this number, which was
 * marked in a record.  NULL: it is taken as learned.
 */
extern ngx_uint_t  (*clipper_record_fate_learned)(clipper_owner_t owner,
    uint64_t lesson);


void clipper_record_fate_init(clipper_record_fate_t *fate);

/* adds the answer; without any lock, as it asks the kernel */
void clipper_record_fate_ask(clipper_record_fate_t *fate);

/* if there are more owners than workers can be, an unknown one lives */
ngx_uint_t clipper_record_fate_lives(const clipper_record_fate_t *fate,
    clipper_owner_t owner);


#endif /* _CLIPPER_RECORD_FATE_H_INCLUDED_ */

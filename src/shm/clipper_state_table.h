
/*
 * The hot set of learned states: a table in shared memory.  Pure except for its
 * lock; its layout is in clipper_state_layout.h.
 */


#ifndef _CLIPPER_STATE_TABLE_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_H_INCLUDED_


#include "shm/clipper_state_layout.h"
#include "shm/clipper_state_who.h"


ngx_int_t clipper_state_table_create(void *addr, size_t size,
    const u_char seed[32]);

/* texts that a table of this size keeps, with text 0, which is none */
size_t clipper_state_table_texts(size_t size);

void clipper_state_table_attach(clipper_state_table_t *table, void *addr,
    clipper_owner_t pid);

/* about a row, for callers that may ask Redis */

typedef struct {
    uint64_t                    acked;
    ngx_uint_t                  stale;          /* the base is old; reported
                                                   to one caller only */
} clipper_state_age_t;


/*
 * Adds up what is known.  NGX_OK: for all members; NGX_AGAIN: for some, Redis
 * has not replied about the others; NGX_DECLINED: no row.
 */
ngx_int_t clipper_state_table_read(clipper_state_table_t *table,
    const clipper_state_who_t *who, double *vec, uint64_t now_us,
    uint64_t stale_us, clipper_state_age_t *age);

/*
 * Adds what observe() gave, at the clock of feedbacks of the sum of all that is
 * known.  NGX_DECLINED: no room.
 */
ngx_int_t clipper_state_table_add(clipper_state_table_t *table,
    const clipper_state_who_t *who, const double *delta);

/*
 * The same for an application and one of its users, or NULL, and notes the
 * number of the lesson: all of it happens, or nothing.  NGX_DECLINED: no room
 * for one of them.
 */
ngx_int_t clipper_state_table_learn(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    const double *delta, uint64_t number);

/*
 * Stores the reply to a read; creates the row if there is none.  NGX_DECLINED:
 * there is no room for it.
 */
ngx_int_t clipper_state_table_load(clipper_state_table_t *table,
    const clipper_state_who_t *who, const clipper_state_reply_t *reply,
    uint64_t now_us);


#endif /* _CLIPPER_STATE_TABLE_H_INCLUDED_ */

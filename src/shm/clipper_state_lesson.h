
/*
 * Which feedback a process has learned from last, whatever becomes of it.
 *
 * A worker marks the record of a query with a number before it learns from it,
 * and notes that number together with what it adds to the states.  If it dies,
 * the number tells whether the record was used.
 */


#ifndef _CLIPPER_STATE_LESSON_H_INCLUDED_
#define _CLIPPER_STATE_LESSON_H_INCLUDED_


#include "shm/clipper_state_layout.h"


/*
 * A place for this process, at its start: a free one, or that of the dead one
 * that took its own first.  NGX_DECLINED: all are of living processes.
 */
ngx_int_t clipper_state_lesson_join(clipper_state_table_t *table);

/* at its end: nothing is being learned */
void clipper_state_lesson_leave(clipper_state_table_t *table);

void clipper_state_lesson_note_locked(clipper_state_table_t *table,
    uint64_t number);

/* of a dead process: 1 also if its place is another one's by now */
ngx_uint_t clipper_state_lesson_done(clipper_state_table_t *table,
    clipper_owner_t owner, uint64_t number);


#endif /* _CLIPPER_STATE_LESSON_H_INCLUDED_ */


/*
 * Lists of the rows of the table of states.  A row is on one of them, or on
 * none while it is made.
 */


#ifndef _CLIPPER_STATE_TABLE_LIST_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_LIST_H_INCLUDED_


#include "shm/clipper_state_layout.h"


/* puts a row on the list for its state */
void clipper_state_table_list_place_locked(clipper_state_table_t *table,
    uint32_t row);

void clipper_state_table_list_append_locked(clipper_state_table_t *table,
    uint32_t row, uint32_t list);
void clipper_state_table_list_remove_locked(clipper_state_table_t *table,
    uint32_t row);


#endif /* _CLIPPER_STATE_TABLE_LIST_H_INCLUDED_ */

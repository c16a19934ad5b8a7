
/*
 * Texts of the table of states, each kept once.
 */


#ifndef _CLIPPER_STATE_TABLE_NAME_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_NAME_H_INCLUDED_


#include "shm/clipper_state_layout.h"


/* adds a reference; 0: no room, or too long */
uint32_t clipper_state_table_name_get_locked(clipper_state_table_t *table,
    const ngx_str_t *text);
void clipper_state_table_name_leave_locked(clipper_state_table_t *table,
    uint32_t name);


#endif /* _CLIPPER_STATE_TABLE_NAME_H_INCLUDED_ */

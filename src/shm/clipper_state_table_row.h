
/*
 * Rows of the table of states: find, create, evict.
 */


#ifndef _CLIPPER_STATE_TABLE_ROW_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_ROW_H_INCLUDED_


#include "shm/clipper_state_layout.h"
#include "shm/clipper_state_who.h"


/* 0: no such row */
uint32_t clipper_state_table_row_find_locked(clipper_state_table_t *table,
    const uint64_t id[2]);

/*
 * Finds or creates the row, with all cells; 0: no room, with table->nameless
 * because versions that are gone may still have names.
 */
uint32_t clipper_state_table_row_get_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who);

/* the cells of n keys, 0 if there is none; returns the number missing */
ngx_uint_t clipper_state_table_row_cells_locked(clipper_state_table_t *table,
    uint32_t row, uint32_t n, const uint64_t *key, uint32_t *cells);


#endif /* _CLIPPER_STATE_TABLE_ROW_H_INCLUDED_ */


/*
 * Cells of the table of states: those of versions that are gone make room.
 */


#ifndef _CLIPPER_STATE_TABLE_CELL_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_CELL_H_INCLUDED_


#include "shm/clipper_state_layout.h"
#include "shm/clipper_state_who.h"


/* these cells of a row are in use now */
void clipper_state_table_cell_seen_locked(clipper_state_table_t *table,
    uint32_t row, uint32_t n, const uint32_t *cells);

/*
 * Frees the cells of a row that are not in `who` nor, by the number of their
 * name, in `live`; live may be NULL.  What Redis does not have stays.  Commits.
 */
void clipper_state_table_cell_prune_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_who_t *who, const uint64_t *live);

/*
 * Prunes all rows of versions that are gone, without the lock between its
 * pieces.  A sweep that frees no name is not repeated at once.  1: there are
 * names again.
 */
ngx_uint_t clipper_state_table_cell_sweep(clipper_state_table_t *table,
    const clipper_state_who_t *who);

/* rows of one piece */
#define CLIPPER_STATE_BITE  256

/* the next piece, whoever began; commits row by row; 0: the sweep is over */
ngx_uint_t clipper_state_table_cell_sweep_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who);

/* the caller has saved the header's lists, and takes the cell from its row */
void clipper_state_table_cell_free_locked(clipper_state_table_t *table,
    uint32_t kind, uint32_t cell);


#endif /* _CLIPPER_STATE_TABLE_CELL_H_INCLUDED_ */


/*
 * Lists of the rows of the table of states, see the header.
 */


#include "shm/clipper_state_table_list.h"


void
clipper_state_table_list_place_locked(clipper_state_table_t *table,
    uint32_t row)
{
    uint32_t              list;
    clipper_state_row_t  *r;

    clipper_state_table_locked(table);

    r = &table->rows[row];

    if (r->sender) {
        list = CLIPPER_STATE_SENT;

    } else if (r->seq || r->pending) {
        list = (r->kind == CLIPPER_STATE_APP)
               ? CLIPPER_STATE_DIRTY_APP
               : CLIPPER_STATE_DIRTY_USER;

    } else {
        list = (r->kind == CLIPPER_STATE_APP)
               ? CLIPPER_STATE_CLEAN_APP
               : CLIPPER_STATE_CLEAN_USER;
    }

    if (r->list == list) {
        return;
    }

    if (r->list != CLIPPER_STATE_LISTS) {
        clipper_state_table_list_remove_locked(table, row);
    }

    clipper_state_table_list_append_locked(table, row, list);
}


void
clipper_state_table_list_remove_locked(clipper_state_table_t *table,
    uint32_t row)
{
    uint32_t                *p;
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    r = &table->rows[row];

    clipper_state_save(table, h->m);
    clipper_state_save(table, r->list);

    p = r->list_prev ? &table->rows[r->list_prev].list_next
                     : &h->m.head[r->list];
    clipper_state_save(table, *p);
    *p = r->list_next;

    p = r->list_next ? &table->rows[r->list_next].list_prev
                     : &h->m.tail[r->list];
    clipper_state_save(table, *p);
    *p = r->list_prev;

    h->m.count[r->list]--;
    r->list = CLIPPER_STATE_LISTS;
}


void
clipper_state_table_list_append_locked(clipper_state_table_t *table,
    uint32_t row, uint32_t list)
{
    uint32_t                 tail;
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    r = &table->rows[row];
    tail = h->m.tail[list];

    clipper_state_save(table, h->m);
    clipper_state_save(table, *r);

    r->list = list;
    r->list_prev = tail;
    r->list_next = 0;

    if (tail) {
        clipper_state_save(table, table->rows[tail].list_next);
        table->rows[tail].list_next = row;

    } else {
        h->m.head[list] = row;
    }

    h->m.tail[list] = row;
    h->m.count[list]++;
}


/*
 * Rows of the table of states: find, create, evict.
 */


#include "shm/clipper_state_table_row.h"
#include "shm/clipper_state_table_cell.h"
#include "shm/clipper_state_table_list.h"
#include "shm/clipper_state_table_name.h"


#define CLIPPER_STATE_CHANCES  8                /* of used rows, per eviction */
#define CLIPPER_STATE_SWEEP    256              /* evictions per call */


static ngx_uint_t clipper_state_row_room_locked(clipper_state_table_t *table,
    uint32_t kind, uint32_t nrows, uint32_t ncells, uint32_t except);
static ngx_uint_t clipper_state_row_evict_locked(clipper_state_table_t *table,
    uint32_t list, uint32_t except);
static uint32_t clipper_state_row_new_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who);
static void clipper_state_row_free_locked(clipper_state_table_t *table,
    uint32_t row);
static ngx_int_t clipper_state_row_extend_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_who_t *who, const uint32_t *cells);
static ngx_uint_t clipper_state_row_complete_locked(
    clipper_state_table_t *table, uint32_t row, const clipper_state_who_t *who);


/*
 * ids are digests with a secret, and there are at least as many buckets as
 * rows
 */

uint32_t
clipper_state_table_row_find_locked(clipper_state_table_t *table,
    const uint64_t id[2])
{
    uint32_t  row;

    clipper_state_table_locked(table);

    row = table->buckets[id[0] & (table->header->nbuckets - 1)];

    while (row
           && (table->rows[row].id[0] != id[0]
               || table->rows[row].id[1] != id[1]))
    {
        row = table->rows[row].next;
    }

    return row;
}


ngx_uint_t
clipper_state_table_row_cells_locked(clipper_state_table_t *table, uint32_t row,
    uint32_t n, const uint64_t *key, uint32_t *cells)
{
    uint32_t    cell, first;
    ngx_uint_t  i, missing;

    clipper_state_table_locked(table);

    /*
     * Cells are usually in the order of the members: continue after the last
     * one.  A row has 128 cells at most.
     */

    first = table->rows[row].cells;
    cell = first;
    missing = 0;

    for (i = 0; i < n; i++) {

        while (cell && table->cells[cell].key != key[i]) {
            cell = table->cells[cell].next;
        }

        if (cell == 0) {
            cell = first;

            while (cell && table->cells[cell].key != key[i]) {
                cell = table->cells[cell].next;
            }
        }

        cells[i] = cell;

        if (cell == 0) {
            missing++;
            cell = first;

        } else {
            cell = table->cells[cell].next;
        }
    }

    return missing;
}


uint32_t
clipper_state_table_row_get_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who)
{
    uint32_t    row;
    ngx_uint_t  made;

    clipper_state_table_locked(table);

    row = clipper_state_table_row_find_locked(table, who->id);
    made = 0;

    if (row == 0) {

        if (!clipper_state_row_room_locked(table, who->kind, 1, who->n, 0))
        {
            return 0;
        }

        row = clipper_state_row_new_locked(table, who);

        if (row == 0) {
            return 0;
        }

        made = 1;
    }

    table->rows[row].used = 1;

    if (clipper_state_row_complete_locked(table, row, who)) {
        return row;
    }

    table->nameless |= (table->header->m.free_names == 0);

    if (made) {
        clipper_state_row_free_locked(table, row);
    }

    return 0;
}


/* makes the cells that are missing; 0: no room for all of them */

static ngx_uint_t
clipper_state_row_complete_locked(clipper_state_table_t *table, uint32_t row,
    const clipper_state_who_t *who)
{
    uint32_t    cells[CLIPPER_POLICY_CELLS];
    ngx_uint_t  missing;

    clipper_state_table_locked(table);

    missing = clipper_state_table_row_cells_locked(table, row, who->n, who->key,
                                                   cells);
    if (missing) {

        if (table->rows[row].ncells + missing > CLIPPER_STATE_CELLS) {
            clipper_state_table_cell_prune_locked(table, row, who, NULL);
        }

        if (table->rows[row].ncells + missing > CLIPPER_STATE_CELLS
            || !clipper_state_row_room_locked(table, who->kind, 0,
                                              (uint32_t) missing, row)
            || clipper_state_row_extend_locked(table, row, who, cells)
               != NGX_OK)
        {
            return 0;
        }

        (void) clipper_state_table_row_cells_locked(table, row, who->n,
                                                    who->key, cells);
    }

    clipper_state_table_cell_seen_locked(table, row, who->n, cells);

    return 1;
}


/* evicts other rows, committed one by one; each commit is consistent */

static ngx_uint_t
clipper_state_row_room_locked(clipper_state_table_t *table, uint32_t kind,
    uint32_t nrows, uint32_t ncells, uint32_t except)
{
    uint32_t                 max_rows, max_cells;
    ngx_uint_t               i, app, over;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    app = (kind == CLIPPER_STATE_APP);
    max_rows = (h->nrows - 1) / 4 * 3;
    max_cells = (h->ncells - 1) / 4 * 3;

    for (i = 0; i < CLIPPER_STATE_SWEEP; i++) {

        over = !app && (h->m.user_rows + nrows > max_rows
                        || h->m.user_cells + ncells > max_cells);

        if (!over
            && h->m.rows + nrows < h->nrows
            && h->m.cells + ncells < h->ncells)
        {
            return 1;
        }

        if (!clipper_state_row_evict_locked(table,
                                 CLIPPER_STATE_CLEAN_USER, except)
            && (table->keep
                || !clipper_state_row_evict_locked(table,
                                 CLIPPER_STATE_DIRTY_USER, except))
            && (!app
                || !clipper_state_row_evict_locked(table,
                                 CLIPPER_STATE_CLEAN_APP, except))
            && (!app || table->keep
                || !clipper_state_row_evict_locked(table,
                                 CLIPPER_STATE_DIRTY_APP, except)))
        {
            return 0;
        }

        (void) __atomic_fetch_add(&h->evicted, 1, __ATOMIC_RELAXED);
        clipper_journal_commit(&h->journal);
    }

    return 0;
}


static ngx_uint_t
clipper_state_row_evict_locked(clipper_state_table_t *table, uint32_t list,
    uint32_t except)
{
    uint32_t              row;
    ngx_uint_t            i;
    clipper_state_row_t  *r;

    clipper_state_table_locked(table);

    for (i = 0; i <= CLIPPER_STATE_CHANCES; i++) {
        row = table->header->m.head[list];

        if (row == 0) {
            return 0;
        }

        r = &table->rows[row];

        if (row != except
            && (!r->used || i == CLIPPER_STATE_CHANCES))
        {
            clipper_state_row_free_locked(table, row);
            return 1;
        }

        if (row == except && r->list_next == 0) {
            return 0;
        }

        r->used = 0;

        clipper_state_table_list_remove_locked(table, row);
        clipper_state_table_list_append_locked(table, row, list);
    }

    return 0;
}


static uint32_t
clipper_state_row_new_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who)
{
    uint32_t                 row, owner, *bucket;
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    row = h->m.free_rows;

    if (row == 0) {
        return 0;
    }

    owner = clipper_state_table_name_get_locked(table, &who->owner);

    if (owner == 0) {
        table->nameless = 1;
        return 0;
    }

    r = &table->rows[row];
    bucket = &table->buckets[who->id[0] & (h->nbuckets - 1)];

    clipper_state_save(table, h->m);
    clipper_state_save(table, *bucket);
    clipper_state_save(table, *r);

    h->m.free_rows = r->next;
    h->m.rows++;
    h->m.user_rows += (who->kind != CLIPPER_STATE_APP);

    ngx_memzero(r, sizeof(clipper_state_row_t));

    r->id[0] = who->id[0];
    r->id[1] = who->id[1];
    r->list = CLIPPER_STATE_LISTS;
    r->owner = owner;
    r->kind = who->kind;
    r->policy = who->policy;
    r->nfields = who->nfields;
    r->uid_len = (uint32_t) ngx_min(who->uid.len, CLIPPER_STATE_UID);

    if (r->uid_len) {
        ngx_memcpy(r->uid, who->uid.data, r->uid_len);
    }

    r->next = *bucket;
    *bucket = row;

    clipper_state_table_list_place_locked(table, row);

    return row;
}


static void
clipper_state_row_free_locked(clipper_state_table_t *table, uint32_t row)
{
    uint32_t                 cell, next, *p;
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    r = &table->rows[row];

    clipper_state_table_list_remove_locked(table, row);

    p = &table->buckets[r->id[0] & (h->nbuckets - 1)];

    while (*p != row) {
        p = &table->rows[*p].next;
    }

    clipper_state_save(table, *p);
    *p = r->next;

    clipper_state_save(table, h->m);
    clipper_state_save(table, *r);

    for (cell = r->cells; cell; cell = next) {
        next = table->cells[cell].next;
        clipper_state_table_cell_free_locked(table, r->kind, cell);
    }

    clipper_state_table_name_leave_locked(table, r->owner);

    h->m.rows--;
    h->m.user_rows -= (r->kind != CLIPPER_STATE_APP);

    r->kind = 0;
    r->cells = 0;
    r->next = h->m.free_rows;
    h->m.free_rows = row;
}


static ngx_int_t
clipper_state_row_extend_locked(clipper_state_table_t *table, uint32_t row,
    const clipper_state_who_t *who, const uint32_t *cells)
{
    uint32_t                 i, cell, name, *tail;
    clipper_state_row_t     *r;
    clipper_state_cell_t    *c;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    r = &table->rows[row];

    clipper_state_save(table, h->m);
    clipper_state_save(table, *r);

    for (tail = &r->cells; *tail; tail = &table->cells[*tail].next) {
        /* void */
    }

    for (i = 0; i < who->n; i++) {

        if (cells[i]) {
            continue;
        }

        name = clipper_state_table_name_get_locked(table, &who->names[i]);

        if (name == 0) {
            return NGX_ERROR;
        }

        cell = h->m.free_cells;
        c = &table->cells[cell];

        clipper_state_save(table, *tail);
        clipper_state_save(table, c->next);

        h->m.free_cells = c->next;
        h->m.cells++;
        h->m.user_cells += (r->kind != CLIPPER_STATE_APP);

        ngx_memzero(c, sizeof(clipper_state_cell_t));
        c->key = who->key[i];
        c->name = name;

        *tail = cell;
        tail = &c->next;
        r->ncells++;
    }

    return NGX_OK;
}

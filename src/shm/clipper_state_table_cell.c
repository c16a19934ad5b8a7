
/*
 * Cells of members: which are in use, and how those of versions that are gone
 * leave.
 *
 * A row numbers the calls that ask for it, and a cell has the number of its
 * last one.  The cells of an application that were not among its last calls
 * are of versions that are gone; during a reload, old and new workers have
 * different ones by turns.
 */


#include "shm/clipper_state_table_cell.h"
#include "shm/clipper_state_table_name.h"


#define CLIPPER_STATE_TURNS  8                  /* of a version that is gone */
#define CLIPPER_STATE_WAIT   1024               /* calls, after a vain sweep */

#define CLIPPER_STATE_LIVE   1                  /* phases of a sweep */
#define CLIPPER_STATE_PRUNE  2


static void clipper_state_cell_live_locked(clipper_state_table_t *table,
    uint32_t row);
static ngx_uint_t clipper_state_cell_kept_locked(clipper_state_table_t *table,
    uint32_t cell, const clipper_state_who_t *who, const uint64_t *live);


void
clipper_state_table_cell_seen_locked(clipper_state_table_t *table,
    uint32_t row, uint32_t n, const uint32_t *cells)
{
    uint32_t  i, turn;

    clipper_state_table_locked(table);

    turn = ++table->rows[row].turn;

    for (i = 0; i < n; i++) {
        table->cells[cells[i]].turn = turn;
    }
}


ngx_uint_t
clipper_state_table_cell_sweep(clipper_state_table_t *table,
    const clipper_state_who_t *who)
{
    ngx_uint_t               first, more, names;
    clipper_state_header_t  *h;

    h = table->header;
    first = 1;

    do {
        clipper_journal_begin(&h->journal, h, table->pid);

        /* another process may have ended it */

        more = (first || h->sweep_phase)
               && clipper_state_table_cell_sweep_locked(table, who);
        names = h->m.free_names;
        first = 0;

        clipper_journal_end(&h->journal);

    } while (more);

    return names != 0;
}


/* first finds the names in use, then frees the others */

ngx_uint_t
clipper_state_table_cell_sweep_locked(clipper_state_table_t *table,
    const clipper_state_who_t *who)
{
    uint32_t                 end;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;

    if (h->sweep_phase == 0) {

        if (h->sweep_wait) {
            h->sweep_wait--;
            return 0;
        }

        ngx_memzero(h->sweep_live, sizeof(h->sweep_live));
        h->sweep_row = 1;
        h->sweep_phase = CLIPPER_STATE_LIVE;
    }

    end = ngx_min(h->sweep_row + CLIPPER_STATE_BITE, h->nrows);

    for ( /* void */ ; h->sweep_row < end; h->sweep_row++) {

        if (h->sweep_phase == CLIPPER_STATE_LIVE) {
            clipper_state_cell_live_locked(table, h->sweep_row);

        } else if (table->rows[h->sweep_row].kind) {
            clipper_state_table_cell_prune_locked(table, h->sweep_row, who,
                                                  h->sweep_live);
        }
    }

    if (end < h->nrows) {
        return 1;
    }

    if (h->sweep_phase == CLIPPER_STATE_LIVE) {
        h->sweep_row = 1;
        h->sweep_phase = CLIPPER_STATE_PRUNE;
        return 1;
    }

    h->sweep_phase = 0;
    h->sweep_wait = h->m.free_names ? 0 : CLIPPER_STATE_WAIT;

    return 0;
}


/* the names that an application still has */

static void
clipper_state_cell_live_locked(clipper_state_table_t *table, uint32_t row)
{
    uint32_t               cell;
    clipper_state_row_t   *r;
    clipper_state_cell_t  *c;

    clipper_state_table_locked(table);

    r = &table->rows[row];

    if (r->kind != CLIPPER_STATE_APP) {
        return;
    }

    for (cell = r->cells; cell; cell = c->next) {
        c = &table->cells[cell];

        /* after an undone change a cell may be a turn ahead */

        if ((int32_t) (r->turn - c->turn) < CLIPPER_STATE_TURNS) {
            table->header->sweep_live[c->name / 64] |=
                                              (uint64_t) 1 << (c->name % 64);
        }
    }
}


void
clipper_state_table_cell_prune_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_who_t *who, const uint64_t *live)
{
    uint32_t              cell, *p;
    clipper_state_row_t  *r;

    clipper_state_table_locked(table);

    r = &table->rows[row];

    if (r->seq) {
        return;
    }

    clipper_state_save(table, *r);
    clipper_state_save(table, table->header->m);

    p = &r->cells;

    while (*p) {
        cell = *p;

        if (clipper_state_cell_kept_locked(table, cell, who, live)) {
            p = &table->cells[cell].next;
            continue;
        }

        clipper_state_save(table, *p);
        *p = table->cells[cell].next;
        r->ncells--;
        clipper_state_table_cell_free_locked(table, r->kind, cell);
    }

    clipper_journal_commit(&table->header->journal);
}


static ngx_uint_t
clipper_state_cell_kept_locked(clipper_state_table_t *table, uint32_t cell,
    const clipper_state_who_t *who, const uint64_t *live)
{
    uint32_t               i;
    clipper_state_cell_t  *c;

    clipper_state_table_locked(table);

    c = &table->cells[cell];

    if (live && (live[c->name / 64] >> (c->name % 64)) & 1) {
        return 1;
    }

    for (i = 0; i < who->n; i++) {
        if (who->key[i] == c->key) {
            return 1;
        }
    }

    for (i = 0; table->keep && i < CLIPPER_STATE_FIELDS; i++) {
        if (c->v[CLIPPER_STATE_PENDING][i] != 0) {
            return 1;
        }
    }

    return 0;
}


/* the caller has saved the header's lists */

void
clipper_state_table_cell_free_locked(clipper_state_table_t *table,
    uint32_t kind, uint32_t cell)
{
    clipper_state_cell_t    *c;
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    c = &table->cells[cell];

    clipper_state_table_name_leave_locked(table, c->name);

    clipper_state_save(table, c->next);
    c->next = h->m.free_cells;

    h->m.free_cells = cell;
    h->m.cells--;
    h->m.user_cells -= (kind != CLIPPER_STATE_APP);
}

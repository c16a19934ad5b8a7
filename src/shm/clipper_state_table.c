
/*
 * The table of states, see the header: its layout, and the three vectors.
 */


#include "shm/clipper_state_table.h"
#include "base/clipper_hash.h"
#include "shm/clipper_state_lesson.h"
#include "shm/clipper_state_table_cell.h"
#include "shm/clipper_state_table_delta.h"
#include "shm/clipper_state_table_list.h"
#include "shm/clipper_state_table_row.h"


#define CLIPPER_STATE_ALIGN    64
#define CLIPPER_STATE_PER_ROW  4                /* cells, on average */


static void clipper_state_table_gather_locked(clipper_state_table_t *table,
    uint32_t row, ngx_uint_t vector, uint32_t n, const uint32_t *cells,
    double *vec);
static void clipper_state_table_find_locked(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    uint32_t rows[2]);
static void clipper_state_table_rows_locked(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    uint32_t rows[2]);
static void clipper_state_table_add_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_who_t *who, const double *delta);
static double clipper_state_table_clock(const clipper_state_row_t *r);


ngx_int_t
clipper_state_table_create(void *addr, size_t size, const u_char seed[32])
{
    size_t                   left, per_row;
    uint32_t                 i;
    uint64_t                 key[2];
    clipper_state_table_t    table;
    clipper_state_header_t  *h;

    h = addr;

    h->nnames = (uint32_t) clipper_state_table_texts(size);

    h->names = ngx_align(sizeof(clipper_state_header_t), CLIPPER_STATE_ALIGN);
    h->name_buckets = h->names
                      + h->nnames * sizeof(clipper_state_name_t);
    h->buckets = h->name_buckets + h->nnames * sizeof(uint32_t);

    /* a row has at most two buckets, and the arrays are aligned */

    per_row = sizeof(clipper_state_row_t)
              + CLIPPER_STATE_PER_ROW
                * sizeof(clipper_state_cell_t)
              + 2 * sizeof(uint32_t);

    if (size < h->buckets + 4 * CLIPPER_STATE_ALIGN + 64 * per_row) {
        return NGX_ERROR;
    }

    left = size - h->buckets - 4 * CLIPPER_STATE_ALIGN;

    h->nrows = (uint32_t) (left / per_row);
    h->ncells = h->nrows * CLIPPER_STATE_PER_ROW;

    for (h->nbuckets = 1; h->nbuckets < h->nrows; h->nbuckets *= 2) {
        /* void */
    }

    h->rows = ngx_align(h->buckets + h->nbuckets * sizeof(uint32_t),
                        CLIPPER_STATE_ALIGN);
    h->cells = ngx_align(h->rows
                         + h->nrows * sizeof(clipper_state_row_t),
                         CLIPPER_STATE_ALIGN);

    /* Redis sees it: it must reveal nothing about the seed */

    ngx_memcpy(key, seed, sizeof(key));
    clipper_hash_siphash(key, (u_char *) "source", sizeof("source") - 1,
                         h->source);
    clipper_hash_siphash(key, (u_char *) "names", sizeof("names") - 1,
                         h->names_key);

    clipper_state_table_attach(&table, addr, 0);

    for (i = h->nrows - 1; i; i--) {
        table.rows[i].next = h->m.free_rows;
        h->m.free_rows = i;
    }

    for (i = h->ncells - 1; i; i--) {
        table.cells[i].next = h->m.free_cells;
        h->m.free_cells = i;
    }

    for (i = h->nnames - 1; i; i--) {
        table.names[i].next = h->m.free_names;
        h->m.free_names = i;
    }

    return NGX_OK;
}


size_t
clipper_state_table_texts(size_t size)
{
    return ngx_min(ngx_max(size / 16384, 40), CLIPPER_STATE_NAMES);
}


void
clipper_state_table_attach(clipper_state_table_t *table, void *addr,
    clipper_owner_t pid)
{
    u_char                  *p;
    clipper_state_header_t  *h;

    p = addr;
    h = addr;

    table->header = h;
    table->rows = (clipper_state_row_t *) (p + h->rows);
    table->cells = (clipper_state_cell_t *) (p + h->cells);
    table->names = (clipper_state_name_t *) (p + h->names);
    table->buckets = (uint32_t *) (p + h->buckets);
    table->name_buckets = (uint32_t *) (p + h->name_buckets);
    table->pid = pid;
    table->keep = 0;
    table->nameless = 0;
    table->lesson = NULL;
}


ngx_int_t
clipper_state_table_read(clipper_state_table_t *table,
    const clipper_state_who_t *who, double *vec, uint64_t now_us,
    uint64_t stale_us, clipper_state_age_t *age)
{
    double  add[CLIPPER_POLICY_STATE_MAX];
    size_t  size;
    uint32_t                       row, i,
                                   cells[CLIPPER_POLICY_CELLS];
    ngx_int_t             rc;
    clipper_state_row_t  *r;

    size = CLIPPER_POLICY_ROWS + who->n * who->nfields;
    age->stale = 0;
    age->acked = 0;

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    row = clipper_state_table_row_find_locked(table, who->id);

    if (row == 0) {
        clipper_journal_end(&table->header->journal);
        ngx_memzero(vec, size * sizeof(double));
        return NGX_DECLINED;
    }

    rc = NGX_OK;
    r = &table->rows[row];
    r->used = 1;
    age->acked = r->acked;

    if (now_us > r->asked_us && now_us - r->asked_us > stale_us) {
        r->asked_us = now_us;
        age->stale = 1;
    }

    (void) clipper_state_table_row_cells_locked(table, row, who->n, who->key,
                                                cells);

    for (i = 0; i < who->n; i++) {
        if (cells[i] == 0 || !table->cells[cells[i]].loaded) {
            rc = NGX_AGAIN;
        }
    }

    clipper_state_table_gather_locked(table, row, CLIPPER_STATE_BASE,
                                      who->n, cells, vec);
    if (r->seq) {
        clipper_state_table_gather_locked(table, row, CLIPPER_STATE_DELTA,
                                          who->n, cells, add);
        clipper_policy_state_add(vec, add, size);
    }

    if (r->pending) {
        clipper_state_table_gather_locked(table, row, CLIPPER_STATE_PENDING,
                                          who->n, cells, add);
        clipper_policy_state_add(vec, add, size);
    }

    clipper_journal_end(&table->header->journal);

    return rc;
}


static void
clipper_state_table_gather_locked(clipper_state_table_t *table, uint32_t row,
    ngx_uint_t vector, uint32_t n, const uint32_t *cells, double *vec)
{
    size_t                size;
    uint32_t              i;
    clipper_state_row_t  *r;

    clipper_state_table_locked(table);

    r = &table->rows[row];
    size = r->nfields * sizeof(double);

    ngx_memcpy(vec, r->head[vector], sizeof(r->head[vector]));
    vec += CLIPPER_POLICY_ROWS;

    for (i = 0; i < n; i++) {

        if (cells[i]) {
            ngx_memcpy(vec, table->cells[cells[i]].v[vector], size);
        } else {
            ngx_memzero(vec, size);
        }

        vec += r->nfields;
    }
}


ngx_int_t
clipper_state_table_add(clipper_state_table_t *table,
    const clipper_state_who_t *who, const double *delta)
{
    return clipper_state_table_learn(table, who, NULL, delta, 0);
}


ngx_int_t
clipper_state_table_learn(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    const double *delta, uint64_t number)
{
    uint32_t    rows[2];
    ngx_uint_t  missing;

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    clipper_state_table_find_locked(table, app, user, rows);

    /* making room may have filled the journal; the rows are consistent here */

    clipper_journal_commit(&table->header->journal);

    if (rows[0]) {
        clipper_state_table_add_locked(table, rows[0], app, delta);
    }

    if (rows[1]) {
        clipper_state_table_add_locked(table, rows[1], user, delta);
    }

    if (number) {
        clipper_state_lesson_note_locked(table, number);
    }

    clipper_journal_end(&table->header->journal);

    missing = (rows[0] == 0) + (user && rows[1] == 0);

    if (missing) {
        (void) __atomic_fetch_add(&table->header->dropped, missing,
                                  __ATOMIC_RELAXED);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* without the lock while versions that are gone give names back */

static void
clipper_state_table_find_locked(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    uint32_t rows[2])
{
    clipper_state_header_t  *h;

    clipper_state_table_locked(table);

    h = table->header;
    table->nameless = 0;

    clipper_state_table_rows_locked(table, app, user, rows);

    if (!table->nameless) {
        return;
    }

    clipper_journal_end(&h->journal);

    (void) clipper_state_table_cell_sweep(table, app);

    clipper_journal_begin(&h->journal, h, table->pid);
    clipper_state_table_rows_locked(table, app, user, rows);
}


/*
 * Both rows with the cells of their members; 0: no room.  What makes room for
 * a user takes no application's row, but may take cells of it.
 */

static void
clipper_state_table_rows_locked(clipper_state_table_t *table,
    const clipper_state_who_t *app, const clipper_state_who_t *user,
    uint32_t rows[2])
{
    uint32_t    cells[CLIPPER_POLICY_CELLS];
    ngx_uint_t  tries;

    clipper_state_table_locked(table);

    for (tries = 0; tries < 2; tries++) {
        rows[0] = clipper_state_table_row_get_locked(table, app);
        rows[1] = 0;

        if (user == NULL) {
            return;
        }

        clipper_journal_commit(&table->header->journal);

        rows[1] = clipper_state_table_row_get_locked(table, user);

        if (rows[0] == 0
            || clipper_state_table_row_cells_locked(table, rows[0], app->n,
                                                    app->key, cells)
               == 0)
        {
            return;
        }

        clipper_journal_commit(&table->header->journal);
    }

    rows[0] = 0;
}


/*
 * Updates all cells of the pending vector, whether this delta has them or not:
 * moving the time of the vector changes all of them.
 */

static void
clipper_state_table_add_locked(clipper_state_table_t *table, uint32_t row,
    const clipper_state_who_t *who, const double *delta)
{
    double                          sum[CLIPPER_POLICY_ROWS
                                        + CLIPPER_STATE_CELLS
                                          * CLIPPER_STATE_FIELDS],
                                    add[CLIPPER_POLICY_ROWS
                                        + CLIPPER_STATE_CELLS
                                          * CLIPPER_STATE_FIELDS];
    double                         *p;
    uint32_t                        i, j, k, n, cell,
                                    cells[CLIPPER_STATE_CELLS];
    clipper_state_row_t   *r;
    clipper_state_cell_t  *c;

    clipper_state_table_locked(table);

    r = &table->rows[row];
    n = 0;

    for (cell = r->cells; cell; cell = table->cells[cell].next) {
        cells[n++] = cell;
    }

    clipper_state_table_gather_locked(table, row, CLIPPER_STATE_PENDING,
                                      n, cells, sum);

    ngx_memzero(add, (CLIPPER_POLICY_ROWS + n * r->nfields)
                     * sizeof(double));
    ngx_memcpy(add, delta, CLIPPER_POLICY_ROWS * sizeof(double));
    add[CLIPPER_POLICY_U0] = clipper_state_table_clock(r);

    for (i = 0, k = 0; i < who->n; i++) {

        /* both orders are mostly the same */

        for (j = 0; j < n; j++, k = (k + 1) % n) {
            if (table->cells[cells[k]].key == who->key[i]) {
                break;
            }
        }

        if (j == n) {
            continue;
        }

        p = add + CLIPPER_POLICY_ROWS + k * r->nfields;

        ngx_memcpy(p, delta + CLIPPER_POLICY_ROWS + i * r->nfields,
                   r->nfields * sizeof(double));
    }

    /* with a base or a delta this is not a whole state */

    if (r->seq || r->head[CLIPPER_STATE_BASE][CLIPPER_POLICY_T0] != 0) {
        clipper_policy_state_join(sum, add,
                                  CLIPPER_POLICY_ROWS + n * r->nfields);
    } else {
        clipper_policy_state_add(sum, add,
                                 CLIPPER_POLICY_ROWS + n * r->nfields);
    }

    clipper_state_save(table, *r);

    r->pending = 1;
    ngx_memcpy(r->head[CLIPPER_STATE_PENDING], sum,
               sizeof(r->head[CLIPPER_STATE_PENDING]));

    for (k = 0; k < n; k++) {
        c = &table->cells[cells[k]];

        clipper_state_save(table, c->v[CLIPPER_STATE_PENDING]);
        ngx_memcpy(c->v[CLIPPER_STATE_PENDING],
                   sum + CLIPPER_POLICY_ROWS + k * r->nfields,
                   r->nfields * sizeof(double));
    }

    clipper_state_table_list_place_locked(table, row);
}


/* of what all three vectors tell together */

static double
clipper_state_table_clock(const clipper_state_row_t *r)
{
    double  whole[CLIPPER_POLICY_ROWS];

    ngx_memcpy(whole, r->head[CLIPPER_STATE_BASE], sizeof(whole));

    if (r->seq) {
        clipper_policy_state_add(whole, r->head[CLIPPER_STATE_DELTA],
                                 CLIPPER_POLICY_ROWS);
    }

    if (r->pending) {
        clipper_policy_state_add(whole, r->head[CLIPPER_STATE_PENDING],
                                 CLIPPER_POLICY_ROWS);
    }

    return clipper_policy_state_clock(whole);
}


ngx_int_t
clipper_state_table_load(clipper_state_table_t *table,
    const clipper_state_who_t *who, const clipper_state_reply_t *reply,
    uint64_t now_us)
{
    uint32_t              row, rows[2];
    clipper_state_row_t  *r;

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    clipper_state_table_find_locked(table, who, NULL, rows);
    row = rows[0];

    if (row == 0) {
        clipper_journal_end(&table->header->journal);
        return NGX_DECLINED;
    }

    clipper_journal_commit(&table->header->journal);

    r = &table->rows[row];

    /*
     * A reply to a read may be older than the reply to an update that another
     * worker sent.  A Redis that lost data has a lower number too, but its
     * state is the truth now.
     */

    if (reply->last >= r->acked || reply->acked == r->acked) {
        clipper_state_table_delta_base_locked(table, row, reply, now_us);
    }

    clipper_state_table_list_place_locked(table, row);

    clipper_journal_end(&table->header->journal);

    return NGX_OK;
}

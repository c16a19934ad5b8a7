
/*
 * Deltas of the table of states on their way to Redis.
 */


#include "shm/clipper_state_table_delta.h"
#include "shm/clipper_state_table_list.h"
#include "shm/clipper_state_table_row.h"
#include <math.h>


#define CLIPPER_STATE_RELEASE  32               /* rows of a hold */


static void clipper_state_table_delta_number_locked(
    clipper_state_table_t *table, uint32_t row);
static void clipper_state_table_delta_arrived_locked(
    clipper_state_table_t *table, uint32_t row);
static double clipper_state_table_delta_factor(const double *from,
    const double *to);
static ngx_uint_t clipper_state_table_delta_some(
    clipper_state_table_t *table, clipper_owner_t pid);
static void clipper_state_table_delta_copy_locked(clipper_state_table_t *table,
    uint32_t row, clipper_state_update_t *update);


ngx_int_t
clipper_state_table_delta_take(clipper_state_table_t *table,
    clipper_state_update_t *update)
{
    uint32_t                 row;
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    h = table->header;

    clipper_journal_begin(&h->journal, h, table->pid);

    row = h->m.head[CLIPPER_STATE_DIRTY_APP];

    if (row == 0) {
        row = h->m.head[CLIPPER_STATE_DIRTY_USER];
    }

    if (row) {
        r = &table->rows[row];
        clipper_state_save(table, *r);

        if (r->seq == 0) {
            clipper_state_table_delta_number_locked(table, row);
        }

        r->sender = table->pid;

        clipper_state_table_list_place_locked(table, row);
        clipper_state_table_delta_copy_locked(table, row, update);
    }

    clipper_journal_end(&h->journal);

    return row ? NGX_OK : NGX_DECLINED;
}


/* the pending vector gets a number and must not change any more */

static void
clipper_state_table_delta_number_locked(clipper_state_table_t *table,
    uint32_t row)
{
    uint32_t               cell;
    clipper_state_row_t   *r;
    clipper_state_cell_t  *c;

    clipper_state_table_locked(table);

    r = &table->rows[row];

    clipper_state_save(table, table->header->m);

    r->seq = ++table->header->m.seq;
    r->pending = 0;

    ngx_memcpy(r->head[CLIPPER_STATE_DELTA], r->head[CLIPPER_STATE_PENDING],
               sizeof(r->head[CLIPPER_STATE_DELTA]));
    ngx_memzero(r->head[CLIPPER_STATE_PENDING],
                sizeof(r->head[CLIPPER_STATE_PENDING]));

    for (cell = r->cells; cell; cell = c->next) {
        c = &table->cells[cell];
        clipper_state_save(table, c->v);

        ngx_memcpy(c->v[CLIPPER_STATE_DELTA], c->v[CLIPPER_STATE_PENDING],
                   sizeof(c->v[CLIPPER_STATE_PENDING]));
        ngx_memzero(c->v[CLIPPER_STATE_PENDING],
                    sizeof(c->v[CLIPPER_STATE_PENDING]));
    }
}


/* Redis has it, and so has the base */

static void
clipper_state_table_delta_arrived_locked(clipper_state_table_t *table,
    uint32_t row)
{
    uint32_t              cell;
    clipper_state_row_t  *r;

    clipper_state_table_locked(table);

    r = &table->rows[row];

    clipper_state_save(table, *r);

    r->acked = r->seq;
    r->seq = 0;
    r->sender = 0;

    (void) __atomic_fetch_add(&table->header->sent, 1, __ATOMIC_RELAXED);

    for (cell = r->cells; cell; cell = table->cells[cell].next) {
        clipper_state_save(table,
                           table->cells[cell].v[CLIPPER_STATE_DELTA]);
        ngx_memzero(table->cells[cell].v[CLIPPER_STATE_DELTA],
                    sizeof(table->cells[cell].v[0]));
    }
}


/* brings sums from one head's clocks to another's, with the former's decay */

static double
clipper_state_table_delta_factor(const double *from, const double *to)
{
    return exp(from[CLIPPER_POLICY_LAMBDA]
               * (from[CLIPPER_POLICY_T0] - to[CLIPPER_POLICY_T0])
               + from[CLIPPER_POLICY_U0] - to[CLIPPER_POLICY_U0]);
}


/*
 * A delta that the new base contains has arrived.  Members that are not in the
 * reply move to its time by themselves and take in what has arrived.
 */

void
clipper_state_table_delta_base_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_reply_t *reply, uint64_t now_us)
{
    double                         factor, gain, *v, *add;
    uint32_t                       i, k, cell,
                                   cells[CLIPPER_STATE_CELLS];
    ngx_uint_t                     arrived;
    clipper_state_row_t           *r;

    clipper_state_table_locked(table);

    r = &table->rows[row];
    arrived = (r->seq && reply->last >= r->seq);

    clipper_state_save(table, *r);

    gain = arrived ? clipper_state_table_delta_factor(
                                                 r->head[CLIPPER_STATE_DELTA],
                                                 reply->head)
                   : 0;
    factor = clipper_state_table_delta_factor(r->head[CLIPPER_STATE_BASE],
                                              reply->head);

    ngx_memcpy(r->head[CLIPPER_STATE_BASE], reply->head, sizeof(reply->head));
    r->asked_us = now_us;

    (void) clipper_state_table_row_cells_locked(table, row, reply->n,
                                                reply->key, cells);
    for (i = 0; i < reply->n; i++) {

        if (cells[i] == 0) {
            continue;
        }

        v = table->cells[cells[i]].v[CLIPPER_STATE_BASE];

        clipper_journal_save(&table->header->journal, table->header, v,
                             r->nfields * sizeof(double));
        clipper_state_save(table, table->cells[cells[i]].loaded);

        ngx_memcpy(v, reply->rows + i * r->nfields,
                   r->nfields * sizeof(double));
        table->cells[cells[i]].loaded = 1;
    }

    for (cell = r->cells; cell; cell = table->cells[cell].next) {

        for (i = 0; i < reply->n && cells[i] != cell; i++) { /* void */ }

        if (i < reply->n || (factor == 1 && !arrived)) {
            continue;
        }

        v = table->cells[cell].v[CLIPPER_STATE_BASE];
        add = table->cells[cell].v[CLIPPER_STATE_DELTA];

        clipper_journal_save(&table->header->journal, table->header, v,
                             r->nfields * sizeof(double));

        for (k = 0; k < r->nfields; k++) {
            v[k] = v[k] * factor + add[k] * gain;
        }
    }

    if (arrived) {
        clipper_state_table_delta_arrived_locked(table, row);
    }
}


static void
clipper_state_table_delta_copy_locked(clipper_state_table_t *table,
    uint32_t row, clipper_state_update_t *update)
{
    uint32_t               cell;
    clipper_state_row_t   *r;
    clipper_state_cell_t  *c;
    clipper_state_name_t  *name;

    clipper_state_table_locked(table);

    r = &table->rows[row];
    name = &table->names[r->owner];

    update->row = row;
    update->kind = r->kind;
    update->policy = r->policy;
    update->nfields = r->nfields;
    update->id[0] = r->id[0];
    update->id[1] = r->id[1];
    update->seq = r->seq;
    ngx_memcpy(update->head, r->head[CLIPPER_STATE_DELTA],
               sizeof(update->head));
    update->owner.data = name->text;
    update->owner.len = name->len;
    update->uid_len = r->uid_len;
    ngx_memcpy(update->uid, r->uid, r->uid_len);
    update->n = 0;

    for (cell = r->cells; cell; cell = c->next) {
        c = &table->cells[cell];
        name = &table->names[c->name];

        update->key[update->n] = c->key;
        update->name[update->n].data = name->text;
        update->name[update->n].len = name->len;
        ngx_memcpy(update->rows + update->n * r->nfields,
                   c->v[CLIPPER_STATE_DELTA], r->nfields * sizeof(double));
        update->n++;
    }
}


void
clipper_state_table_delta_settle(clipper_state_table_t *table, uint32_t row,
    const uint64_t id[2], uint64_t seq, const clipper_state_reply_t *reply,
    uint64_t now_us)
{
    clipper_state_row_t  *r;

    r = &table->rows[row];

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    /* its fate may be known already, and the row be another's */

    if (r->kind && r->id[0] == id[0] && r->id[1] == id[1]) {

        if (r->seq == seq && r->sender == table->pid) {
            clipper_state_save(table, *r);
            r->sender = 0;
        }

        /* the reply to a second copy may include a later delta */

        if (reply && reply->last >= r->acked) {
            clipper_state_table_delta_base_locked(table, row, reply, now_us);
        }

        clipper_state_table_list_place_locked(table, row);
    }

    clipper_journal_end(&table->header->journal);
}


/* after a death; a worker sends a window of 64 at most, see the flush */

ngx_uint_t
clipper_state_table_delta_senders(clipper_state_table_t *table,
    clipper_owner_t *pids, ngx_uint_t n)
{
    uint32_t    row;
    ngx_uint_t  i, found;

    found = 0;

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    for (row = table->header->m.head[CLIPPER_STATE_SENT];
         row;
         row = table->rows[row].list_next)
    {
        for (i = 0; i < found && pids[i] != table->rows[row].sender; i++) {
            /* void */
        }

        if (i == found && found < n) {
            pids[found++] = table->rows[row].sender;
        }
    }

    clipper_journal_end(&table->header->journal);

    return found;
}


ngx_uint_t
clipper_state_table_delta_release(clipper_state_table_t *table,
    clipper_owner_t pid)
{
    ngx_uint_t  n, some;

    n = 0;

    do {
        some = clipper_state_table_delta_some(table, pid);
        n += some;
    } while (some == CLIPPER_STATE_RELEASE);

    return n;
}


/* other processes may take the lock between two calls */

static ngx_uint_t
clipper_state_table_delta_some(clipper_state_table_t *table,
    clipper_owner_t pid)
{
    uint32_t    row, next;
    ngx_uint_t  n;

    n = 0;

    clipper_journal_begin(&table->header->journal, table->header, table->pid);

    for (row = table->header->m.head[CLIPPER_STATE_SENT];
         row && n < CLIPPER_STATE_RELEASE;
         row = next)
    {
        next = table->rows[row].list_next;

        if (table->rows[row].sender != pid) {
            continue;
        }

        clipper_state_save(table, table->rows[row]);
        table->rows[row].sender = 0;
        clipper_state_table_list_place_locked(table, row);
        clipper_journal_commit(&table->header->journal);
        n++;
    }

    clipper_journal_end(&table->header->journal);

    return n;
}


ngx_uint_t
clipper_state_table_delta_dirty(clipper_state_table_t *table)
{
    uint32_t  *count;

    count = table->header->m.count;

    return count[CLIPPER_STATE_DIRTY_USER]
           + count[CLIPPER_STATE_DIRTY_APP]
           + count[CLIPPER_STATE_SENT];
}


ngx_uint_t
clipper_state_table_delta_waiting(clipper_state_table_t *table)
{
    uint32_t  *count;

    count = table->header->m.count;

    return count[CLIPPER_STATE_DIRTY_USER]
           + count[CLIPPER_STATE_DIRTY_APP];
}

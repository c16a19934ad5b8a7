
/*
 * See the header.
 */


#include "state_fixture.h"


const uint64_t   keys[MEMBERS] = { 11, 22, 33, 44, 55 };
const ngx_str_t  names[MEMBERS] = {
    ngx_string("m:1"), ngx_string("n:1"), ngx_string("n:2"),
    ngx_string("long-name-of-a-model:2026-11-22"), ngx_string("o:1")
};


table_t
table_make(size_t size)
{
    void          *addr;
    table_t        table;
    const u_char   seed[32] = { 5, 6, 7 };

    addr = death_map(size);
    assert_int_equal(clipper_state_table_create(addr, size, seed), NGX_OK);
    clipper_state_table_attach(&table, addr, (uint32_t) getpid());
    table.keep = 1;

    return table;
}


/* id 0 is the application, others its users; n of the members from `first` */

void
who_of(who_t *who, uint32_t id, uint32_t first, uint32_t n)
{
    static char  uid[16];

    memset(who, 0, sizeof(*who));
    who->id[0] = (id + 1) * 0x9e3779b97f4a7c15;
    who->id[1] = id;
    who->kind = id ? CLIPPER_STATE_USER : CLIPPER_STATE_APP;
    who->nfields = FIELDS;
    who->owner.data = (u_char *) "app:thompson";
    who->owner.len = sizeof("app:thompson") - 1;
    who->uid.data = (u_char *) uid;
    who->uid.len = id ? (size_t) sprintf(uid, "u%u", id) : 0;
    who->n = n;
    who->key = keys + first;
    who->names = names + first;
}


uint32_t
member_of(uint64_t key)
{
    uint32_t  i;

    for (i = 0; keys[i] != key; i++) { /* void */ }

    return i;
}


/* NULL, or a text that describes a contradiction */

const char *
table_check(table_t *t)
{
    uint32_t                          i, row, cell, n, lists, ncells, used,
                                      refs[4096] = { 0 };
    clipper_state_row_t     *r;
    clipper_state_header_t  *h;

    h = t->header;
    used = 0;
    ncells = 0;

    for (row = 1; row < h->nrows; row++) {
        r = &t->rows[row];

        if (r->kind == 0) {
            continue;
        }

        used++;
        refs[r->owner]++;
        n = 0;

        for (cell = r->cells; cell; cell = t->cells[cell].next) {
            refs[t->cells[cell].name]++;
            n++;
        }

        ncells += n;

        if (n != r->ncells) {
            return "cells of a row";
        }

        if (clipper_state_table_row_find_locked(t, r->id) != row) {
            return "a row that is not found";
        }

        if ((r->list == CLIPPER_STATE_SENT) != (r->sender != 0)
            || (r->list < CLIPPER_STATE_DIRTY_USER)
               != (r->sender == 0 && !r->pending && r->seq == 0))
        {
            return "a row on a wrong list";
        }
    }

    for (i = 0, lists = 0; i < CLIPPER_STATE_LISTS; i++) {

        for (row = h->m.head[i], n = 0; row; row = t->rows[row].list_next) {
            if (t->rows[row].list != i || ++n > h->nrows) {
                return "a list";
            }
        }

        if (n != h->m.count[i]) {
            return "the length of a list";
        }

        lists += n;
    }

    for (row = h->m.free_rows, n = 0; row; row = t->rows[row].next) {
        n++;
    }

    if (used != h->m.rows || lists != used || n + used != h->nrows - 1) {
        return "rows";
    }

    for (cell = h->m.free_cells, n = 0; cell; cell = t->cells[cell].next) {
        n++;
    }

    if (ncells != h->m.cells || n + ncells != h->ncells - 1) {
        return "cells";
    }

    for (i = 1, used = 0; i < h->nnames; i++) {
        used += (refs[i] != 0);

        if (refs[i] && refs[i] != t->names[i].refs) {
            return "references of a name";
        }
    }

    for (i = h->m.free_names, n = 0; i; i = t->names[i].next) {
        n++;
    }

    return n + used == h->nnames - 1 ? NULL : "names";
}


/*
 * The table of states: against a simulated Redis that loses answers, takes
 * commands late and gives old answers, and with deaths at any instruction.
 *
 * Half-lives are off here, so sums are whole numbers and compare exactly.
 */


#include "death.h"
#include "ngx_http_clipper_state_table.h"


#define AREA      (128 * 1024)
#define USERS     150
#define MEMBERS   5
#define FIELDS    2
#define FLIGHTS   64
#define SENDERS   3


typedef ngx_http_clipper_state_table_t   table_t;
typedef ngx_http_clipper_state_who_t     who_t;
typedef ngx_http_clipper_state_reply_t   reply_t;
typedef ngx_http_clipper_state_update_t  update_t;


static const uint64_t   keys[MEMBERS] = { 11, 22, 33, 44, 55 };
static const ngx_str_t  names[MEMBERS] = {
    ngx_string("m:1"), ngx_string("n:1"), ngx_string("n:2"),
    ngx_string("long-name-of-a-model:2026-11-22"), ngx_string("o:1")
};


/* what Redis has of one id, and what the source added in all */

typedef struct {
    uint64_t    last;
    double      sum[MEMBERS][FIELDS];
    double      total[MEMBERS][FIELDS];
} store_t;


typedef struct {
    int         used;
    int         question;       /* or an update */
    int         applied;        /* Redis has taken it; the answer is kept */
    int         orphan;         /* nobody waits for the answer any more */
    uint32_t    pid;
    uint32_t    id;
    uint32_t    row;
    uint64_t    hash[2];
    uint64_t    seq;
    uint32_t    n;
    uint64_t    key[MEMBERS];
    double      delta[MEMBERS * FIELDS];
    uint64_t    last;
    uint64_t    acked;
    double      answer[MEMBERS * FIELDS];
} flight_t;


static store_t   stores[USERS];
static flight_t  flights[FLIGHTS];


static table_t
table_make(size_t size)
{
    void          *addr;
    table_t        table;
    const u_char   seed[32] = { 5, 6, 7 };

    addr = death_map(size);
    assert_int_equal(ngx_http_clipper_state_table_create(addr, size, seed),
                     NGX_OK);
    ngx_http_clipper_state_table_attach(&table, addr, (uint32_t) getpid());
    table.keep = 1;

    return table;
}


/* id 0 is the application, others its users; n of the members from `first` */

static void
who_of(who_t *who, uint32_t id, uint32_t first, uint32_t n)
{
    static char  uid[16];

    memset(who, 0, sizeof(*who));
    who->id[0] = (id + 1) * 0x9e3779b97f4a7c15;
    who->id[1] = id;
    who->kind = id ? NGX_HTTP_CLIPPER_STATE_USER : NGX_HTTP_CLIPPER_STATE_APP;
    who->nfields = FIELDS;
    who->owner.data = (u_char *) "app:thompson";
    who->owner.len = sizeof("app:thompson") - 1;
    who->uid.data = (u_char *) uid;
    who->uid.len = id ? (size_t) sprintf(uid, "u%u", id) : 0;
    who->n = n;
    who->key = keys + first;
    who->names = names + first;
}


static uint32_t
member_of(uint64_t key)
{
    uint32_t  i;

    for (i = 0; keys[i] != key; i++) { /* void */ }

    return i;
}


/* NULL, or what contradicts what */

static const char *
table_check(table_t *t)
{
    uint32_t                          i, row, cell, n, lists, ncells, used,
                                      refs[4096] = { 0 };
    ngx_http_clipper_state_row_t     *r;
    ngx_http_clipper_state_header_t  *h;

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

        if (ngx_http_clipper_state_row_find_locked(t, r->id) != row) {
            return "a row that is not found";
        }

        if ((r->list == NGX_HTTP_CLIPPER_STATE_SENT) != (r->sender != 0)
            || (r->list < NGX_HTTP_CLIPPER_STATE_DIRTY_USER)
               != (r->sender == 0 && !r->pending && r->seq == 0))
        {
            return "a row on a wrong list";
        }
    }

    for (i = 0, lists = 0; i < NGX_HTTP_CLIPPER_STATE_LISTS; i++) {

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


#define table_good(t)                                                         \
    do {                                                                      \
        const char *wrong = table_check(t);                                   \
        if (wrong) {                                                          \
            fail_msg("%s", wrong);                                            \
        }                                                                     \
    } while (0)


/* --- a Redis that is not to be relied on --- */


static void
redis_apply(flight_t *f)
{
    uint32_t   i, k, m;
    store_t   *s;

    if (f->applied) {
        return;
    }

    f->applied = 1;
    s = &stores[f->id];

    if (!f->question && f->seq > s->last) {
        s->last = f->seq;

        for (i = 0; i < f->n; i++) {
            m = member_of(f->key[i]);

            for (k = 0; k < FIELDS; k++) {
                s->sum[m][k] += f->delta[i * FIELDS + k];
            }
        }
    }

    f->last = s->last;

    for (i = 0; i < f->n; i++) {
        memcpy(&f->answer[i * FIELDS], s->sum[member_of(f->key[i])],
               sizeof(s->sum[0]));
    }
}


static void
redis_answer(table_t *t, flight_t *f, int lost)
{
    who_t    who;
    reply_t  reply;

    memset(&reply, 0, sizeof(reply));
    reply.last = f->last;
    reply.acked = f->acked;
    reply.n = f->n;
    reply.key = f->key;
    reply.rows = f->answer;

    if (f->question) {
        if (!lost) {
            who_of(&who, f->id, member_of(f->key[0]), f->n);
            (void) ngx_http_clipper_state_table_load(t, &who, &reply, 1);
        }

    } else if (!f->orphan) {
        t->pid = f->pid;
        ngx_http_clipper_state_table_settle(t, f->row, f->hash, f->seq,
                                            lost ? NULL : &reply, 1);
    }

    /* what was lost on the way back or forth may still be under way */

    if (lost && !f->applied) {
        f->orphan = 1;

    } else {
        f->used = 0;
    }
}


static flight_t *
flight_new(void)
{
    int  i;

    for (i = 0; i < FLIGHTS; i++) {
        if (!flights[i].used) {
            memset(&flights[i], 0, sizeof(flight_t));
            flights[i].used = 1;
            return &flights[i];
        }
    }

    return NULL;
}


static void
flight_take(table_t *t, uint32_t pid)
{
    uint32_t         i;
    flight_t        *f;
    static update_t  u;

    f = flight_new();

    if (f == NULL) {
        return;
    }

    t->pid = pid;

    if (ngx_http_clipper_state_table_take(t, &u) != NGX_OK) {
        f->used = 0;
        return;
    }

    assert_true(u.n <= MEMBERS && u.seq > 0);
    assert_int_equal(u.owner.len, sizeof("app:thompson") - 1);

    f->pid = pid;
    f->row = u.row;
    f->hash[0] = u.id[0];
    f->hash[1] = u.id[1];
    f->id = (uint32_t) u.id[1];
    f->seq = u.seq;
    f->n = u.n;
    memcpy(f->key, u.key, u.n * sizeof(uint64_t));
    memcpy(f->delta, u.rows, u.n * FIELDS * sizeof(double));

    for (i = 0; i < u.n; i++) {
        assert_int_equal(u.name[i].len, names[member_of(u.key[i])].len);
    }
}


static void
flight_ask(table_t *t, uint32_t id)
{
    who_t      who;
    uint32_t   first, row;
    flight_t  *f;

    f = flight_new();

    if (f) {
        first = (uint32_t) death_random(2);
        f->question = 1;
        f->id = id;
        who_of(&who, id, 0, MEMBERS);
        row = ngx_http_clipper_state_row_find_locked(t, who.id);
        f->acked = row ? t->rows[row].acked : 0;
        f->n = MEMBERS - first - (uint32_t) death_random(2);
        memcpy(f->key, keys + first, f->n * sizeof(uint64_t));
    }
}


static int
state_add(table_t *t, uint32_t id)
{
    int       rc;
    who_t     who;
    double    delta[2 + MEMBERS * FIELDS];
    uint32_t  i, k, first, n;

    first = (uint32_t) death_random(2);
    n = MEMBERS - first - (uint32_t) death_random(2);
    who_of(&who, id, first, n);

    delta[0] = 1000;
    delta[1] = 0;

    for (i = 0; i < n * FIELDS; i++) {
        delta[2 + i] = (double) death_random(4);
    }

    rc = (int) ngx_http_clipper_state_table_add(t, &who, delta);

    for (i = 0; rc == NGX_OK && i < n; i++) {
        for (k = 0; k < FIELDS; k++) {
            stores[id].total[first + i][k] += delta[2 + i * FIELDS + k];
        }
    }

    return rc;
}


/* what is read must be all that was added, as soon as it is known at all;
   of a row that had to go meanwhile, an answer may be of before */

static int
state_read(table_t *t, uint32_t id, int exact)
{
    int         rc;
    who_t       who;
    double      vec[2 + MEMBERS * FIELDS];
    uint32_t    i, k;

    ngx_http_clipper_state_age_t  age;

    who_of(&who, id, 0, MEMBERS);
    rc = (int) ngx_http_clipper_state_table_read(t, &who, vec, 1, 1, &age);

    for (i = 0; rc == NGX_OK && i < MEMBERS; i++) {
        for (k = 0; k < FIELDS; k++) {
            assert_true(vec[2 + i * FIELDS + k] <= stores[id].total[i][k]);
            assert_true(vec[2 + i * FIELDS + k] == stores[id].total[i][k]
                        || !exact);
        }
    }

    return rc;
}


static void
settle_all(table_t *t)
{
    int       i, turns;
    uint32_t  k;

    for (i = 0; i < FLIGHTS; i++) {
        if (flights[i].used) {
            redis_apply(&flights[i]);
            redis_answer(t, &flights[i], 0);
        }
    }

    for (turns = 0; ngx_http_clipper_state_table_dirty(t); turns++) {
        assert_true(turns < 10000);

        for (k = 0; k < SENDERS; k++) {
            (void) ngx_http_clipper_state_table_release(t, 1000 + k);
        }

        flight_take(t, 1000);
        redis_apply(&flights[0]);
        redis_answer(t, &flights[0], 0);
    }
}


/*
 * Catches deltas that are lost, count twice, or are seen twice or not at all
 * between their sending and its answer.
 */

static void
random_users(uint32_t users)
{
    int        i, ok, declined, fits;
    table_t    table;
    uint32_t   id;
    flight_t  *f;

    table = table_make(AREA);
    memset(stores, 0, sizeof(stores));
    memset(flights, 0, sizeof(flights));
    ok = 0;
    declined = 0;
    fits = users < table.header->nrows / 2;

    for (i = 0; i < 60000; i++) {
        id = death_random(4) ? (uint32_t) death_random(users) : 0;
        f = &flights[death_random(FLIGHTS)];

        switch (death_random(8)) {

        case 0:
        case 1:
            declined += state_add(&table, id) != NGX_OK;
            break;

        case 2:
            flight_take(&table, 1000 + (uint32_t) death_random(SENDERS));
            break;

        case 3:
            flight_ask(&table, id);
            break;

        case 4:
            if (f->used) {
                redis_apply(f);
            }
            break;

        case 5:
            if (f->used && f->applied) {
                redis_answer(&table, f, 0);
            }
            break;

        case 6:
            if (f->used && !f->orphan && death_random(10) == 0) {
                redis_answer(&table, f, 1);
            }
            break;

        default:
            ok += state_read(&table, id, fits) == NGX_OK;
        }

        /* a sender dies; what it sent may arrive all the same */

        if (death_random(500) == 0) {
            id = 1000 + (uint32_t) death_random(SENDERS);

            for (f = flights; f < flights + FLIGHTS; f++) {
                f->orphan |= (f->pid == id);
            }

            table.pid = id;
            (void) ngx_http_clipper_state_table_release(&table, id);
        }

        if (i % 100 == 0) {
            table_good(&table);
        }
    }

    assert_true(ok > 1000 && fits == (declined == 0));
    assert_true(fits == (table.header->evicted == 0));
    settle_all(&table);
    table_good(&table);

    for (id = 0; id < USERS; id++) {
        assert_memory_equal(stores[id].sum, stores[id].total,
                            sizeof(stores[id].sum));
    }

    assert_int_equal(table.header->journal.overflows, 0);
    munmap(table.header, AREA);
}


static void
test_state_random(void **state)
{
    random_users(30);
}


static void
test_state_random_full(void **state)
{
    random_users(USERS);
}


/* catches an application without a row, or users that are dropped for it */

static void
test_state_full(void **state)
{
    int       full;
    table_t   table;
    uint32_t  id;

    table = table_make(AREA);
    memset(stores, 0, sizeof(stores));
    full = 0;

    for (id = 1; id < USERS; id++) {
        full += state_add(&table, id) != NGX_OK;
    }

    assert_true(full > 0);
    assert_int_equal(table.header->dropped, full);
    assert_int_equal(state_add(&table, 0), NGX_OK);
    assert_int_equal(state_add(&table, USERS - 1), NGX_DECLINED);
    table_good(&table);

    /* without Redis there is nobody who would take them: the oldest go */

    table.keep = 0;
    assert_int_equal(state_add(&table, USERS - 1), NGX_OK);
    assert_int_not_equal(state_read(&table, 1, 1), NGX_OK);
    table_good(&table);
    munmap(table.header, AREA);
}


/* catches a clock that evicts who is used, or a table that does not turn */

static void
test_state_clock(void **state)
{
    int        hits;
    who_t      who;
    double     rows[MEMBERS * FIELDS] = { 1 }, vec[2 + MEMBERS * FIELDS];
    reply_t    reply;
    table_t    table;
    uint32_t   id;

    ngx_http_clipper_state_age_t  age;

    table = table_make(AREA);
    hits = 0;

    memset(&reply, 0, sizeof(reply));
    reply.n = MEMBERS;
    reply.key = keys;
    reply.rows = rows;

    for (id = 1; id < 5000; id++) {
        who_of(&who, id, 0, MEMBERS);
        assert_int_equal(ngx_http_clipper_state_table_load(&table, &who,
                                                           &reply, 1),
                         NGX_OK);
        who_of(&who, 1, 0, MEMBERS);
        hits += ngx_http_clipper_state_table_read(&table, &who, vec, 1, 1,
                                                  &age) == NGX_OK;
    }

    assert_true(hits > 4900);
    assert_true(table.header->evicted > 4500);
    table_good(&table);
    munmap(table.header, AREA);
}


/* catches a base that is mixed from times */

static void
test_state_times(void **state)
{
    who_t       who;
    double      rows[3 * FIELDS] = { 8, 4, 2, 1 }, vec[2 + 3 * FIELDS];
    reply_t     reply;
    table_t     table;

    ngx_http_clipper_state_age_t  age;

    table = table_make(AREA);
    memset(&reply, 0, sizeof(reply));

    who_of(&who, 0, 0, 2);
    reply.t0 = 100;
    reply.lambda = 0.5;
    reply.n = 2;
    reply.key = keys;
    reply.rows = rows;
    assert_int_equal(ngx_http_clipper_state_table_load(&table, &who, &reply,
                                                       1), NGX_OK);

    /* the same two sums two seconds later, told of one member only */

    who_of(&who, 0, 1, 2);
    reply.t0 = 102;
    reply.key = keys + 1;
    reply.rows = rows + 2;
    assert_int_equal(ngx_http_clipper_state_table_load(&table, &who, &reply,
                                                       1), NGX_OK);

    who_of(&who, 0, 0, 3);
    assert_int_equal(ngx_http_clipper_state_table_read(&table, &who, vec, 9,
                                                       5, &age), NGX_OK);
    assert_int_equal(age.stale, 1);
    assert_true(vec[0] == 102 && vec[1] == 0.5);
    assert_true(vec[2] > 2.943 && vec[2] < 2.944);          /* 8 / e */
    assert_true(vec[4] == 2 && vec[5] == 1);
    munmap(table.header, AREA);
}


/* --- deaths --- */


typedef struct {
    table_t    table;
    int        op;
    uint32_t   id;
    uint64_t   random;
    flight_t   flight;
} call_t;


static void
table_call(void *data)
{
    call_t          *call = data;
    static update_t  update;

    death_random_state = call->random;
    call->table.pid = (uint32_t) getpid();

    switch (call->op) {

    case 0:
        (void) state_add(&call->table, call->id);
        break;

    case 1:
        (void) ngx_http_clipper_state_table_take(&call->table, &update);
        break;

    default:
        redis_apply(&call->flight);
        call->flight.orphan = 0;
        call->flight.pid = call->table.pid;
        redis_answer(&call->table, &call->flight, call->op == 3);
    }
}


/* the sum of one id's deltas that are not known to be in Redis, and the base */

static void
table_sums(table_t *t, double *sums)
{
    uint32_t  row, cell, k, v;

    memset(sums, 0, USERS * 3 * sizeof(double));

    for (row = 1; row < t->header->nrows; row++) {
        if (t->rows[row].kind == 0) {
            continue;
        }

        for (cell = t->rows[row].cells; cell; cell = t->cells[cell].next) {
            for (v = 0; v < 3; v++) {
                for (k = 0; k < FIELDS; k++) {
                    sums[t->rows[row].id[1] * 3 + v] +=
                         t->cells[cell].v[v][k]
                         * (double) (t->cells[cell].key + k);
                }
            }
        }
    }
}


/*
 * Catches a table that a death has torn: a call happened, or it did not.  In
 * a full table others may have made room before.
 */

static void
test_state_death(void **state)
{
    int      i, kills, is_before, is_after;
    void    *copy;
    call_t   call, again;
    double   before[USERS * 3], after[USERS * 3], got[USERS * 3];
    table_t  table;
    store_t  kept[USERS];

    table = table_make(AREA);
    memset(stores, 0, sizeof(stores));
    memset(flights, 0, sizeof(flights));
    copy = malloc(AREA);
    kills = getenv("CLIPPER_TEST_DEATHS") ? 4000 : 150;

    for (i = 0; i < kills; i++) {
        call.table = table;
        call.op = (int) death_random(4);
        call.id = (uint32_t) death_random(60);
        call.random = death_random(UINT64_MAX);

        if (call.op >= 2) {
            flight_take(&table, (uint32_t) getpid());

            if (!flights[0].used) {
                continue;
            }

            call.flight = flights[0];
            flights[0].used = 0;
        }

        memcpy(kept, stores, sizeof(stores));
        table_sums(&table, before);

        memcpy(copy, table.header, AREA);
        again = call;
        ngx_http_clipper_state_table_attach(&again.table, copy, 1);
        again.table.keep = 1;
        table_call(&again);
        table_sums(&again.table, after);
        memcpy(stores, kept, sizeof(stores));

        death_random_state = call.random + 1;
        (void) death_after(table_call, &call, 100 + (long) death_random(6000));

        /* the next one finds it as it was */

        table.pid = (uint32_t) getpid();
        ngx_http_clipper_journal_begin(&table.header->journal, table.header,
                                       table.pid);
        ngx_http_clipper_journal_end(&table.header->journal);
        table_good(&table);

        table_sums(&table, got);
        is_before = memcmp(got, before, sizeof(got)) == 0;
        is_after = memcmp(got, after, sizeof(got)) == 0;

        assert_true(is_before || is_after);

        (void) ngx_http_clipper_state_table_release(&table, table.pid);

        /* whoever sent something has died */

        while (table.header->m.head[NGX_HTTP_CLIPPER_STATE_SENT]) {
            (void) ngx_http_clipper_state_table_release(&table,
                table.rows[table.header->m.head[
                               NGX_HTTP_CLIPPER_STATE_SENT]].sender);
        }
    }

    assert_true(table.header->journal.undone > 10);
    assert_int_equal(table.header->journal.overflows, 0);
    free(copy);
    munmap(table.header, AREA);
}


/* catches a journal that is too short for the largest rows */

static void
test_state_large(void **state)
{
    int        i, round;
    char       text[NGX_HTTP_CLIPPER_POLICY_MEMBERS][16];
    who_t      who;
    double     delta[NGX_HTTP_CLIPPER_POLICY_STATE_MAX];
    uint64_t   key[NGX_HTTP_CLIPPER_POLICY_MEMBERS];
    reply_t    reply;
    table_t    table;
    ngx_str_t  name[NGX_HTTP_CLIPPER_POLICY_MEMBERS];

    static update_t  update;

    table = table_make(8 << 20);
    memset(&reply, 0, sizeof(reply));

    for (i = 0; i < NGX_HTTP_CLIPPER_POLICY_STATE_MAX; i++) {
        delta[i] = i;
    }

    /* versions come and go: the third set finds the first one pruned */

    for (round = 0; round < 6; round++) {

        for (i = 0; i < NGX_HTTP_CLIPPER_POLICY_MEMBERS; i++) {
            key[i] = (uint64_t) (round * 1000 + i + 1);
            name[i].data = (u_char *) text[i];
            name[i].len = (size_t) sprintf(text[i], "m%d:%d", i, round);
        }

        who_of(&who, 0, 0, 0);
        who.nfields = NGX_HTTP_CLIPPER_STATE_FIELDS;
        who.n = NGX_HTTP_CLIPPER_POLICY_MEMBERS;
        who.key = key;
        who.names = name;

        assert_int_equal(ngx_http_clipper_state_table_add(&table, &who,
                                                          delta), NGX_OK);
        assert_int_equal(ngx_http_clipper_state_table_take(&table, &update),
                         NGX_OK);

        reply.last = update.seq;
        reply.n = update.n;
        reply.key = update.key;
        reply.rows = update.rows;
        ngx_http_clipper_state_table_settle(&table, update.row, update.id,
                                            update.seq, &reply, 1);
        table_good(&table);
    }

    assert_int_equal(table.header->journal.overflows, 0);
    assert_int_equal(ngx_http_clipper_state_table_dirty(&table), 0);
    munmap(table.header, 8 << 20);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_state_random),
        cmocka_unit_test(test_state_random_full),
        cmocka_unit_test(test_state_full),
        cmocka_unit_test(test_state_clock),
        cmocka_unit_test(test_state_times),
        cmocka_unit_test(test_state_large),
        cmocka_unit_test(test_state_death)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

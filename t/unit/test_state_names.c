
/*
 * Catches: names of versions that are gone, which keep new versions from
 * learning.
 */

#include "state_fixture.h"
#include "shm/clipper_state_table_cell.h"


#define DEPLOYMENTS  254
#define MODELS       2
#define KNOWN        4              /* users of each version */


typedef struct {
    who_t        who;
    uint64_t     key[MODELS];
    ngx_str_t    name[MODELS];
    char         text[MODELS][16];
} version_t;


static void
version_of(version_t *v, uint32_t id, unsigned version)
{
    unsigned  i;

    who_of(&v->who, id, 0, MODELS);

    for (i = 0; i < MODELS; i++) {
        v->key[i] = (uint64_t) version * MODELS + i + 1;
        v->name[i].data = (u_char *) v->text[i];
        v->name[i].len = sprintf(v->text[i], "%c:%u", 'm' + i, version);
    }

    v->who.key = v->key;
    v->who.names = v->name;
}


/* Redis has taken all that is dirty */

static void
flush(table_t *t)
{
    reply_t          reply;
    static update_t  u;

    while (clipper_state_table_delta_take(t, &u) == NGX_OK) {
        memset(&reply, 0, sizeof(reply));
        reply.last = u.seq;
        memcpy(reply.head, u.head, sizeof(reply.head));
        reply.n = u.n;
        reply.key = u.key;
        reply.rows = u.rows;
        clipper_state_table_delta_settle(t, u.row, u.id, u.seq, &reply, 1);
    }
}


static ngx_int_t
learn(table_t *t, uint32_t id, unsigned version)
{
    double     delta[CLIPPER_POLICY_STATE_MAX] = { 0 };
    version_t  v;

    version_of(&v, id, version);
    delta[CLIPPER_POLICY_ROWS] = 1;

    return clipper_state_table_add(t, &v.who, delta);
}


static double
learned(table_t *t, uint32_t id, unsigned version)
{
    double               vec[CLIPPER_POLICY_STATE_MAX];
    version_t            v;
    clipper_state_age_t  age;

    version_of(&v, id, version);
    (void) clipper_state_table_read(t, &v.who, vec, 1, 1, &age);

    return vec[CLIPPER_POLICY_ROWS];
}


static void
deploy(ngx_uint_t keep)
{
    table_t   table;
    unsigned  i, k;

    table = table_make(AREA);
    table.keep = keep;
    assert_true(DEPLOYMENTS * MODELS > 3 * table.header->nnames);

    for (i = 0; i < DEPLOYMENTS; i++) {
        for (k = 0; k < KNOWN * 2; k++) {
            assert_int_equal(learn(&table, k % 2 ? i * KNOWN + k : 0, i),
                             NGX_OK);
        }

        if (keep) {
            flush(&table);
        }

        table_good(&table);
        assert_true(learned(&table, 0, i) == KNOWN);
        assert_true(keep || i == 0 || learned(&table, 0, i - 1) == KNOWN);
    }

    assert_int_equal(table.header->dropped, 0);
    assert_int_equal(table.header->journal.overflows, 0);
    munmap(table.header, AREA);
}


static void
test_versions_leave(void **state)
{
    deploy(0);
}


static void
test_versions_leave_with_redis(void **state)
{
    deploy(1);
}


/* what Redis does not have stays, and names come when it has */

static void
test_unsent_stays(void **state)
{
    table_t   table;
    unsigned  i, n;

    table = table_make(AREA);

    for (n = 0; learn(&table, 0, n) == NGX_OK; n++) {
        assert_true(n < DEPLOYMENTS);
    }

    for (i = 0; i < n; i++) {
        assert_true(learned(&table, 0, i) == 1);
    }

    flush(&table);

    for (i = 0; learn(&table, 0, n) != NGX_OK; i++) {
        assert_true(i < 2000);
    }

    table_good(&table);
    munmap(table.header, AREA);
}


typedef struct {
    table_t   table;
    unsigned  version;
} call_t;


static void
call(void *data)
{
    call_t  *c = data;

    c->table.pid = (uint32_t) getpid();
    (void) learn(&c->table, 0, c->version);
}


/* a death in a sweep leaves a table that is whole, and learns on */

static void
test_death_in_a_sweep(void **state)
{
    call_t    c;
    table_t   table;
    unsigned  i, kills, deaths;

    table = table_make(AREA);
    table.keep = 0;
    kills = getenv("CLIPPER_TEST_DEATHS") ? 2000 : 150;
    deaths = 0;

    for (i = 0; deaths < kills; i++) {
        assert_true(i < 100 * kills);
        assert_int_equal(learn(&table, i % 3, i), NGX_OK);

        if (table.header->m.free_names >= MODELS) {
            continue;
        }

        c.table = table;
        c.version = i + 1;
        death_random_state = i;
        (void) death_after(call, &c, 100 + (long) death_random(30000));
        deaths++;

        clipper_journal_begin(&table.header->journal, table.header, table.pid);
        clipper_journal_end(&table.header->journal);
        table_good(&table);
        table.header->sweep_wait = 0;
        table.header->sweep_phase = 0;
        assert_int_equal(learn(&table, 0, i + 1), NGX_OK);
    }

    assert_true(table.header->journal.undone > 5);
    assert_int_equal(table.header->journal.overflows, 0);
    munmap(table.header, AREA);
}


/*
 * Catches a sweep that keeps the lock for all rows of a large table, and one
 * that takes what others have begun to use in between.
 */

static void
test_sweep_in_pieces(void **state)
{
    size_t      size;
    table_t     table;
    uint32_t    row, phase, pieces, between;
    unsigned    i, n;
    version_t   v;
    ngx_uint_t  more;

    size = 16 << 20;
    table = table_make(size);
    table.keep = 0;
    n = table.header->nrows;
    assert_true(n > 20 * CLIPPER_STATE_BITE);

    for (i = 0; i < n / 2; i++) {
        assert_int_equal(learn(&table, i, 0), NGX_OK);
    }

    version_of(&v, 0, 1);
    between = 0;
    pieces = 0;

    do {
        row = table.header->sweep_phase ? table.header->sweep_row : 1;
        phase = table.header->sweep_phase;

        clipper_journal_begin(&table.header->journal, table.header, table.pid);
        more = clipper_state_table_cell_sweep_locked(&table, &v.who);
        clipper_journal_end(&table.header->journal);
        pieces++;

        if (table.header->sweep_phase == phase) {
            assert_int_equal(table.header->sweep_row,
                             row + CLIPPER_STATE_BITE);
        } else if (more) {
            assert_true(n - row <= CLIPPER_STATE_BITE || phase == 0);
        }

        /* a version that comes after the rows of applications were read */

        if (pieces == 3) {
            assert_int_equal(learn(&table, 0, 7), NGX_OK);
            assert_int_equal(learn(&table, 5, 7), NGX_OK);
            between = 1;
        }

        table_good(&table);
    } while (more);

    assert_int_equal(pieces, 2 * ((n - 2) / CLIPPER_STATE_BITE + 1));
    assert_true(between);
    assert_true(learned(&table, 0, 7) == 1);
    assert_true(learned(&table, 5, 7) == 1);
    munmap(table.header, size);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_versions_leave),
        cmocka_unit_test(test_versions_leave_with_redis),
        cmocka_unit_test(test_unsent_stays),
        cmocka_unit_test(test_death_in_a_sweep),
        cmocka_unit_test(test_sweep_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

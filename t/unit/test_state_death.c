
/*
 * The table of states, and deaths at any instruction that changes it.
 */


#include "state_redis.h"


typedef struct {
    table_t    table;
    int        op;
    uint32_t   id;
    uint64_t   random;
    command_t  command;
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
        (void) clipper_state_table_delta_take(&call->table, &update);
        break;

    default:
        redis_apply(&call->command);
        call->command.orphan = 0;
        call->command.pid = call->table.pid;
        redis_answer(&call->table, &call->command, call->op == 3);
    }
}


/* the base, and the sum of the deltas of an id that may not be in Redis */

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
 * a full table other rows may have made room first.
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
    memset(commands, 0, sizeof(commands));
    copy = malloc(AREA);
    kills = getenv("CLIPPER_TEST_DEATHS") ? 4000 : 150;

    for (i = 0; i < kills; i++) {
        call.table = table;
        call.op = (int) death_random(4);
        call.id = (uint32_t) death_random(60);
        call.random = death_random(UINT64_MAX);

        if (call.op >= 2) {
            command_take(&table, (uint32_t) getpid());

            if (!commands[0].used) {
                continue;
            }

            call.command = commands[0];
            commands[0].used = 0;
        }

        memcpy(kept, stores, sizeof(stores));
        table_sums(&table, before);

        memcpy(copy, table.header, AREA);
        again = call;
        clipper_state_table_attach(&again.table, copy, 1);
        again.table.keep = 1;
        table_call(&again);
        table_sums(&again.table, after);
        memcpy(stores, kept, sizeof(stores));

        death_random_state = call.random + 1;
        (void) death_after(table_call, &call, 100 + (long) death_random(6000));

        /* the next process finds the old state */

        table.pid = (uint32_t) getpid();
        clipper_journal_begin(&table.header->journal, table.header, table.pid);
        clipper_journal_end(&table.header->journal);
        table_good(&table);

        table_sums(&table, got);
        is_before = memcmp(got, before, sizeof(got)) == 0;
        is_after = memcmp(got, after, sizeof(got)) == 0;

        assert_true(is_before || is_after);

        (void) clipper_state_table_delta_release(&table, table.pid);

        /* every sender has died */

        while (table.header->m.head[CLIPPER_STATE_SENT]) {
            (void) clipper_state_table_delta_release(&table,
                table.rows[table.header->m.head[
                               CLIPPER_STATE_SENT]].sender);
        }
    }

    assert_true(table.header->journal.undone > 10);
    assert_int_equal(table.header->journal.overflows, 0);
    free(copy);
    munmap(table.header, AREA);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_state_death)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

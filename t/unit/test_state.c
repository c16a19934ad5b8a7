
/*
 * The table of states with an unreliable Redis, when full, and at its limits.
 */


#include "state_redis.h"


static void
command_ask(table_t *t, uint32_t id)
{
    who_t       who;
    uint32_t    first, row;
    command_t  *f;

    f = command_new();

    if (f) {
        first = (uint32_t) death_random(2);
        f->question = 1;
        f->id = id;
        who_of(&who, id, 0, MEMBERS);
        row = clipper_state_table_row_find_locked(t, who.id);
        f->acked = row ? t->rows[row].acked : 0;
        f->n = MEMBERS - first - (uint32_t) death_random(2);
        memcpy(f->key, keys + first, f->n * sizeof(uint64_t));
    }
}


/* a read returns all that was added, as soon as the row is known; after an
   eviction a reply may be an older one */

static int
state_read(table_t *t, uint32_t id, int exact)
{
    int         rc;
    who_t       who;
    double      sum, vec[CLIPPER_POLICY_ROWS + MEMBERS * FIELDS];
    uint32_t    i, k;

    clipper_state_age_t  age;

    who_of(&who, id, 0, MEMBERS);
    rc = (int) clipper_state_table_read(t, &who, vec, 1, 1, &age);

    for (i = 0; rc == NGX_OK && i < MEMBERS; i++) {
        for (k = 0; k < FIELDS; k++) {
            sum = vec[CLIPPER_POLICY_ROWS + i * FIELDS + k];

            assert_true(sum <= stores[id].total[i][k]);
            assert_true(sum == stores[id].total[i][k] || !exact);
        }
    }

    return rc;
}


static void
settle_all(table_t *t)
{
    int       i, turns;
    uint32_t  k;

    for (i = 0; i < COMMANDS; i++) {
        if (commands[i].used) {
            redis_apply(&commands[i]);
            redis_answer(t, &commands[i], 0);
        }
    }

    for (turns = 0; clipper_state_table_delta_dirty(t); turns++) {
        assert_true(turns < 10000);

        for (k = 0; k < SENDERS; k++) {
            (void) clipper_state_table_delta_release(t, 1000 + k);
        }

        command_take(t, 1000);
        redis_apply(&commands[0]);
        redis_answer(t, &commands[0], 0);
    }
}


/*
 * Catches deltas that are lost, count twice, or are read twice or not at all
 * between their sending and the reply.
 */

static void
random_users(uint32_t users)
{
    int         i, ok, declined, fits;
    table_t     table;
    uint32_t    id;
    command_t  *f;

    table = table_make(AREA);
    memset(stores, 0, sizeof(stores));
    memset(commands, 0, sizeof(commands));
    ok = 0;
    declined = 0;
    fits = users < table.header->nrows / 2;

    for (i = 0; i < 60000; i++) {
        id = death_random(4) ? (uint32_t) death_random(users) : 0;
        f = &commands[death_random(COMMANDS)];

        switch (death_random(8)) {

        case 0:
        case 1:
            declined += state_add(&table, id) != NGX_OK;
            break;

        case 2:
            command_take(&table, 1000 + (uint32_t) death_random(SENDERS));
            break;

        case 3:
            command_ask(&table, id);
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

        /* a sender dies; its command may arrive nevertheless */

        if (death_random(500) == 0) {
            id = 1000 + (uint32_t) death_random(SENDERS);

            for (f = commands; f < commands + COMMANDS; f++) {
                f->orphan |= (f->pid == id);
            }

            table.pid = id;
            (void) clipper_state_table_delta_release(&table, id);
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


/* catches an application without a row, or users evicted for it */

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

    /* without Redis the deltas have no other place: the oldest rows go */

    table.keep = 0;
    assert_int_equal(state_add(&table, USERS - 1), NGX_OK);
    assert_int_not_equal(state_read(&table, 1, 1), NGX_OK);
    table_good(&table);
    munmap(table.header, AREA);
}


/* catches a clock that evicts rows in use, or that does not advance */

static void
test_state_clock(void **state)
{
    int        hits;
    who_t      who;
    double     rows[MEMBERS * FIELDS] = { 1 },
               vec[CLIPPER_POLICY_ROWS + MEMBERS * FIELDS];
    reply_t    reply;
    table_t    table;
    uint32_t   id;

    clipper_state_age_t  age;

    table = table_make(AREA);
    hits = 0;

    memset(&reply, 0, sizeof(reply));
    reply.n = MEMBERS;
    reply.key = keys;
    reply.rows = rows;

    for (id = 1; id < 5000; id++) {
        who_of(&who, id, 0, MEMBERS);
        assert_int_equal(clipper_state_table_load(&table, &who, &reply, 1),
                         NGX_OK);
        who_of(&who, 1, 0, MEMBERS);
        hits += clipper_state_table_read(&table, &who, vec, 1, 1,
                                         &age) == NGX_OK;
    }

    assert_true(hits > 4900);
    assert_true(table.header->evicted > 4500);
    table_good(&table);
    munmap(table.header, AREA);
}


/* catches a base with mixed times */

static void
test_state_times(void **state)
{
    who_t       who;
    double      rows[3 * FIELDS] = { 8, 4, 2, 1 }, *sums,
                vec[CLIPPER_POLICY_ROWS + 3 * FIELDS];
    reply_t     reply;
    table_t     table;

    clipper_state_age_t  age;

    table = table_make(AREA);
    memset(&reply, 0, sizeof(reply));

    who_of(&who, 0, 0, 2);
    reply.head[CLIPPER_POLICY_T0] = 100;
    reply.head[CLIPPER_POLICY_LAMBDA] = 0.5;
    reply.n = 2;
    reply.key = keys;
    reply.rows = rows;
    assert_int_equal(clipper_state_table_load(&table, &who, &reply, 1),
                                              NGX_OK);

    /* the same two sums two seconds later, replied for one member only */

    who_of(&who, 0, 1, 2);
    reply.head[CLIPPER_POLICY_T0] = 102;
    reply.key = keys + 1;
    reply.rows = rows + 2;
    assert_int_equal(clipper_state_table_load(&table, &who, &reply, 1),
                                              NGX_OK);

    who_of(&who, 0, 0, 3);
    assert_int_equal(clipper_state_table_read(&table, &who, vec, 9,
                                              5, &age), NGX_OK);
    assert_int_equal(age.stale, 1);
    assert_true(vec[0] == 102 && vec[1] == 0.5);
    sums = vec + CLIPPER_POLICY_ROWS;
    assert_true(sums[0] > 2.943 && sums[0] < 2.944);        /* 8 / e */
    assert_true(sums[2] == 2 && sums[3] == 1);
    munmap(table.header, AREA);
}


/* catches a journal that is too short for the largest rows */

static void
test_state_large(void **state)
{
    int        i, round;
    char       text[CLIPPER_POLICY_MEMBERS][16];
    who_t      who;
    double     delta[CLIPPER_POLICY_STATE_MAX];
    uint64_t   key[CLIPPER_POLICY_MEMBERS];
    reply_t    reply;
    table_t    table;
    ngx_str_t  name[CLIPPER_POLICY_MEMBERS];

    static update_t  update;

    table = table_make(8 << 20);
    memset(&reply, 0, sizeof(reply));

    for (i = 0; i < CLIPPER_POLICY_STATE_MAX; i++) {
        delta[i] = i;
    }

    /* versions come and go: the third set finds the first one pruned */

    for (round = 0; round < 6; round++) {

        for (i = 0; i < CLIPPER_POLICY_MEMBERS; i++) {
            key[i] = (uint64_t) (round * 1000 + i + 1);
            name[i].data = (u_char *) text[i];
            name[i].len = (size_t) sprintf(text[i], "m%d:%d", i, round);
        }

        who_of(&who, 0, 0, 0);
        who.nfields = CLIPPER_STATE_FIELDS;
        who.n = CLIPPER_POLICY_MEMBERS;
        who.key = key;
        who.names = name;

        assert_int_equal(clipper_state_table_add(&table, &who,
                                                 delta), NGX_OK);
        assert_int_equal(clipper_state_table_delta_take(&table, &update),
                         NGX_OK);

        reply.last = update.seq;
        reply.n = update.n;
        reply.key = update.key;
        reply.rows = update.rows;
        clipper_state_table_delta_settle(&table, update.row, update.id,
                                         update.seq, &reply, 1);
        table_good(&table);
    }

    assert_int_equal(table.header->journal.overflows, 0);
    assert_int_equal(clipper_state_table_delta_dirty(&table), 0);
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
        cmocka_unit_test(test_state_large)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

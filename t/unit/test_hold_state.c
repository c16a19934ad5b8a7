
/*
 * Catches deltas of a dead worker that are all released in one hold of the
 * table's mutex, or not all.
 */


#include "state_redis.h"


static ngx_uint_t  holds;

ngx_uint_t __real_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);
ngx_uint_t __wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);


ngx_uint_t
__wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner)
{
    holds++;

    return __real_clipper_lock(lock, owner);
}


/* 32 of 100 in a hold */

static void
test_release(void **state)
{
    uint32_t         id;
    table_t          table;

    static update_t  update;

    table = table_make(AREA * 8);

    for (id = 1; id <= 100; id++) {
        assert_int_equal(state_add(&table, id), NGX_OK);
        table.pid = 5;
        assert_int_equal(clipper_state_table_delta_take(&table, &update),
                         NGX_OK);
    }

    table.pid = 6;
    holds = 0;

    assert_int_equal(clipper_state_table_delta_release(&table, 5), 100);
    assert_int_equal(holds, 4);
    assert_int_equal(clipper_state_table_delta_release(&table, 5), 0);
    assert_int_equal(clipper_state_table_delta_waiting(&table), 100);
    table_good(&table);

    munmap(table.header, AREA * 8);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

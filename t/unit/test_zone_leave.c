
/*
 * Catches a worker whose rows are all freed in one hold of the lock, at its
 * end or after its death, or not all of them.
 */


#include "zone_fixture.h"


#define INPUTS  100
#define MOST    16


static view_t      a, b;
static ngx_uint_t  holds, used, most;

ngx_uint_t __real_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);
ngx_uint_t __wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);
void __real_clipper_lock_release(clipper_lock_t *lock);
void __wrap_clipper_lock_release(clipper_lock_t *lock);


static ngx_uint_t
rows(void)
{
    return a.header ? a.header->waiters.used + a.header->replicas.used : 0;
}


ngx_uint_t
__wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner)
{
    ngx_uint_t  rc;

    rc = __real_clipper_lock(lock, owner);

    holds++;
    used = rows();

    return rc;
}


/* the most rows that a hold has freed */

void
__wrap_clipper_lock_release(clipper_lock_t *lock)
{
    most = ngx_max(most, used - ngx_min(rows(), used));

    __real_clipper_lock_release(lock);
}


/* a worker with waiters, replicas, a batch under way and loans */

static uint32_t
busy(void *addr, uint32_t *theirs)
{
    uint32_t         i, model, replica;
    clipper_task_t   task;
    clipper_lease_t  leases[INPUTS];

    a.header = NULL;
    a = worker_make(addr);
    b = worker_make(addr);
    model = model_make(&a, "m", "1");
    replica = replica_make(&a, model, 0);
    (void) replica_make(&a, model, 'x');

    for (i = 0; i < INPUTS; i++) {
        task = task_make(&a, model, i, 40, 1000000);
        assert_int_equal(submit(&a, &task, 10), NGX_OK);
        assert_int_not_equal(borrow(&a, NULL, 1000), 0);
    }

    task = task_make(&b, model, 0, 40, 1000000);
    assert_int_equal(submit(&b, &task, 10), NGX_OK);
    *theirs = task.waiter;

    assert_true(take(&a, replica, 20, 20, leases) > 0);

    holds = 0;
    most = 0;

    return model;
}


/* nothing is left of it, and what another one waits for is */

static void
left(uint32_t model, uint32_t theirs)
{
    zone_assert(&b, "left");

    assert_true(most > 0 && most <= MOST);
    assert_true(holds > INPUTS / MOST);

    assert_int_equal(b.workers[a.slot].state, CLIPPER_FREE);
    assert_int_equal(b.header->waiters.used, 1);
    assert_int_equal(b.header->flights.used, 1);
    assert_int_equal(b.header->replicas.used, 0);
    assert_int_equal(b.waiters[theirs].state, CLIPPER_WAITING);
    assert_int_equal(b.flights[b.waiters[theirs].flight].state,
                     CLIPPER_QUEUED);
    assert_int_equal(b.flights[b.waiters[theirs].flight].attempts, 0);
    assert_int_equal(b.models[model].queued, 1);
    assert_int_equal(b.header->chunks.used, 1);
}


static void
test_regular_exit(void **state)
{
    void      *addr;
    uint32_t   model, theirs;

    addr = zone_make();
    model = busy(addr, &theirs);

    assert_int_equal(clipper_zone_leave(&a, a.slot, a.workers[a.slot].gen,
                                        a.pid), 1);
    left(model, theirs);
    assert_int_equal(clipper_zone_leave(&a, a.slot, a.workers[a.slot].gen - 1,
                                        a.pid), 0);
    zone_drop(addr);
}


static void
test_dead_worker(void **state)
{
    void      *addr;
    uint32_t   model, theirs;

    addr = zone_make();
    model = busy(addr, &theirs);

    zone_kill((pid_t) a.pid);
    assert_int_equal(clipper_zone_leave_dead(&b), 1);
    left(model, theirs);
    assert_int_equal(clipper_zone_leave_dead(&b), 0);

    zone_drop(addr);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_regular_exit),
        cmocka_unit_test(test_dead_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: a replica that counts twice or stays, a cache key that is repeated
 * for another model, versions compared as text, rows that are not found or
 * taken while in use, a dead worker that harms others, a lock that stays with
 * a dead worker.
 */

#include "zone_two.h"
#include "shm/clipper_rebuild.h"
#include "shm/clipper_door.h"


static void
test_replicas_come_and_go(void **state)
{
    uint32_t  r, s, epoch;

    epoch = a.models[model].epoch;

    r = replica_make(&a, model, 'x');
    assert_int_equal(a.models[model].replicas, 1);
    zone_assert(&a, "ready");

    /* a container that reconnects is one replica, once it is ready */

    s = replica_join(&b, model, 'x');
    assert_int_equal(a.models[model].replicas, 1);
    assert_int_equal(a.replicas[r].state, CLIPPER_READY);

    clipper_zone_lock(&b);
    clipper_registry_replica_ready_locked(&b, s);
    clipper_registry_replica_idle_locked(&b, s);
    zone_assert_locked(&b, "moved");
    clipper_zone_unlock(&b);

    assert_int_equal(a.models[model].replicas, 1);
    assert_int_equal(a.replicas[r].state, CLIPPER_LEAVING);

    replica_gone(&a, r);
    zone_assert(&a, "gone");
    replica_gone(&b, s);
    assert_int_equal(a.models[model].members, 0);

    /* without a digest a model that returns may be another one */

    r = replica_make(&a, model, 0);
    assert_int_not_equal(a.models[model].epoch, epoch);
    epoch = a.models[model].epoch;
    s = replica_make(&a, model, 0);
    assert_int_equal(a.models[model].epoch, epoch);

    replica_gone(&a, r);
    replica_gone(&a, s);
}


/*
 * A container moves from a retiring worker to a second one, which also retires,
 * and on to a third, where it is ready before the second has its answer.
 */

static void
test_a_late_probe_takes_nothing_back(void **state)
{
    uint32_t  r, s, t;

    r = replica_make(&a, model, 'x');
    s = replica_join(&a, model, 'x');
    t = replica_join(&b, model, 'x');

    clipper_zone_lock(&b);
    clipper_registry_replica_ready_locked(&b, t);
    clipper_registry_replica_idle_locked(&b, t);
    clipper_zone_unlock(&b);

    clipper_zone_lock(&a);
    clipper_registry_replica_ready_locked(&a, s);
    clipper_registry_replica_idle_locked(&a, s);
    zone_assert_locked(&a, "late");
    clipper_zone_unlock(&a);

    assert_int_equal(a.replicas[r].state, CLIPPER_LEAVING);
    assert_int_equal(a.replicas[s].state, CLIPPER_LEAVING);
    assert_int_equal(a.replicas[t].state, CLIPPER_READY);
    assert_int_equal(a.models[model].replicas, 1);

    replica_gone(&a, r);
    replica_gone(&a, s);
    zone_assert(&a, "gone");
    assert_int_equal(a.models[model].replicas, 1);

    replica_gone(&b, t);
}


/* catches an owner that stays away after a thief of its token has gone */

static void
test_a_token_goes_back_to_its_owner(void **state)
{
    uint32_t                owner, thief;
    clipper_announcement_t  an;

    memset(&an, 0, sizeof(an));
    an.model = model;
    an.rpc_version = 4;
    an.token.data = (u_char *) "0123456789abcdef";
    an.token.len = 16;

    clipper_zone_lock(&a);

    owner = clipper_registry_replica_join_locked(&a, &an, 0);
    clipper_registry_replica_ready_locked(&a, owner);
    clipper_registry_replica_idle_locked(&a, owner);

    thief = clipper_registry_replica_join_locked(&a, &an, 1);
    clipper_registry_replica_ready_locked(&a, thief);
    assert_int_equal(a.replicas[owner].state, CLIPPER_LEAVING);
    assert_int_equal(a.replicas[owner].idle, 0);

    clipper_registry_replica_gone_locked(&a, thief, 0);
    assert_int_equal(a.replicas[owner].state, CLIPPER_READY);
    assert_int_equal(a.replicas[owner].idle, 1);
    assert_int_equal(a.models[model].replicas, 1);
    zone_assert_locked(&a, "the owner is back");

    /* a replica that announces its leaving does not come back */

    thief = clipper_registry_replica_join_locked(&a, &an, 2);
    clipper_registry_replica_ready_locked(&a, thief);
    clipper_registry_replica_leaving_locked(&a, owner);
    clipper_registry_replica_gone_locked(&a, thief, 0);
    assert_int_equal(a.replicas[owner].state, CLIPPER_LEAVING);

    clipper_registry_replica_gone_locked(&a, owner, 0);
    clipper_zone_unlock(&a);

    zone_assert(&a, "both gone");
}


static void
test_epoch_by_digest(void **state)
{
    uint32_t                i, row, epoch, last;
    clipper_announcement_t  an;

    static const char  *digests[] = { "one", "one", "two", "two", "one" };

    last = a.models[model].epoch;

    for (i = 0; i < 5; i++) {
        memset(&an, 0, sizeof(an));
        an.model = model;
        an.rpc_version = 4;
        an.digest.data = (u_char *) digests[i];
        an.digest.len = 3;

        clipper_zone_lock(&a);
        row = clipper_registry_replica_join_locked(&a, &an, 0);
        clipper_registry_replica_gone_locked(&a, row, 0);
        clipper_zone_unlock(&a);

        epoch = a.models[model].epoch;
        assert_int_equal(epoch != last, i == 0 || i == 2 || i == 4);
        last = epoch;
    }
}


/* catches a profile from the replica of a replaced model */

static void
test_profile_of_a_replaced_model(void **state)
{
    uint32_t                i, rows[3];
    clipper_announcement_t  an;

    static const char  *digests[] = { "old", "new", "new" };

    memset(&an, 0, sizeof(an));
    an.model = model;
    an.rpc_version = 4;
    an.digest.len = 3;

    clipper_zone_lock(&a);

    for (i = 0; i < 3; i++) {
        an.digest.data = (u_char *) digests[i];
        rows[i] = clipper_registry_replica_join_locked(&a, &an, 0);
    }

    clipper_registry_replica_gone_locked(&a, rows[0], 0);
    assert_false(a.models[model].profiled);

    clipper_registry_replica_gone_locked(&a, rows[1], 0);
    assert_true(a.models[model].profiled);

    clipper_registry_replica_gone_locked(&a, rows[2], 0);
    clipper_zone_unlock(&a);
}


static void
test_compare_versions(void **state)
{
    ngx_int_t  rc;
    size_t     i, k;

    static const char  *order[] = {
        "", "0", "1", "1.9", "1.10", "1.10.1", "1.10b", "1.11", "2", "9", "10",
        "99999999999999999999998", "99999999999999999999999", "a", "a2",
        "a10", "b"
    };

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        for (k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
            rc = clipper_registry_compare((u_char *) order[i],
                                          strlen(order[i]),
                                          (u_char *) order[k],
                                          strlen(order[k]));
            assert_int_equal(rc < 0, i < k);
            assert_int_equal(rc > 0, i > k);
        }
    }

    assert_int_equal(clipper_registry_compare((u_char *) "01", 2,
                                              (u_char *) "1", 1), 0);
}


/* unused rows make room; an epoch and a generation are never repeated */

static void
test_model_rows(void **state)
{
    char       name[16];
    uint32_t   i, row, used, replica, epoch, gen;
    ngx_str_t  n, ver = ngx_string("1");

    replica = replica_make(&a, model, 0);

    clipper_zone_lock(&a);
    clipper_registry_pin_locked(&a, a.workers[a.slot].models, other);
    clipper_zone_unlock(&a);

    n.data = (u_char *) name;

    for (i = 0; i < 200; i++) {
        n.len = sprintf(name, "n%u", i);

        clipper_zone_lock(&a);
        epoch = a.models[3].epoch;
        gen = a.models[3].gen;
        row = clipper_registry_model_locked(&a, &n, &ver);
        zone_assert_locked(&a, "a new model");
        clipper_zone_unlock(&a);

        assert_int_not_equal(row, 0);
        assert_int_not_equal(row, model);
        assert_int_not_equal(row, other);

        if (row == 3) {
            assert_int_equal(a.models[3].epoch, epoch + 1);
        }

        assert_int_equal(a.models[3].gen, gen + (row == 3));

        used = model_make(&b, name, "1");
        assert_int_equal(used, row);
    }

    assert_int_equal(model_make(&a, "m", "1"), model);
    assert_int_equal(model_make(&a, "other", "1"), other);

    replica_gone(&a, replica);
}


static void
test_app_rows(void **state)
{
    char        name[16];
    uint32_t    i, row, kept;
    ngx_str_t   n;

    n.data = (u_char *) name;

    for (i = 0, kept = 0; i < 200; i++) {
        n.len = sprintf(name, "app%u", i);

        clipper_zone_lock(&a);
        row = clipper_registry_app_locked(&a, &n);
        assert_int_equal(clipper_registry_app_locked(&a, &n), row);

        if (i == 0) {
            kept = row;
            clipper_registry_pin_locked(&a, a.workers[a.slot].apps, row);
        }

        clipper_zone_unlock(&a);

        assert_int_not_equal(row, 0);
        assert_true(i == 0 || row != kept);
    }
}


/* only its own clients are lost; its batch is sent again */

static void
test_dead_worker(void **state)
{
    view_t           c;
    uint32_t         r, s, loan;
    clipper_task_t   mine, his, joined;
    clipper_lease_t  leases[4], more[4];

    c = worker_make(addr);
    assert_int_not_equal(c.slot, b.slot);

    r = replica_make(&c, model, 'r');
    s = replica_make(&a, model, 's');

    mine = ask(&a, 1, 600, 10000);
    his = ask(&c, 2, 600, 20000);
    joined = ask(&c, 1, 600, 5000);
    (void) his;
    (void) joined;

    assert_int_equal(take(&c, r, 4, 200, leases), 2);
    loan = borrow(&c, NULL, 1000);
    assert_int_not_equal(loan, 0);

    assert_int_equal(clipper_zone_leave_dead(&a), 0);

    zone_kill(c.pid);

    assert_int_equal(clipper_zone_leave_dead(&a), 1);
    zone_assert(&a, "buried");

    assert_int_equal(a.header->waiters.used, 1);
    assert_int_equal(a.header->flights.used, 1);
    assert_int_equal(a.header->chunks.used, 2);
    assert_int_equal(a.models[model].replicas, 1);

    assert_int_equal(take(&a, s, 4, 300, more), 1);
    assert_int_equal(settle(&a, s, more, 400), 1);
    expect_mail(&a, mine.waiter, 1, 600);
    expect_no_mail(&a);

    /* its row is free again */

    c = worker_make(addr);
    zone_kill(c.pid);

    replica_gone(&a, s);
}


/* a reload is not over for the old workers until a new one has begun */

static void
test_workers_of_a_new_cycle_are_awaited(void **state)
{
    view_t     c;
    ngx_str_t  generation = ngx_string("g");

    assert_false(clipper_registry_awaited(&a));
    assert_true(clipper_registry_staying(&a));

    __atomic_store_n(&a.workers[a.slot].retiring, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&b.workers[b.slot].retiring, 1, __ATOMIC_RELAXED);
    assert_false(clipper_registry_staying(&a));
    assert_false(clipper_registry_awaited(&a));

    c = b;
    c.slot = 0;
    c.cycle = clipper_registry_cycle(a.header);
    assert_true(clipper_registry_awaited(&a));
    assert_false(clipper_registry_staying(&a));

    clipper_zone_lock(&c);
    assert_int_not_equal(clipper_registry_enter_locked(&c,
                                    (u_char *) "door", 4, &generation, 1),
                         0);
    clipper_zone_unlock(&c);

    assert_false(clipper_registry_awaited(&a));
    assert_true(clipper_registry_staying(&a));
    assert_false(clipper_registry_reloading(&a));
}


/* an old worker that does not retire yet is none that stays */

static void
test_a_worker_that_hears_late_of_a_new_cycle(void **state)
{
    view_t     c;
    ngx_str_t  generation = ngx_string("g");

    assert_false(clipper_registry_reloading(&a));

    c = b;
    c.slot = 0;
    c.cycle = clipper_registry_cycle(a.header);
    __atomic_store_n(&a.workers[a.slot].retiring, 1, __ATOMIC_RELAXED);
    assert_true(clipper_registry_staying(&a));
    assert_true(clipper_registry_reloading(&a));

    clipper_zone_lock(&c);
    assert_int_not_equal(clipper_registry_enter_locked(&c,
                                    (u_char *) "door", 4, &generation, 1),
                         0);
    clipper_zone_unlock(&c);
    assert_true(clipper_registry_reloading(&a));

    __atomic_store_n(&b.workers[b.slot].retiring, 1, __ATOMIC_RELAXED);
    assert_false(clipper_registry_reloading(&a));

    /* the next reload */

    (void) clipper_registry_cycle(a.header);
    assert_true(clipper_registry_reloading(&a));
}


/* a respawned worker may get the pid of its predecessor */

static void
test_dead_worker_of_same_pid(void **state)
{
    view_t     c, d;
    ngx_str_t  generation = ngx_string("g");

    c = worker_make(addr);
    d = c;
    d.slot = 0;

    assert_int_equal(clipper_zone_leave_dead(&d), 1);

    clipper_zone_lock(&d);
    assert_int_equal(clipper_registry_enter_locked(&d,
                                    (u_char *) "door", 4, &generation, 1),
                     c.slot);
    clipper_zone_unlock(&d);

    zone_kill(c.pid);
}


static void
test_lock_is_taken_over(void **state)
{
    view_t           c;
    uint64_t         rebuilds;
    uint32_t         r;
    clipper_task_t   task;
    clipper_lease_t  lease;

    r = replica_make(&a, model, 0);
    task = ask(&a, 1, 600, 10000);

    c = worker_make(addr);
    clipper_zone_lock(&c);
    zone_kill(c.pid);

    rebuilds = a.header->rebuilds;
    zone_assert(&a, "taken over");
    assert_int_equal(a.header->rebuilds, rebuilds + 1);

    assert_int_equal(take(&a, r, 1, 200, &lease), 1);
    (void) settle(&a, r, &lease, 300);
    expect_mail(&a, task.waiter, 1, 600);

    /* by a process with the pid of the dead holder */

    a.header->lock.holder = a.pid;
    a.header->lock.dirty = 1;
    zone_assert(&a, "taken over from oneself");
    assert_int_equal(a.header->rebuilds, rebuilds + 2);

    replica_gone(&a, r);
}


static ngx_uint_t  flushes;


static void
flush(void)
{
    flushes++;

    /* ringing may find a dead worker, and take the lock to bury it */

    assert_int_equal(a.header->lock.holder, 0);
    ngx_memzero(a.ring, sizeof(a.ring));
    clipper_zone_lock(&a);
    clipper_zone_unlock(&a);
}


/* the unlock rings the requested doorbells; the caller need not */

static void
test_unlock_rings(void **state)
{
    flushes = 0;
    a.flush = flush;
    ngx_memzero(a.ring, sizeof(a.ring));

    clipper_zone_lock(&a);
    clipper_zone_unlock(&a);
    assert_int_equal(flushes, 0);

    b.workers[b.slot].armed = 1;

    clipper_zone_lock(&a);
    clipper_door_wake_locked(&a, b.slot);
    assert_int_equal(flushes, 0);
    clipper_zone_unlock(&a);
    assert_int_equal(flushes, 1);

    /* doorbells requested by a rebuild are rung too */

    clipper_zone_lock(&a);
    clipper_rebuild_locked(&a);
    clipper_zone_unlock(&a);
    assert_int_equal(flushes, 2);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_replicas_come_and_go),
        zone_test(test_a_late_probe_takes_nothing_back),
        zone_test(test_a_token_goes_back_to_its_owner),
        zone_test(test_epoch_by_digest),
        zone_test(test_profile_of_a_replaced_model),
        zone_test(test_compare_versions),
        zone_test(test_model_rows),
        zone_test(test_app_rows),
        zone_test(test_dead_worker),
        zone_test(test_workers_of_a_new_cycle_are_awaited),
        zone_test(test_a_worker_that_hears_late_of_a_new_cycle),
        zone_test(test_dead_worker_of_same_pid),
        zone_test(test_lock_is_taken_over),
        zone_test(test_unlock_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: two replicas of a model that move at the same time, whichever
 * workers have them, one that moves again too soon, a turn that never ends
 * because its replica died or did not come back, a query that is refused while
 * one is on its way.
 */

#include "zone_two.h"
#include "shm/clipper_registry_turn.h"
#include "shm/clipper_rebuild.h"


#define T     (uint64_t) 100000000
#define AWAY  (uint64_t) CLIPPER_TURN_AWAY_US


static uint64_t
turn(view_t *v, uint32_t replica, uint64_t now_us)
{
    uint64_t  wait_us;

    clipper_zone_lock(v);

    wait_us = clipper_registry_turn_take_locked(v, replica, now_us);

    if (wait_us == 0) {
        clipper_registry_replica_leaving_locked(v, replica);
    }

    zone_assert_locked(v, "turn");
    clipper_zone_unlock(v);

    return wait_us;
}


static void
away(view_t *v, uint32_t replica, uint64_t now_us)
{
    clipper_zone_lock(v);
    clipper_registry_turn_away_locked(v, replica, now_us);
    clipper_registry_replica_gone_locked(v, replica, 0);
    zone_assert_locked(v, "away");
    clipper_zone_unlock(v);
}


static uint32_t
back(view_t *v, uint64_t now_us)
{
    uint32_t                row;
    clipper_announcement_t  an;

    memset(&an, 0, sizeof(an));
    an.model = model;
    an.rpc_version = 3;

    clipper_zone_lock(v);
    row = clipper_registry_replica_join_locked(v, &an, now_us);
    clipper_registry_replica_ready_locked(v, row);
    clipper_registry_replica_idle_locked(v, row);
    zone_assert_locked(v, "back");
    clipper_zone_unlock(v);

    return row;
}


static void
test_one_after_the_other(void **state)
{
    uint32_t  r, s, other_one;

    r = back(&a, T);
    s = back(&b, T);
    other_one = replica_make(&b, other, 0);

    assert_int_equal(turn(&a, r, T), 0);
    assert_int_equal(a.replicas[r].state, CLIPPER_LEAVING);

    /* the turn is the model's, not the worker's; other models have their own */

    assert_int_equal(turn(&b, s, T + 1), AWAY - 1);
    assert_int_equal(b.replicas[s].state, CLIPPER_READY);
    assert_int_equal(turn(&b, other_one, T + 1), 0);

    away(&a, r, T + 100);
    assert_int_equal(turn(&b, s, T + 101), AWAY - 1);

    r = back(&b, T + 200);
    assert_int_equal(turn(&b, s, T + 201), 0);
    away(&b, s, T + 300);
    s = back(&b, T + 400);

    /* each of them has moved, and may do so again in a minute */

    assert_int_equal(turn(&b, r, T + 401), CLIPPER_TURN_PAUSE_US - 201);
    assert_int_equal(turn(&b, s, T + 401), CLIPPER_TURN_PAUSE_US - 1);
    assert_int_equal(turn(&b, r, T + 200 + CLIPPER_TURN_PAUSE_US), 0);

    replica_gone(&b, r);
    replica_gone(&b, s);
    replica_gone(&b, other_one);
}


static void
test_newcomers_are_not_the_one_that_was_away(void **state)
{
    uint32_t  r, s, t;

    r = back(&a, T);
    s = back(&a, T);
    assert_int_equal(turn(&a, r, T), 0);

    /* the one whose turn it is has not gone yet */

    t = back(&b, T + 1);
    assert_int_equal(b.replicas[t].moved_us, 0);
    assert_int_not_equal(turn(&a, s, T + 2), 0);

    /* nor does a container with a token end a turn */

    away(&a, r, T + 10);
    r = replica_make(&b, model, 'x');
    assert_int_not_equal(turn(&a, s, T + 11), 0);

    replica_gone(&b, r);
    replica_gone(&a, s);
    replica_gone(&b, t);
}


static void
test_one_that_does_not_come_back(void **state)
{
    uint32_t  r, s;

    r = back(&a, T);
    s = back(&b, T);

    assert_int_equal(turn(&a, r, T), 0);
    away(&a, r, T + 1000);
    assert_int_equal(turn(&b, s, T + 1000 + AWAY - 1), 1);
    assert_int_equal(turn(&b, s, T + 1000 + AWAY), 0);

    replica_gone(&b, s);

    /* it had the turn, and its container has died */

    assert_int_equal(a.models[model].turn, 0);
    s = back(&a, T + 2000 + AWAY);
    assert_int_not_equal(a.replicas[s].moved_us, 0);
    replica_gone(&a, s);
}


static void
test_a_dead_worker_gives_its_turn_back(void **state)
{
    uint32_t  r, s;

    r = back(&a, T);
    s = back(&b, T);

    assert_int_equal(turn(&a, r, T), 0);
    assert_int_not_equal(turn(&b, s, T + 1), 0);

    assert_int_equal(clipper_zone_leave(&b, a.slot, a.workers[a.slot].gen,
                                        a.pid), 1);
    zone_assert(&b, "reclaimed");

    assert_int_equal(turn(&b, s, T + 2), 0);
    replica_gone(&b, s);
}


/* a regular exit ends in the same code, and the container is still away */

static void
test_an_exit_does_not_end_the_turn(void **state)
{
    uint32_t  r, s;

    r = back(&a, T);
    s = back(&b, T);

    assert_int_equal(turn(&a, r, T), 0);
    away(&a, r, T + 1);

    assert_int_equal(clipper_zone_leave(&b, a.slot, a.workers[a.slot].gen,
                                        a.pid), 1);

    assert_int_not_equal(turn(&b, s, T + 2), 0);
    replica_gone(&b, s);
}


static void
test_queries_wait_for_one_that_is_away(void **state)
{
    uint32_t        r;
    clipper_task_t  task;

    r = back(&a, T);
    task = task_make(&b, model, 1, 20, T + 5000000);

    assert_int_equal(turn(&a, r, T), 0);
    assert_int_equal(a.models[model].replicas, 0);
    assert_int_equal(submit(&b, &task, T + 10), NGX_OK);
    leave(&b, task.waiter, task.gen);

    away(&a, r, T + 100);
    task = task_make(&b, model, 2, 20, T + 5000000);
    assert_int_equal(submit(&b, &task, T + 100 + CLIPPER_RETURN_US - 1),
                     NGX_OK);
    leave(&b, task.waiter, task.gen);

    /* for longer than it usually takes nobody waits */

    task = task_make(&b, model, 3, 20, T + 5000000);
    assert_int_equal(submit(&b, &task, T + 100 + CLIPPER_RETURN_US),
                     NGX_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_one_after_the_other),
        zone_test(test_newcomers_are_not_the_one_that_was_away),
        zone_test(test_one_that_does_not_come_back),
        zone_test(test_a_dead_worker_gives_its_turn_back),
        zone_test(test_an_exit_does_not_end_the_turn),
        zone_test(test_queries_wait_for_one_that_is_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

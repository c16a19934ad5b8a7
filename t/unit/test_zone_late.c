
/*
 * Catches: a waiter that cannot be answered in time and is not told so, and
 * one that is told although there is time for another answer.
 */

#include "zone_two.h"
#include "shm/clipper_queue_peer.h"


/* only waiters that cannot be answered in time are told so */

static void
test_late(void **state)
{
    uint32_t         replica;
    clipper_task_t   late, later, both;
    clipper_lease_t  leases[4];

    replica = replica_make(&a, model, 0);

    late = ask(&a, 1, 8, 1000);
    both = ask(&a, 2, 8, 1500);
    later = ask(&b, 2, 8, 9000);

    assert_int_equal(take(&a, replica, 4, 2000, leases), 1);
    zone_assert(&a, "dropped");

    expect_result(&a, late.waiter, CLIPPER_RESULT_LATE);
    expect_result(&a, both.waiter, CLIPPER_RESULT_LATE);
    expect_no_mail(&a);
    assert_int_equal(a.header->flights.used, 1);

    (void) settle(&a, replica, leases, 3000);
    expect_mail(&b, later.waiter, 2, 8);

    replica_gone(&a, replica);
}


/* skipped as late: true for the most urgent waiter, not for all */

static void
test_skipped(void **state)
{
    uint32_t         replica, second;
    clipper_task_t   soon, later;
    clipper_lease_t  lease, hedged;

    replica = replica_make(&a, model, 0);

    soon = ask(&a, 1, 8, 1000);
    assert_int_equal(take(&a, replica, 1, 500, &lease), 1);
    later = ask(&b, 1, 8, 9000);
    assert_true(later.joined);

    assert_int_equal(settle_with(&a, replica, &lease, CLIPPER_RESULT_LATE,
                                 NULL, 0, 1000), 1);
    replica_idle(&a, replica);
    zone_assert(&a, "skipped");
    expect_result(&a, soon.waiter, CLIPPER_RESULT_LATE);
    expect_no_mail(&b);

    assert_int_equal(take(&a, replica, 1, 2000, &lease), 1);
    assert_int_equal(a.flights[lease.flight].deadline_us, 9000);
    (void) settle(&a, replica, &lease, 3000);
    replica_idle(&a, replica);
    expect_mail(&b, later.waiter, 1, 8);

    /* also when a second replica has it, or will have it */

    second = replica_make(&b, model, 0);
    soon = ask(&a, 2, 8, 10000);
    assert_int_equal(take(&a, replica, 1, 9500, &lease), 1);
    later = ask(&b, 2, 8, 19000);

    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, replica, &lease, 1, 9550), 1);
    clipper_zone_unlock(&a);
    assert_int_equal(take(&b, second, 1, 9600, &hedged), 1);

    (void) settle_with(&a, replica, &lease, CLIPPER_RESULT_LATE,
                       NULL, 0, 10500);
    zone_assert(&a, "skipped by one of two");
    expect_no_mail(&b);
    (void) settle(&b, second, &hedged, 11000);
    expect_mail(&a, soon.waiter, 2, 8);
    expect_mail(&b, later.waiter, 2, 8);
    replica_idle(&a, replica);
    replica_idle(&b, second);

    /* no waiter has more time, or the replica skips an input in time */

    soon = ask(&a, 3, 8, 20000);
    assert_int_equal(take(&a, replica, 1, 19500, &lease), 1);
    (void) settle_with(&a, replica, &lease, CLIPPER_RESULT_LATE,
                       NULL, 0, 20500);
    expect_result(&a, soon.waiter, CLIPPER_RESULT_LATE);
    assert_int_equal(a.header->flights.used, 0);
    replica_idle(&a, replica);

    soon = ask(&a, 4, 8, 30000);
    assert_int_equal(take(&a, replica, 1, 29500, &lease), 1);
    (void) settle_with(&a, replica, &lease, CLIPPER_RESULT_LATE,
                       NULL, 0, 29600);
    expect_result(&a, soon.waiter, CLIPPER_RESULT_LATE);
    assert_int_equal(a.header->flights.used, 0);

    replica_idle(&a, replica);

    /* too late to send an answer in time also counts as late */

    soon = ask(&a, 5, 8, 40000);
    assert_int_equal(take(&a, replica, 1, 39000, &lease), 1);
    later = ask(&b, 5, 8, 49000);
    (void) settle_with(&a, replica, &lease, CLIPPER_RESULT_LATE,
                       NULL, 0, 40000 - CLIPPER_MARGIN);
    zone_assert(&a, "skipped a little before the deadline");
    expect_result(&a, soon.waiter, CLIPPER_RESULT_LATE);
    expect_no_mail(&b);
    replica_idle(&a, replica);
    assert_int_equal(take(&a, replica, 1, 40000, &lease), 1);
    (void) settle(&a, replica, &lease, 41000);
    expect_mail(&b, later.waiter, 5, 8);

    replica_gone(&a, replica);
    replica_gone(&b, second);
}


/*
 * A copy takes nothing away: no waiter is given up while the first replica
 * computes, and no copy is made that would delay other inputs.
 */

static void
test_copies(void **state)
{
    uint32_t         first, second, third;
    clipper_task_t   task, other, last;
    clipper_lease_t  lease, more, rest;

    first = replica_make(&a, model, 0);
    task = ask(&a, 1, 8, 1000);
    assert_int_equal(take(&a, first, 1, 100, &lease), 1);

    /* there is no other replica */

    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, &lease, 1, 200), 0);
    clipper_zone_unlock(&a);

    /* a copy that cannot be on time is dropped, and only the copy */

    second = replica_make(&b, model, 0);

    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, &lease, 1, 300), 1);
    clipper_zone_unlock(&a);
    assert_int_equal(a.models[model].queued, 1);

    assert_int_equal(take(&b, second, 1, 1001, &more), 0);
    zone_assert(&a, "a copy was dropped");
    expect_no_mail(&a);
    assert_int_equal(a.models[model].queued, 0);
    assert_int_equal(a.models[model].credit, CLIPPER_HEDGE_CREDIT);

    /* nor does it wait for a replica that got other work */

    leave(&a, task.waiter, task.gen);
    (void) settle(&a, first, &lease, 1100);
    replica_idle(&a, first);

    task = ask(&a, 2, 8, 90000);
    assert_int_equal(take(&a, first, 1, 2000, &lease), 1);
    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, &lease, 1, 2100), 1);
    clipper_zone_unlock(&a);

    other = ask(&b, 3, 8, 95000);
    assert_int_equal(take(&b, second, 2, 8000, &more), 1);
    assert_int_equal(b.flights[more.flight].deadline_us, 95000);
    zone_assert(&b, "a copy is old");
    expect_no_mail(&a);

    /* no copy while other inputs wait, or without an idle replica */

    third = replica_make(&b, model, 0);
    last = ask(&b, 4, 8, 96000);
    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, &lease, 1, 9000), 0);
    clipper_zone_unlock(&a);

    assert_int_equal(take(&b, third, 2, 9100, &rest), 1);
    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, &lease, 1, 9200), 0);
    clipper_zone_unlock(&a);

    (void) settle(&a, first, &lease, 9300);
    expect_mail(&a, task.waiter, 2, 8);
    (void) settle(&b, second, &more, 9400);
    expect_mail(&b, other.waiter, 3, 8);
    (void) settle(&b, third, &rest, 9500);
    expect_mail(&b, last.waiter, 4, 8);

    replica_gone(&a, first);
    replica_gone(&b, second);
    replica_gone(&b, third);
}


/*
 * The rate of what comes counts an input that leaves the queue at its deadline,
 * and never its copy, whatever becomes of that.
 */

static void
test_what_came(void **state)
{
    uint32_t              i, first, second;
    clipper_task_t        task;
    clipper_lease_t       lease;
    clipper_model_row_t  *m;

    m = &a.models[model];
    first = replica_make(&a, model, 0);
    second = replica_make(&b, model, 0);

    for (i = 0; i < 3; i++) {
        task = ask(&a, i, 8, 90000);
        assert_int_equal(take(&a, first, 1, 100, &lease), 1);
        assert_int_equal(m->queued - m->known, 0);

        clipper_zone_lock(&a);
        assert_int_equal(hedge_locked(&a, first, &lease, 1, 200), 1);
        clipper_zone_unlock(&a);
        assert_int_equal(m->queued, 1);
        assert_int_equal(m->queued - m->known, 0);

        if (i == 0) {
            leave(&a, task.waiter, task.gen);

        } else if (i == 1) {
            assert_int_equal(take(&b, second, 1, 90001, &lease), 0);
        }

        (void) settle(&a, first, &lease, 300);
        replica_idle(&a, first);
        assert_int_equal(m->queued, 0);
        assert_int_equal(m->queued - m->known, 0);

        if (i) {
            expect_mail(&a, task.waiter, i, 8);
        }
    }

    task = ask(&a, i, 8, 91000);
    leave(&a, task.waiter, task.gen);
    assert_int_equal(m->queued, 0);
    assert_int_equal(m->queued - m->known, 1);

    replica_gone(&a, first);
    replica_gone(&b, second);
}


/*
 * What was lost twice, with a small batch and with a larger one that had its
 * copy, is asked again in batches of half the smaller, whatever comes first.
 */

static void
test_lost_with_two(void **state)
{
    uint32_t         first, second, third;
    ngx_uint_t       i;
    clipper_task_t   tasks[4];
    clipper_lease_t  few[2], many[4], lease;

    static const uint64_t  deadlines[] = { 90000, 91000, 80000, 99000 };
    static const uint32_t  order[] = { 2, 0, 1, 3 };

    first = replica_make(&a, model, 0);

    for (i = 0; i < 2; i++) {
        tasks[i] = ask(&a, i, 8, deadlines[i]);
    }

    assert_int_equal(take(&a, first, 2, 100, few), 2);
    second = replica_make(&b, model, 0);
    third = replica_make(&b, model, 0);

    clipper_zone_lock(&a);
    assert_int_equal(hedge_locked(&a, first, few, 2, 200), 2);
    clipper_zone_unlock(&a);

    for ( /* void */ ; i < 4; i++) {
        tasks[i] = ask(&a, i, 8, deadlines[i]);
    }

    assert_int_equal(take(&b, second, 4, 300, many), 4);

    clipper_zone_lock(&a);

    for (i = 0; i < 2; i++) {
        (void) clipper_queue_lease_lost_locked(&a, first, &few[i], 400);
    }

    for (i = 0; i < 4; i++) {
        (void) clipper_queue_lease_lost_locked(&a, second, &many[i], 500);
    }

    clipper_registry_replica_gone_locked(&a, first, 0);
    clipper_registry_replica_gone_locked(&a, second, 0);
    clipper_zone_unlock(&a);

    /* the one with the first deadline was lost with four */

    for (i = 0; i < 4; i++) {
        assert_int_equal(take(&b, third, 4, 600, &lease), 1);
        (void) settle(&b, third, &lease, 700);
        replica_idle(&b, third);
    }

    for (i = 0; i < 4; i++) {
        expect_mail(&a, tasks[order[i]].waiter, order[i], 8);
    }

    replica_gone(&b, third);
}


/* what could not be sent is asked as if nothing had happened */

static void
test_not_sent(void **state)
{
    uint32_t         replica, next;
    ngx_uint_t       i;
    clipper_task_t   task, other;
    clipper_lease_t  leases[2];

    replica = replica_make(&a, model, 0);
    task = ask(&a, 1, 8, 90000);
    other = ask(&b, 2, 8, 91000);

    for (i = 0; i < 4; i++) {
        next = replica_make(&a, model, 0);
        assert_int_equal(take(&a, replica, 2, 100, leases), 2);

        clipper_zone_lock(&a);
        assert_int_equal(clipper_queue_lease_unsent_locked(&a, replica,
                                                           &leases[0]), 1);
        assert_int_equal(clipper_queue_lease_unsent_locked(&a, replica,
                                                           &leases[1]), 1);
        assert_int_equal(clipper_queue_lease_unsent_locked(&a, replica,
                                                           &leases[1]), 0);
        clipper_zone_unlock(&a);
        replica_gone(&a, replica);
        zone_assert(&a, "not sent");
        replica = next;
    }

    assert_int_equal(take(&a, replica, 2, 100, leases), 2);
    (void) settle(&a, replica, &leases[0], 200);
    (void) settle(&a, replica, &leases[1], 200);
    expect_mail(&a, task.waiter, 1, 8);
    expect_mail(&b, other.waiter, 2, 8);

    /* nobody waits for it any more */

    replica_idle(&a, replica);
    task = ask(&a, 3, 8, 90000);
    assert_int_equal(take(&a, replica, 1, 300, leases), 1);
    leave(&a, task.waiter, task.gen);

    clipper_zone_lock(&a);
    assert_int_equal(clipper_queue_lease_unsent_locked(&a, replica, leases),
                     0);
    clipper_zone_unlock(&a);
    assert_int_equal(a.header->flights.used, 0);

    replica_gone(&a, replica);
}


/*
 * An input that a slow replica is tried with waits for another one as long as
 * one of its waiters does, also when the most urgent one has left.
 */

static void
test_shared_after_a_waiter_left(void **state)
{
    uint32_t         slow, second;
    clipper_task_t   soon, later;
    clipper_lease_t  lease, more;

    slow = replica_make(&a, model, 0);
    second = replica_make(&b, model, 0);

    soon = ask(&a, 1, 8, 10000);
    later = ask(&b, 1, 8, 90000);
    leave(&a, soon.waiter, soon.gen);

    assert_int_equal(take(&a, slow, 1, 100, &lease), 1);

    clipper_zone_lock(&a);
    clipper_queue_peer_share_locked(&a, lease.flight);
    clipper_zone_unlock(&a);
    zone_assert(&a, "shared");

    assert_int_equal(take(&b, second, 1, 60000, &more), 1);
    (void) settle(&b, second, &more, 61000);
    expect_mail(&b, later.waiter, 1, 8);
    (void) settle(&a, slow, &lease, 62000);

    replica_gone(&a, slow);
    replica_gone(&b, second);
}


/* copies spend the credit that answers earn */

static void
test_credit(void **state)
{
    uint32_t          first, second;
    ngx_uint_t        i, n, copies;
    clipper_task_t    task;
    clipper_lease_t   lease, more;

    first = replica_make(&a, model, 0);
    second = replica_make(&a, model, 0);
    copies = 0;

    for (i = 0; i < 4000; i++) {
        task = ask(&a, i, 8, 1000000);
        assert_int_equal(take(&a, first, 1, 100, &lease), 1);

        clipper_zone_lock(&a);
        n = hedge_locked(&a, first, &lease, 1, 200);
        clipper_zone_unlock(&a);

        if (n) {
            copies++;
            assert_int_equal(take(&a, second, 1, 300, &more), 1);
            (void) settle(&a, second, &more, 400);
            replica_idle(&a, second);
        }

        (void) settle(&a, first, &lease, 500);
        replica_idle(&a, first);
        expect_mail(&a, task.waiter, i, 8);
    }

    assert_true(copies >= 4000 / CLIPPER_HEDGE_COST);
    assert_true(copies <= 4000 / CLIPPER_HEDGE_COST + 65);

    replica_gone(&a, first);
    replica_gone(&a, second);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_late),
        zone_test(test_skipped),
        zone_test(test_copies),
        zone_test(test_what_came),
        zone_test(test_lost_with_two),
        zone_test(test_not_sent),
        zone_test(test_shared_after_a_waiter_left),
        zone_test(test_credit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

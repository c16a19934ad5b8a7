
/*
 * Catches: a rebuild that trusts anything but the tables, or derives something
 * else from them.
 */

#include "zone_two.h"


/* with any content of the derived fields: only the tables count */

static void
scramble(view_t *v)
{
    uint32_t           i;
    clipper_header_t  *h;

    h = v->header;

#define wild()  (uint32_t) splitmix(zone_random++)

    h->flights.free = wild();
    h->waiters.free = wild();
    h->chunks.free = wild();
    h->replicas.free = wild();
    h->flights.used = wild();
    h->waiters.used = wild();
    h->chunks.used = wild();
    h->replicas.used = wild();

    for (i = 1; i < h->flights.n; i++) {
        v->flights[i].deadline_us = splitmix(i);
        v->flights[i].left = wild();
        v->flights[i].right = wild();
        v->flights[i].parent = wild();
        v->flights[i].rank = wild();
        v->flights[i].next = wild();
        v->flights[i].waiters = wild();
    }

    for (i = 1; i < h->waiters.n; i++) {
        v->waiters[i].next = wild();
        v->waiters[i].prev = wild();
        v->waiters[i].mail_next = wild();
        v->waiters[i].mail_prev = wild();
        v->waiters[i].posted = wild();
    }

    for (i = 1; i < h->replicas.n; i++) {
        v->replicas[i].idle = wild();
        v->replicas[i].next = wild();
        v->replicas[i].prev = wild();
    }

    for (i = 1; i < h->models.n; i++) {
        v->models[i].root = wild();
        v->models[i].last = wild();
        v->models[i].queued = wild();
        v->models[i].queued_bytes = wild();
        v->models[i].tail_us = wild();
        v->models[i].flights = wild();
        v->models[i].idle = wild();
        v->models[i].replicas = wild();
        v->models[i].members = wild();
    }

    for (i = 1; i < h->workers.n; i++) {
        v->workers[i].mail_head = wild();
        v->workers[i].mail_tail = wild();
    }

    for (i = 0; i < h->buckets.n; i++) {
        v->buckets[i].head = wild();
    }
}


static void
test_rebuild_from_the_tables(void **state)
{
    uint32_t         r, s, loan, i;
    clipper_mail_t   mail;
    clipper_task_t   t[6], late;
    clipper_lease_t  leases[4], more[4];

    r = replica_make(&a, model, 'r');
    s = replica_make(&b, model, 's');

    /* one done and read, one done, one late, one leased, three queued */

    for (i = 0; i < 3; i++) {
        t[i] = ask(&a, i, 600, 1000 + i);
    }

    assert_int_equal(take(&a, r, 3, 200, leases), 3);
    (void) settle(&a, r, &leases[0], 300);
    (void) settle(&a, r, &leases[1], 300);
    assert_int_equal(mail_take(&a, &mail, 1), 1);

    late = ask(&a, 9, 600, 900);
    t[3] = ask(&a, 3, 600, 20000);
    assert_int_equal(take(&b, s, 1, 950, more), 1);
    (void) settle(&b, s, more, 960);
    replica_idle(&b, s);
    assert_true(a.waiters[late.waiter].posted);

    t[4] = ask(&a, 4, 600, 20000);
    t[5] = ask(&a, 5, 600, 10000);
    loan = borrow(&b, NULL, 2000);

    scramble(&a);
    a.header->lock.dirty = 1;

    zone_assert(&b, "rebuilt");
    assert_int_equal(a.header->waiters.used, 7);
    assert_int_equal(a.header->flights.used, 6);
    assert_int_equal(a.header->chunks.used, 6 * 2 + 3 * 2 + 4);

    leave(&a, mail.waiter, mail.gen);
    (void) settle(&a, r, &leases[2], 1000);

    assert_int_equal(take(&b, s, 4, 1000, more), 2);
    (void) settle(&b, s, &more[0], 1100);
    (void) settle(&b, s, &more[1], 1100);

    for (i = 0; mail_take(&a, &mail, 1); i++) {
        if (mail.waiter == late.waiter) {
            assert_int_equal(mail.result, CLIPPER_RESULT_LATE);

        } else if (mail.waiter == t[4].waiter) {
            assert_int_equal(i, 5);
            assert_true(mail_says(&a, &mail, 4, 600));

        } else {
            assert_true(mail_says(&a, &mail, mail.waiter == t[1].waiter ? 1
                                        : mail.waiter == t[2].waiter ? 2
                                        : mail.waiter == t[3].waiter ? 3 : 5,
                                  600));
        }
    }

    assert_int_equal(i, 6);
    zone_assert(&a, "all read");

    give_back(&b, loan);
    replica_gone(&a, r);
    replica_gone(&b, s);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_rebuild_from_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

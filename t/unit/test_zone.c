
/*
 * Catches: a task lost, answered twice or to the wrong asker, out of order,
 * sent in vain, or over the bounds; payload or rows that leak.
 */

#include "zone_two.h"


static void
test_short_and_long(void **state)
{
    size_t           i;
    uint32_t         replica;
    clipper_task_t   task;
    clipper_lease_t  lease;

    static const size_t  sizes[] = { 4, 95, 96, 511, 512, 513, 1024, 5000 };

    replica = replica_make(&b, model, 0);

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        task = ask(&a, 7, sizes[i], 10000);
        assert_int_equal(task.joined, 0);
        assert_int_equal(a.header->flights.used, 1);
        assert_int_equal(a.header->chunks.used, (sizes[i] + 511) / 512);

        assert_int_equal(take(&b, replica, 8, 200, &lease), 1);
        zone_assert(&b, "taken");
        expect_no_mail(&a);

        assert_int_equal(settle(&b, replica, &lease, 300), 1);
        replica_idle(&b, replica);
        zone_assert(&b, "settled");

        expect_no_mail(&b);
        expect_mail(&a, task.waiter, 7, sizes[i]);
        expect_no_mail(&a);

        assert_int_equal(a.header->flights.used, 0);
        assert_int_equal(a.header->chunks.used, 0);
    }

    replica_gone(&b, replica);
}


static void
test_letter_tells_times(void **state)
{
    uint32_t         replica;
    clipper_mail_t   mail;
    clipper_task_t   task;
    clipper_lease_t  leases[2];

    replica = replica_make(&a, model, 0);

    (void) ask(&a, 1, 4, 10000);
    task = ask(&a, 2, 4, 20000);

    assert_int_equal(take(&a, replica, 2, 250, leases), 2);
    (void) settle(&a, replica, &leases[0], 400);
    (void) settle(&a, replica, &leases[1], 900);

    (void) mail_take(&a, &mail, 1);
    (void) mail_take(&a, &mail, 1);

    assert_int_equal(mail.waiter, task.waiter);
    assert_int_equal(mail.gen, task.gen);
    assert_int_equal(mail.model, model);
    assert_int_equal(mail.joined, 0);
    assert_int_equal(mail.batch_size, 2);
    assert_int_equal(mail.queue_us, 150);
    assert_int_equal(mail.model_us, 650);

    replica_gone(&a, replica);
}


static void
test_refusals(void **state)
{
    size_t           n;
    uint32_t         replica, loan;
    clipper_task_t   task, more;
    clipper_lease_t  lease;

    task = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(submit(&a, &task, 100), NGX_DECLINED);

    /* one that answers its probe is waited for, but not for long */

    replica = replica_join(&a, model, 0);
    assert_int_equal(submit(&a, &task, 1000 + CLIPPER_PROBE_US), NGX_DECLINED);
    assert_int_equal(submit(&a, &task, 100), NGX_OK);
    leave(&a, task.waiter, task.gen);
    replica_gone(&a, replica);

    replica = replica_make(&a, model, 0);

    /* the queue's bounds, of tasks and of bytes; joining needs no place */

    task = ask(&a, 1, 100, 10000);

    more = task_make(&a, model, 2, 100, 10000);
    more.queue_max = 1;
    assert_int_equal(submit(&a, &more, 100), NGX_ABORT);
    more.queue_max = 2;
    more.queue_size_max = 199;
    assert_int_equal(submit(&a, &more, 100), NGX_ABORT);

    more = task_make(&a, model, 1, 100, 10000);
    more.queue_max = 1;
    assert_int_equal(submit(&a, &more, 100), NGX_OK);
    assert_int_equal(more.joined, 1);
    leave(&a, more.waiter, more.gen);
    zone_assert(&a, "joined and left");

    /* a flight of the bucket ended since the cache was asked */

    more = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(take(&a, replica, 1, 200, &lease), 1);
    assert_int_equal(settle(&a, replica, &lease, 300), 1);
    assert_int_equal(submit(&a, &more, 400), NGX_BUSY);
    more = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_OK);
    leave(&a, more.waiter, more.gen);
    leave(&a, task.waiter, task.gen);

    /* no payload left */

    n = a.header->chunks.n - 1;
    loan = borrow(&a, NULL, n * CLIPPER_CHUNK + 1);
    assert_int_equal(loan, 0);

    clipper_zone_lock(&a);
    loan = clipper_chunk_borrow_locked(&a,
                                           n * CLIPPER_CHUNK - 512);
    clipper_zone_unlock(&a);
    assert_int_not_equal(loan, 0);

    more = task_make(&a, model, 1, 513, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_ERROR);
    zone_assert(&a, "refused");
    more = task_make(&a, model, 1, 512, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_OK);
    leave(&a, more.waiter, more.gen);
    give_back(&a, loan);

    replica_gone(&a, replica);
}


static void
test_full_tables(void **state)
{
    uint32_t        i, n, flights, waiters, replica, name;
    clipper_task_t  task, *tasks;

    replica = replica_make(&a, model, 0);
    flights = a.header->flights.n - 1;
    waiters = a.header->waiters.n - 1;

    tasks = calloc(waiters, sizeof(clipper_task_t));
    assert_non_null(tasks);

    for (n = 0; n < waiters; n++) {
        name = (n < flights) ? n : n % flights;
        tasks[n] = task_make(&a, model, name, 8, 1000 + zone_chance(1000));
        assert_int_equal(submit(&a, &tasks[n], 100), NGX_OK);
        assert_int_equal(tasks[n].joined, n >= flights);

        if (n == flights) {
            task = task_make(&a, model, n, 8, 1000);
            assert_int_equal(submit(&a, &task, 100), NGX_ERROR);
        }
    }

    zone_assert(&a, "full");

    task = task_make(&a, model, 0, 8, 1000);
    assert_int_equal(submit(&a, &task, 100), NGX_ERROR);
    zone_assert(&a, "refused");

    for (i = waiters; i; i--) {
        n = zone_chance(i);
        leave(&a, tasks[n].waiter, tasks[n].gen);
        tasks[n] = tasks[i - 1];

        if (i % 100 == 0) {
            zone_assert(&a, "half empty");
        }
    }

    free(tasks);
    replica_gone(&a, replica);
}


/* one flight for the same key, also of another worker */

static void
test_joins(void **state)
{
    uint32_t         replica, loan;
    clipper_task_t   first, second, third, apart;
    clipper_lease_t  leases[4];

    replica = replica_make(&b, model, 0);

    first = ask(&a, 5, 600, 10000);
    second = ask(&b, 5, 600, 20000);
    assert_int_equal(second.joined, 1);
    assert_int_equal(a.header->flights.used, 1);

    /* with its input on loan, while the model already has it */

    assert_int_equal(take(&b, replica, 4, 200, leases), 1);

    loan = borrow(&a, input_of(5, 600), 600);
    third = task_make(&a, model, 5, 600, 30000);
    third.chunk = loan;
    assert_int_equal(submit(&a, &third, 100), NGX_OK);
    assert_int_equal(third.joined, 1);
    assert_int_equal(a.header->chunks.used, 2);

    /* not shared, or of another model: by itself */

    apart = task_make(&a, model, 5, 600, 10000);
    apart.shared = 0;
    assert_int_equal(submit(&a, &apart, 100), NGX_OK);
    assert_int_equal(apart.joined, 0);
    zone_assert(&a, "joined");

    assert_int_equal(settle(&b, replica, leases, 300), 1);
    replica_idle(&b, replica);

    expect_mail(&b, second.waiter, 5, 600);
    expect_mail(&a, third.waiter, 5, 600);
    expect_mail(&a, first.waiter, 5, 600);

    leave(&a, apart.waiter, apart.gen);
    replica_gone(&b, replica);
}


static void
test_order_by_deadline(void **state)
{
    size_t           len;
    u_char           output[64];
    uint32_t         replica, name, i, n, order[10];
    clipper_task_t   tasks[10], sooner;
    clipper_lease_t  leases[20];

    static const uint64_t  deadlines[10] = {
        5000, 3000, 9000, 3000, 7000, 1000, 3000, 8000, 2000, 5000
    };
    static const uint32_t  expected[10] = { 7, 5, 8, 1, 3, 6, 0, 9, 4, 2 };

    replica = replica_make(&a, model, 0);

    for (i = 0; i < 10; i++) {
        tasks[i] = ask(&a, i, 8, deadlines[i]);
    }

    /* a joining ask with an earlier deadline moves the flight forward */

    sooner = ask(&b, 7, 8, 500);

    for (n = 0; n < 10; n += 3) {
        assert_int_equal(take(&a, replica, 3, 200, leases + n),
                         ngx_min(3, 10 - n));

        for (i = n; i < n + 3 && i < 10; i++) {
            len = output_of(&a, &leases[i], output);
            assert_int_equal(len, 9);
            memcpy(&name, output + 1, 4);
            order[i] = name;
            (void) settle(&a, replica, &leases[i], 300);
        }

        zone_assert(&a, "settled");
        replica_idle(&a, replica);
    }

    assert_memory_equal(order, expected, sizeof(order));

    for (i = 0; i < 10; i++) {
        expect_mail(&a, tasks[order[i]].waiter, order[i], 8);
    }

    expect_mail(&b, sooner.waiter, 7, 8);
    replica_gone(&a, replica);
}


/* queued by workers of an older configuration: of a type the replica lacks */

static void
test_another_type(void **state)
{
    uint32_t         replica, i;
    clipper_task_t   tasks[4];
    clipper_lease_t  lease;

    replica = replica_make(&a, model, 0);

    for (i = 0; i < 4; i++) {
        tasks[i] = task_make(&a, model, i, 8, 10000 + i);
        tasks[i].input_type = !(i % 2);
        assert_int_equal(submit(&a, &tasks[i], 100), NGX_OK);
    }

    for (i = 1; i < 4; i += 2) {
        assert_int_equal(take(&a, replica, 4, 200, &lease), 1);
        zone_assert(&a, "taken");

        expect_result(&a, tasks[i - 1].waiter,
                      CLIPPER_RESULT_ERROR);
        expect_no_mail(&a);

        (void) settle(&a, replica, &lease, 300);
        replica_idle(&a, replica);
        expect_mail(&a, tasks[i].waiter, i, 8);
    }

    replica_gone(&a, replica);
}


static void
test_leaving(void **state)
{
    uint32_t         replica;
    clipper_task_t   task, again;
    clipper_lease_t  lease;

    replica = replica_make(&a, model, 0);

    /* from the queue; once only */

    task = ask(&a, 1, 600, 10000);
    leave(&a, task.waiter, task.gen);
    zone_assert(&a, "left the queue");
    assert_int_equal(a.header->chunks.used, 0);

    again = ask(&a, 1, 600, 10000);
    assert_int_equal(again.waiter, task.waiter);
    leave(&a, task.waiter, task.gen);
    assert_int_equal(a.header->waiters.used, 1);

    /* while the model has it: the input that it reads stays */

    assert_int_equal(take(&a, replica, 1, 200, &lease), 1);
    leave(&a, again.waiter, again.gen);
    zone_assert(&a, "left a lease");
    assert_int_equal(a.header->flights.used, 1);
    assert_int_equal(a.header->chunks.used, 2);

    /* it can still be joined */

    task = ask(&b, 1, 600, 10000);
    assert_int_equal(task.joined, 1);
    assert_int_equal(settle(&a, replica, &lease, 300), 1);
    replica_idle(&a, replica);
    expect_mail(&b, task.waiter, 1, 600);

    /* with the letter in the box, and with a long one read */

    task = ask(&a, 2, 600, 10000);
    assert_int_equal(take(&a, replica, 1, 200, &lease), 1);
    (void) settle(&a, replica, &lease, 300);
    replica_idle(&a, replica);
    leave(&a, task.waiter, task.gen);
    zone_assert(&a, "left the box");
    expect_no_mail(&a);

    replica_gone(&a, replica);
}


static void
test_lost_replicas(void **state)
{
    uint32_t         r, s;
    clipper_task_t   task, gone;
    clipper_lease_t  leases[2], more[2];

    r = replica_make(&a, model, 0);
    s = replica_make(&b, model, 0);

    task = ask(&a, 1, 8, 10000);
    gone = ask(&a, 2, 8, 20000);
    assert_int_equal(take(&a, r, 2, 200, leases), 2);
    leave(&a, gone.waiter, gone.gen);

    clipper_zone_lock(&a);
    assert_int_equal(clipper_queue_lease_lost_locked(&a, r, &leases[0], 300),
                     1);
    assert_int_equal(clipper_queue_lease_lost_locked(&a, r, &leases[1], 300),
                     0);
    assert_int_equal(clipper_queue_lease_lost_locked(&a, r, &leases[0], 300),
                     0);
    clipper_registry_replica_gone_locked(&a, r, 0);
    zone_assert_locked(&a, "lost");
    clipper_zone_unlock(&a);

    assert_int_equal(a.header->flights.used, 1);
    assert_int_equal(settle_with(&a, r, &leases[0], 0, (u_char *) "no", 2,
                                 400), 0);

    assert_int_equal(take(&b, s, 2, 200, more), 1);

    clipper_zone_lock(&b);
    assert_int_equal(clipper_queue_lease_lost_locked(&b, s, more, 300), 0);
    clipper_registry_replica_gone_locked(&b, s, 0);
    clipper_zone_unlock(&b);

    expect_result(&a, task.waiter, CLIPPER_RESULT_ERROR);
}


/* a late batch goes to a second replica: one answer each, the first */

static void
test_hedges(void **state)
{
    uint32_t         r, s;
    ngx_uint_t       i, n;
    clipper_task_t   tasks[3];
    clipper_lease_t  leases[3], more[3];

    r = replica_make(&a, model, 0);
    s = replica_make(&b, model, 0);

    for (i = 0; i < 4; i++) {
        for (n = 0; n < 3; n++) {
            tasks[n] = ask(&a, n, 600, 10000 + n);
        }

        assert_int_equal(take(&a, r, 3, 200, leases), 3);
        assert_int_equal(settle(&a, r, &leases[0], 300), 1);
        expect_mail(&a, tasks[0].waiter, 0, 600);

        clipper_zone_lock(&a);
        assert_int_equal(hedge_locked(&a, r, leases, 3, 350), 2);
        zone_assert_locked(&a, "hedged");
        clipper_zone_unlock(&a);

        if (i == 3) {
            /* an ask that left in between needs no second answer */

            leave(&a, tasks[1].waiter, tasks[1].gen);
            leave(&a, tasks[2].waiter, tasks[2].gen);
            zone_assert(&a, "left hedged");
            assert_int_equal(a.models[model].queued, 0);

        } else {
            assert_int_equal(take(&b, s, 3, 400, more), 2);
            zone_assert(&b, "taken twice");
        }

        if (i != 1) {
            assert_int_equal(settle(&a, r, &leases[1], 500), 1);
            assert_int_equal(settle(&a, r, &leases[2], 500), 1);
        }

        if (i < 2) {
            assert_int_equal(settle(&b, s, &more[0], 600), i == 1);
            assert_int_equal(settle(&b, s, &more[1], 600), i == 1);

        } else if (i == 2) {
            clipper_zone_lock(&b);
            (void) clipper_queue_lease_lost_locked(&b, s, &more[0], 600);
            (void) clipper_queue_lease_lost_locked(&b, s, &more[1], 600);
            clipper_zone_unlock(&b);
        }

        if (i == 1) {
            assert_int_equal(settle(&a, r, &leases[1], 700), 0);
            assert_int_equal(settle(&a, r, &leases[2], 700), 0);
        }

        if (i < 3) {
            expect_mail(&a, tasks[1].waiter, 1, 600);
            expect_mail(&a, tasks[2].waiter, 2, 600);
        }

        expect_no_mail(&a);
        assert_int_equal(a.header->flights.used, 0);
        assert_int_equal(a.header->chunks.used, 0);

        replica_idle(&a, r);
        replica_idle(&b, s);
        zone_assert(&a, "after a hedge");
    }

    replica_gone(&a, r);
    replica_gone(&b, s);
}


static void
test_zone_sizes(void **state)
{
    size_t   size, least;
    view_t   v;
    void    *p;

    least = 0;

    for (size = 256 * 1024; size <= 64 << 20; size += size / 8) {
        p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                 -1, 0);
        assert_ptr_not_equal(p, MAP_FAILED);

        if (clipper_zone_create(p, size, zone_seed, 1) == NGX_OK) {
            least = least ? least : size;

            assert_int_equal(clipper_zone_attach(&v, p, size + 4096, getpid()),
                             NGX_ERROR);
            assert_int_equal(clipper_zone_attach(&v, p, size, getpid()),
                                                 NGX_OK);
            assert_true(v.payload + (size_t) v.header->chunks.n
                        * CLIPPER_CHUNK <= (u_char *) p + size);
            zone_assert(&v, "fresh");

        } else {
            assert_int_equal(least, 0);
        }

        assert_int_equal(munmap(p, size), 0);
    }

    print_message("least zone of those tried: %u KB\n",
                  (unsigned) (least / 1024));
    assert_true(least && least <= 2 << 20);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_short_and_long),
        zone_test(test_letter_tells_times),
        zone_test(test_refusals),
        zone_test(test_full_tables),
        zone_test(test_joins),
        zone_test(test_order_by_deadline),
        zone_test(test_another_type),
        zone_test(test_leaving),
        zone_test(test_lost_replicas),
        zone_test(test_hedges),
        cmocka_unit_test(test_zone_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

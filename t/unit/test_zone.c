
/*
 * Catches: a task lost, answered twice or to the wrong asker, out of order,
 * sent in vain, or over the bounds; payload or rows that leak; a worker's
 * death that costs others something; a rebuild that does not find what is
 * there; versions compared as text.
 */

#include "zone_fixture.h"


static void    *addr;
static view_t   a, b;               /* two workers of one zone */
static uint32_t model, other;


static int
setup(void **state)
{
    /* a failure under the lock would wait for itself */

    (void) alarm(60);

    addr = zone_make();
    a = worker_make(addr);
    b = worker_make(addr);
    model = model_make(&a, "m", "1");
    other = model_make(&a, "other", "1");

    return 0;
}


/* every test ends with nothing in use */

static int
teardown(void **state)
{
    ngx_http_clipper_header_t  *h;

    zone_check(&a, "at the end");

    h = a.header;
    assert_int_equal(h->flights.used, 0);
    assert_int_equal(h->waiters.used, 0);
    assert_int_equal(h->chunks.used, 0);
    assert_int_equal(h->replicas.used, 0);
    assert_int_equal(h->lock.holder, 0);
    assert_int_equal(h->lock.dirty, 0);

    zone_kill(a.pid);
    zone_kill(b.pid);
    zone_drop(addr);

    return 0;
}


static ngx_http_clipper_task_t
ask(view_t *v, uint32_t name, size_t len, uint64_t deadline_us)
{
    ngx_http_clipper_task_t  task;

    task = task_make(v, model, name, len, deadline_us);
    assert_int_equal(submit(v, &task, 100), NGX_OK);
    zone_check(v, "after a submission");

    return task;
}


static void
expect_mail(view_t *v, uint32_t waiter, uint32_t name, size_t len)
{
    ngx_http_clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 1);
    zone_check(v, "after a letter");
    assert_int_equal(mail.waiter, waiter);
    assert_true(mail_says(v, &mail, name, len));
}


static void
expect_result(view_t *v, uint32_t waiter, uint32_t result)
{
    ngx_http_clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 1);
    zone_check(v, "after a letter");
    assert_int_equal(mail.waiter, waiter);
    assert_int_equal(mail.result, result);
    assert_int_equal(mail.len, 0);
    assert_int_equal(mail.held, 0);
}


static void
expect_no_mail(view_t *v)
{
    ngx_http_clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 0);
}


static void
test_short_and_long(void **state)
{
    size_t                    i;
    uint32_t                  replica;
    ngx_http_clipper_task_t   task;
    ngx_http_clipper_lease_t  lease;

    static const size_t  sizes[] = { 4, 95, 96, 511, 512, 513, 1024, 5000 };

    replica = replica_make(&b, model, 0);

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        task = ask(&a, 7, sizes[i], 10000);
        assert_int_equal(task.joined, 0);
        assert_int_equal(a.header->flights.used, 1);
        assert_int_equal(a.header->chunks.used, (sizes[i] + 511) / 512);

        assert_int_equal(take(&b, replica, 8, 200, &lease), 1);
        zone_check(&b, "taken");
        expect_no_mail(&a);

        assert_int_equal(settle(&b, replica, &lease, 300), 1);
        replica_idle(&b, replica);
        zone_check(&b, "settled");

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
    uint32_t                  replica;
    ngx_http_clipper_mail_t   mail;
    ngx_http_clipper_task_t   task;
    ngx_http_clipper_lease_t  leases[2];

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
    size_t                    n;
    uint32_t                  replica, loan;
    ngx_http_clipper_task_t   task, more;
    ngx_http_clipper_lease_t  lease;

    task = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(submit(&a, &task, 100), NGX_DECLINED);

    replica = replica_join(&a, model, 0);
    assert_int_equal(submit(&a, &task, 100), NGX_DECLINED);
    replica_gone(&a, replica);

    replica = replica_make(&a, model, 0);

    /* the queue's bounds, of tasks and of bytes; who joins needs no place */

    task = ask(&a, 1, 100, 10000);

    more = task_make(&a, model, 2, 100, 10000);
    more.queue_max = 1;
    assert_int_equal(submit(&a, &more, 100), NGX_BUSY);
    more.queue_max = 2;
    more.queue_size_max = 199;
    assert_int_equal(submit(&a, &more, 100), NGX_BUSY);

    more = task_make(&a, model, 1, 100, 10000);
    more.queue_max = 1;
    assert_int_equal(submit(&a, &more, 100), NGX_OK);
    assert_int_equal(more.joined, 1);
    leave(&a, more.waiter, more.gen);
    zone_check(&a, "joined and left");

    /* a flight of the bucket ended since the cache was asked */

    more = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(take(&a, replica, 1, 200, &lease), 1);
    assert_int_equal(settle(&a, replica, &lease, 300), 1);
    assert_int_equal(submit(&a, &more, 400), NGX_AGAIN);
    more = task_make(&a, model, 1, 100, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_OK);
    leave(&a, more.waiter, more.gen);
    leave(&a, task.waiter, task.gen);

    /* no payload left */

    n = a.header->chunks.n - 1;
    loan = borrow(&a, NULL, n * NGX_HTTP_CLIPPER_CHUNK + 1);
    assert_int_equal(loan, 0);

    ngx_http_clipper_zone_lock(&a);
    loan = ngx_http_clipper_chunk_borrow_locked(&a,
                                           n * NGX_HTTP_CLIPPER_CHUNK - 512);
    ngx_http_clipper_zone_unlock(&a);
    assert_int_not_equal(loan, 0);

    more = task_make(&a, model, 1, 513, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_ERROR);
    zone_check(&a, "refused");
    more = task_make(&a, model, 1, 512, 10000);
    assert_int_equal(submit(&a, &more, 400), NGX_OK);
    leave(&a, more.waiter, more.gen);
    give_back(&a, loan);

    replica_gone(&a, replica);
}


static void
test_full_tables(void **state)
{
    uint32_t                  i, n, flights, waiters, replica, name;
    ngx_http_clipper_task_t   task, *tasks;

    replica = replica_make(&a, model, 0);
    flights = a.header->flights.n - 1;
    waiters = a.header->waiters.n - 1;

    tasks = calloc(waiters, sizeof(ngx_http_clipper_task_t));
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

    zone_check(&a, "full");

    task = task_make(&a, model, 0, 8, 1000);
    assert_int_equal(submit(&a, &task, 100), NGX_ERROR);
    zone_check(&a, "refused");

    for (i = waiters; i; i--) {
        n = zone_chance(i);
        leave(&a, tasks[n].waiter, tasks[n].gen);
        tasks[n] = tasks[i - 1];

        if (i % 100 == 0) {
            zone_check(&a, "half empty");
        }
    }

    free(tasks);
    replica_gone(&a, replica);
}


/* one flight for the same key, also of another worker */

static void
test_joins(void **state)
{
    uint32_t                  replica, loan;
    ngx_http_clipper_task_t   first, second, third, apart;
    ngx_http_clipper_lease_t  leases[4];

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
    zone_check(&a, "joined");

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
    size_t                    len;
    u_char                    output[64];
    uint32_t                  replica, name, i, n, order[10];
    ngx_http_clipper_task_t   tasks[10], sooner;
    ngx_http_clipper_lease_t  leases[20];

    static const uint64_t  deadlines[10] = {
        5000, 3000, 9000, 3000, 7000, 1000, 3000, 8000, 2000, 5000
    };
    static const uint32_t  expected[10] = { 7, 5, 8, 1, 3, 6, 0, 9, 4, 2 };

    replica = replica_make(&a, model, 0);

    for (i = 0; i < 10; i++) {
        tasks[i] = ask(&a, i, 8, deadlines[i]);
    }

    /* who joins in a greater hurry takes the flight along */

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

        zone_check(&a, "settled");
        replica_idle(&a, replica);
    }

    assert_memory_equal(order, expected, sizeof(order));

    for (i = 0; i < 10; i++) {
        expect_mail(&a, tasks[order[i]].waiter, order[i], 8);
    }

    expect_mail(&b, sooner.waiter, 7, 8);
    replica_gone(&a, replica);
}


/* who cannot be answered in time is told so, not who can */

static void
test_late(void **state)
{
    uint32_t                  replica;
    ngx_http_clipper_task_t   late, later, both;
    ngx_http_clipper_lease_t  leases[4];

    replica = replica_make(&a, model, 0);

    late = ask(&a, 1, 8, 1000);
    both = ask(&a, 2, 8, 1500);
    later = ask(&b, 2, 8, 9000);

    assert_int_equal(take(&a, replica, 4, 2000, leases), 1);
    zone_check(&a, "dropped");

    expect_result(&a, late.waiter, NGX_HTTP_CLIPPER_RESULT_LATE);
    expect_result(&a, both.waiter, NGX_HTTP_CLIPPER_RESULT_LATE);
    expect_no_mail(&a);
    assert_int_equal(a.header->flights.used, 1);

    (void) settle(&a, replica, leases, 3000);
    expect_mail(&b, later.waiter, 2, 8);

    replica_gone(&a, replica);
}


static void
test_leaving(void **state)
{
    uint32_t                  replica;
    ngx_http_clipper_task_t   task, again;
    ngx_http_clipper_lease_t  lease;

    replica = replica_make(&a, model, 0);

    /* from the queue; once only */

    task = ask(&a, 1, 600, 10000);
    leave(&a, task.waiter, task.gen);
    zone_check(&a, "left the queue");
    assert_int_equal(a.header->chunks.used, 0);

    again = ask(&a, 1, 600, 10000);
    assert_int_equal(again.waiter, task.waiter);
    leave(&a, task.waiter, task.gen);
    assert_int_equal(a.header->waiters.used, 1);

    /* while the model has it: what it reads stays */

    assert_int_equal(take(&a, replica, 1, 200, &lease), 1);
    leave(&a, again.waiter, again.gen);
    zone_check(&a, "left a lease");
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
    zone_check(&a, "left the box");
    expect_no_mail(&a);

    replica_gone(&a, replica);
}


static void
test_lost_replicas(void **state)
{
    uint32_t                  r, s;
    ngx_http_clipper_task_t   task, gone;
    ngx_http_clipper_lease_t  leases[2], more[2];

    r = replica_make(&a, model, 0);
    s = replica_make(&b, model, 0);

    task = ask(&a, 1, 8, 10000);
    gone = ask(&a, 2, 8, 20000);
    assert_int_equal(take(&a, r, 2, 200, leases), 2);
    leave(&a, gone.waiter, gone.gen);

    ngx_http_clipper_zone_lock(&a);
    assert_int_equal(ngx_http_clipper_queue_lost_locked(&a, r, &leases[0],
                                                        300), 1);
    assert_int_equal(ngx_http_clipper_queue_lost_locked(&a, r, &leases[1],
                                                        300), 0);
    assert_int_equal(ngx_http_clipper_queue_lost_locked(&a, r, &leases[0],
                                                        300), 0);
    ngx_http_clipper_registry_gone_locked(&a, r);
    zone_check_locked(&a, "lost");
    ngx_http_clipper_zone_unlock(&a);

    assert_int_equal(a.header->flights.used, 1);
    assert_int_equal(settle_with(&a, r, &leases[0], 0, (u_char *) "no", 2,
                                 400), 0);

    assert_int_equal(take(&b, s, 2, 200, more), 1);

    ngx_http_clipper_zone_lock(&b);
    assert_int_equal(ngx_http_clipper_queue_lost_locked(&b, s, more, 300), 0);
    ngx_http_clipper_registry_gone_locked(&b, s);
    ngx_http_clipper_zone_unlock(&b);

    expect_result(&a, task.waiter, NGX_HTTP_CLIPPER_RESULT_ERROR);
}


/* a late batch goes to a second replica: one answer each, the first */

static void
test_hedges(void **state)
{
    uint32_t                  r, s;
    ngx_uint_t                i, n;
    ngx_http_clipper_task_t   tasks[3];
    ngx_http_clipper_lease_t  leases[3], more[3];

    r = replica_make(&a, model, 0);
    s = replica_make(&b, model, 0);

    for (i = 0; i < 4; i++) {
        for (n = 0; n < 3; n++) {
            tasks[n] = ask(&a, n, 600, 10000 + n);
        }

        assert_int_equal(take(&a, r, 3, 200, leases), 3);
        assert_int_equal(settle(&a, r, &leases[0], 300), 1);
        expect_mail(&a, tasks[0].waiter, 0, 600);

        ngx_http_clipper_zone_lock(&a);
        assert_int_equal(ngx_http_clipper_queue_hedge_locked(&a, r, leases, 3),
                         2);
        zone_check_locked(&a, "hedged");
        ngx_http_clipper_zone_unlock(&a);

        if (i == 3) {
            /* who left in between need not be asked for twice */

            leave(&a, tasks[1].waiter, tasks[1].gen);
            leave(&a, tasks[2].waiter, tasks[2].gen);
            zone_check(&a, "left hedged");
            assert_int_equal(a.models[model].queued, 0);

        } else {
            assert_int_equal(take(&b, s, 3, 400, more), 2);
            zone_check(&b, "taken twice");
        }

        if (i != 1) {
            assert_int_equal(settle(&a, r, &leases[1], 500), 1);
            assert_int_equal(settle(&a, r, &leases[2], 500), 1);
        }

        if (i < 2) {
            assert_int_equal(settle(&b, s, &more[0], 600), i == 1);
            assert_int_equal(settle(&b, s, &more[1], 600), i == 1);

        } else if (i == 2) {
            ngx_http_clipper_zone_lock(&b);
            (void) ngx_http_clipper_queue_lost_locked(&b, s, &more[0], 600);
            (void) ngx_http_clipper_queue_lost_locked(&b, s, &more[1], 600);
            ngx_http_clipper_zone_unlock(&b);
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
        zone_check(&a, "after a hedge");
    }

    replica_gone(&a, r);
    replica_gone(&b, s);
}


static void
test_replicas_come_and_go(void **state)
{
    uint32_t  r, s, epoch;

    epoch = a.models[model].epoch;

    r = replica_make(&a, model, 'x');
    assert_int_equal(a.models[model].replicas, 1);
    zone_check(&a, "ready");

    /* a container that connected anew is one replica, once it is ready */

    s = replica_join(&b, model, 'x');
    assert_int_equal(a.models[model].replicas, 1);
    assert_int_equal(a.replicas[r].state, NGX_HTTP_CLIPPER_READY);

    ngx_http_clipper_zone_lock(&b);
    ngx_http_clipper_registry_ready_locked(&b, s);
    ngx_http_clipper_registry_idle_locked(&b, s);
    zone_check_locked(&b, "moved");
    ngx_http_clipper_zone_unlock(&b);

    assert_int_equal(a.models[model].replicas, 1);
    assert_int_equal(a.replicas[r].state, NGX_HTTP_CLIPPER_LEAVING);

    replica_gone(&a, r);
    zone_check(&a, "gone");
    replica_gone(&b, s);
    assert_int_equal(a.models[model].members, 0);

    /* without a digest a model that comes back may be another */

    r = replica_make(&a, model, 0);
    assert_int_not_equal(a.models[model].epoch, epoch);
    epoch = a.models[model].epoch;
    s = replica_make(&a, model, 0);
    assert_int_equal(a.models[model].epoch, epoch);

    replica_gone(&a, r);
    replica_gone(&a, s);
}


static void
test_epoch_by_digest(void **state)
{
    uint32_t                         i, row, epoch, last;
    ngx_http_clipper_announcement_t  an;

    static const char  *digests[] = { "one", "one", "two", "two", "one" };

    last = a.models[model].epoch;

    for (i = 0; i < 5; i++) {
        memset(&an, 0, sizeof(an));
        an.model = model;
        an.rpc_version = 4;
        an.digest.data = (u_char *) digests[i];
        an.digest.len = 3;

        ngx_http_clipper_zone_lock(&a);
        row = ngx_http_clipper_registry_join_locked(&a, &an, 0);
        ngx_http_clipper_registry_gone_locked(&a, row);
        ngx_http_clipper_zone_unlock(&a);

        epoch = a.models[model].epoch;
        assert_int_equal(epoch != last, i == 0 || i == 2 || i == 4);
        last = epoch;
    }
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
            rc = ngx_http_clipper_registry_compare((u_char *) order[i],
                                                   strlen(order[i]),
                                                   (u_char *) order[k],
                                                   strlen(order[k]));
            assert_int_equal(rc < 0, i < k);
            assert_int_equal(rc > 0, i > k);
        }
    }

    assert_int_equal(ngx_http_clipper_registry_compare((u_char *) "01", 2,
                                                       (u_char *) "1", 1), 0);
}


static void
test_current_version(void **state)
{
    uint32_t   nine, ten, r, s;
    ngx_str_t  name = ngx_string("v");

    nine = model_make(&a, "v", "1.9");
    ten = model_make(&a, "v", "1.10");
    assert_int_equal(model_make(&b, "v", "1.9"), nine);

    ngx_http_clipper_zone_lock(&a);
    assert_int_equal(ngx_http_clipper_registry_current_locked(&a, &name), 0);
    ngx_http_clipper_zone_unlock(&a);

    r = replica_make(&a, ten, 0);
    s = replica_make(&a, nine, 0);

    ngx_http_clipper_zone_lock(&a);
    assert_int_equal(ngx_http_clipper_registry_current_locked(&a, &name),
                     ten);
    ngx_http_clipper_zone_unlock(&a);

    replica_gone(&a, r);
    replica_gone(&a, s);
}


/* rows without a use make room; an epoch never comes again */

static void
test_model_rows(void **state)
{
    char       name[16];
    uint32_t   i, row, used, replica, epoch;
    ngx_str_t  n, ver = ngx_string("1");

    replica = replica_make(&a, model, 0);

    ngx_http_clipper_zone_lock(&a);
    ngx_http_clipper_registry_pin_locked(&a, a.workers[a.slot].models, other);
    ngx_http_clipper_zone_unlock(&a);

    n.data = (u_char *) name;

    for (i = 0; i < 200; i++) {
        n.len = sprintf(name, "n%u", i);

        ngx_http_clipper_zone_lock(&a);
        epoch = a.models[3].epoch;
        row = ngx_http_clipper_registry_model_locked(&a, &n, &ver);
        zone_check_locked(&a, "a new model");
        ngx_http_clipper_zone_unlock(&a);

        assert_int_not_equal(row, 0);
        assert_int_not_equal(row, model);
        assert_int_not_equal(row, other);

        if (row == 3) {
            assert_int_equal(a.models[3].epoch, epoch + 1);
        }

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

        ngx_http_clipper_zone_lock(&a);
        row = ngx_http_clipper_registry_app_locked(&a, &n);
        assert_int_equal(ngx_http_clipper_registry_app_locked(&a, &n), row);

        if (i == 0) {
            kept = row;
            ngx_http_clipper_registry_pin_locked(&a, a.workers[a.slot].apps,
                                                 row);
        }

        ngx_http_clipper_zone_unlock(&a);

        assert_int_not_equal(row, 0);
        assert_true(i == 0 || row != kept);
    }
}


/* its clients are lost, nobody else's; its batch is asked again */

static void
test_dead_worker(void **state)
{
    view_t                    c;
    uint32_t                  r, s, loan;
    ngx_http_clipper_task_t   mine, his, joined;
    ngx_http_clipper_lease_t  leases[4], more[4];

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

    ngx_http_clipper_zone_lock(&a);
    assert_int_equal(ngx_http_clipper_registry_bury_locked(&a), 0);
    ngx_http_clipper_zone_unlock(&a);

    zone_kill(c.pid);

    ngx_http_clipper_zone_lock(&a);
    assert_int_equal(ngx_http_clipper_registry_bury_locked(&a), 1);
    zone_check_locked(&a, "buried");
    ngx_http_clipper_zone_unlock(&a);

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


/* a respawned worker may get the pid of its predecessor */

static void
test_dead_worker_of_same_pid(void **state)
{
    view_t     c, d;
    ngx_str_t  generation = ngx_string("g");

    c = worker_make(addr);
    d = c;
    d.slot = 0;

    ngx_http_clipper_zone_lock(&d);
    assert_int_equal(ngx_http_clipper_registry_claim_locked(&d,
                                    (u_char *) "door", 4, &generation, 1),
                     c.slot);
    ngx_http_clipper_zone_unlock(&d);

    zone_kill(c.pid);
}


static void
test_lock_is_taken_over(void **state)
{
    view_t                    c;
    uint64_t                  rebuilds;
    uint32_t                  r;
    ngx_http_clipper_task_t   task;
    ngx_http_clipper_lease_t  lease;

    r = replica_make(&a, model, 0);
    task = ask(&a, 1, 600, 10000);

    c = worker_make(addr);
    ngx_http_clipper_zone_lock(&c);
    zone_kill(c.pid);

    rebuilds = a.header->rebuilds;
    zone_check(&a, "taken over");
    assert_int_equal(a.header->rebuilds, rebuilds + 1);

    assert_int_equal(take(&a, r, 1, 200, &lease), 1);
    (void) settle(&a, r, &lease, 300);
    expect_mail(&a, task.waiter, 1, 600);

    /* by a process that has the pid of who left it locked */

    a.header->lock.holder = a.pid;
    a.header->lock.dirty = 1;
    zone_check(&a, "taken over from oneself");
    assert_int_equal(a.header->rebuilds, rebuilds + 2);

    replica_gone(&a, r);
}


/* whatever stands in what is derived: the tables say what is */

static void
scramble(view_t *v)
{
    uint32_t                    i;
    ngx_http_clipper_header_t  *h;

    h = v->header;

#define wild()  (uint32_t) zone_mix(zone_random++)

    h->flights.free = wild();
    h->waiters.free = wild();
    h->chunks.free = wild();
    h->replicas.free = wild();
    h->flights.used = wild();
    h->waiters.used = wild();
    h->chunks.used = wild();
    h->replicas.used = wild();

    for (i = 1; i < h->flights.n; i++) {
        v->flights[i].deadline_us = zone_mix(i);
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
    uint32_t                  r, s, loan, i;
    ngx_http_clipper_mail_t   mail;
    ngx_http_clipper_task_t   t[6], late;
    ngx_http_clipper_lease_t  leases[4], more[4];

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

    zone_check(&b, "rebuilt");
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
            assert_int_equal(mail.result, NGX_HTTP_CLIPPER_RESULT_LATE);

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
    zone_check(&a, "all read");

    give_back(&b, loan);
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

        if (ngx_http_clipper_zone_create(p, size, zone_seed, 1) == NGX_OK) {
            least = least ? least : size;

            assert_int_equal(ngx_http_clipper_zone_attach(&v, p, size + 4096,
                                                          getpid()),
                             NGX_ERROR);
            assert_int_equal(ngx_http_clipper_zone_attach(&v, p, size,
                                                          getpid()), NGX_OK);
            assert_true(v.payload + (size_t) v.header->chunks.n
                        * NGX_HTTP_CLIPPER_CHUNK <= (u_char *) p + size);
            zone_check(&v, "fresh");

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
#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

    const struct CMUnitTest tests[] = {
        test(test_short_and_long),
        test(test_letter_tells_times),
        test(test_refusals),
        test(test_full_tables),
        test(test_joins),
        test(test_order_by_deadline),
        test(test_late),
        test(test_leaving),
        test(test_lost_replicas),
        test(test_hedges),
        test(test_replicas_come_and_go),
        test(test_epoch_by_digest),
        test(test_compare_versions),
        test(test_current_version),
        test(test_model_rows),
        test(test_app_rows),
        test(test_dead_worker),
        test(test_dead_worker_of_same_pid),
        test(test_lock_is_taken_over),
        test(test_rebuild_from_the_tables),
        cmocka_unit_test(test_zone_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: work under the lock that grows with the number of queries or with
 * the length of an input, and chains that do not come back whole.
 */

#include "zone_two.h"
#include "shm/clipper_loan.h"
#include "shm/clipper_queue_peer.h"
#include "shm/clipper_rebuild.h"


static int
setup_large(void **state)
{
    zone_size = 16 << 20;

    return setup(state);
}


static int
teardown_large(void **state)
{
    (void) teardown(state);

    zone_size = ZONE_SIZE;

    return 0;
}


/* an answer has a limited number of waiters: more get another flight */

static void
test_joins_are_bounded(void **state)
{
    uint32_t         r, i, joined;
    clipper_mail_t   mail;
    clipper_task_t   task;
    clipper_lease_t  leases[3];

    r = replica_make(&a, model, 0);
    joined = 0;

    for (i = 0; i < 2 * CLIPPER_JOINS + 1; i++) {
        task = task_make(&a, model, 1, 40, 10000);
        assert_int_equal(submit(&a, &task, 100), NGX_OK);
        joined += task.joined;
    }

    zone_assert(&a, "joined");
    assert_int_equal(a.models[model].queued, 3);
    assert_int_equal(joined, 2 * CLIPPER_JOINS + 1 - 3);
    assert_int_equal(take(&a, r, 3, 200, leases), 3);

    for (i = 0; i < 3; i++) {
        assert_int_equal(settle(&a, r, &leases[i], 300), 1);
        zone_assert(&a, "settled");
    }

    for (i = 0; i < 2 * CLIPPER_JOINS + 1; i++) {
        assert_int_equal(mail_take(&a, &mail, 1), 1);
    }

    expect_no_mail(&a);
    replica_gone(&a, r);
}


/* other workers get the lock between the drops of a long queue */

static void
test_drops_are_bounded(void **state)
{
    uint32_t              r, i, n;
    clipper_mail_t        mail;
    clipper_take_t        t;
    clipper_task_t        task;
    clipper_lease_t       lease;
    clipper_batch_conf_t  conf;

    r = replica_make(&a, model, 0);

    for (i = 0; i < 600; i++) {
        task = task_make(&a, model, i, 10, 1000 + i);
        assert_int_equal(submit(&a, &task, 100), NGX_OK);
    }

    memset(&conf, 0, sizeof(conf));
    conf.fixed = 1;
    conf.plain = 1;

    memset(&t, 0, sizeof(t));
    t.conf = &conf;
    t.max = 1;
    t.now_us = 5000;

    for (n = 600; n; n = a.models[model].queued) {
        clipper_zone_lock(&a);
        assert_int_equal(clipper_queue_lease_take_locked(&a, r, &t, &lease),
                         0);
        clipper_zone_unlock(&a);

        assert_true(n - a.models[model].queued <= 256);
        assert_int_equal(t.wait_us != 0, a.models[model].queued != 0);
    }

    for (i = 0; i < 600; i++) {
        assert_int_equal(mail_take(&a, &mail, 1), 1);
        assert_int_equal(mail.result, CLIPPER_RESULT_LATE);
    }

    expect_no_mail(&a);
    replica_gone(&a, r);
}


/* others have the lock between the bites of a long input */

static void
test_long_chains(void **state)
{
    size_t    len;
    uint32_t  chunk, used;

    used = a.header->chunks.used;

    for (len = 1; len < 4 << 20; len += len / 2 + CLIPPER_CHUNK - 1) {
        chunk = clipper_loan(&a, len);
        assert_int_not_equal(chunk, 0);
        assert_int_equal(a.chunks[chunk].n,
                         (len + CLIPPER_CHUNK - 1) / CLIPPER_CHUNK);
        assert_int_equal(a.header->chunks.used, used + a.chunks[chunk].n);
        zone_assert(&a, "on loan");

        clipper_zone_lock(&a);
        clipper_rebuild_locked(&a);
        clipper_zone_unlock(&a);
        zone_assert(&a, "on loan, rebuilt");

        give_back(&a, chunk);
        zone_assert(&a, "given back");
    }

    /* what is refused leaves nothing behind */

    assert_int_equal(clipper_loan(&a, (size_t) 1 << 30), 0);
    assert_int_equal(a.header->chunks.used, used);
    zone_assert(&a, "refused");
}


/* a worker dies with the first bites of a chain */

static void
test_death_with_a_long_chain(void **state)
{
    view_t    dead;
    uint32_t  chunk, used;

    used = a.header->chunks.used;
    dead = worker_make(addr);
    chunk = clipper_loan(&dead, 1 << 20);
    assert_int_not_equal(chunk, 0);

    zone_kill((pid_t) dead.pid);
    assert_int_not_equal(clipper_zone_leave_dead(&a), 0);
    assert_int_equal(a.header->chunks.used, used);
    zone_assert(&a, "buried");
}


uint64_t __real_clipper_batch_latency(const clipper_batch_t *b, ngx_uint_t n);
uint64_t __wrap_clipper_batch_latency(const clipper_batch_t *b, ngx_uint_t n);


static ngx_uint_t  looks;


uint64_t
__wrap_clipper_batch_latency(const clipper_batch_t *b, ngx_uint_t n)
{
    looks++;

    return __real_clipper_batch_latency(b, n);
}


/* a search for a faster replica does not visit all of a large model's */

static void
test_idle_replicas_are_compared(void **state)
{
    uint32_t                i, model, replica[200];
    clipper_replica_row_t  *r;

    model = model_make(&a, "m", "1");

    for (i = 0; i < 200; i++) {
        replica[i] = replica_make(&a, model, 0);
        assert_true(replica[i]);
    }

    r = &a.replicas[replica[0]];

    clipper_zone_lock(&a);

    looks = 0;
    clipper_queue_peer_notify_locked(&a, r);
    assert_in_range(looks, 64, 65);

    looks = 0;
    (void) hedge_locked(&a, replica[0], NULL, 0, 1000);
    assert_in_range(looks, 64, 65);

    clipper_zone_unlock(&a);

    for (i = 0; i < 200; i++) {
        replica_gone(&a, replica[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_idle_replicas_are_compared,
                                        setup_large, teardown_large),
        cmocka_unit_test_setup_teardown(test_joins_are_bounded, setup_large,
                                        teardown_large),
        zone_test(test_drops_are_bounded),
        cmocka_unit_test_setup_teardown(test_long_chains, setup_large,
                                        teardown_large),
        cmocka_unit_test_setup_teardown(test_death_with_a_long_chain,
                                        setup_large, teardown_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * A zone with two workers and two models for each test, which has to leave
 * nothing in use; what a test expects of a worker's mailbox.
 */


#ifndef _ZONE_TWO_H_INCLUDED_
#define _ZONE_TWO_H_INCLUDED_


#include "zone_fixture.h"


static void    *addr;
static view_t   a, b;               /* two workers of one zone */
static uint32_t model, other;


static int zone_unused
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

static int zone_unused
teardown(void **state)
{
    clipper_header_t  *h;

    zone_assert(&a, "at the end");

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


static clipper_task_t zone_unused
ask(view_t *v, uint32_t name, size_t len, uint64_t deadline_us)
{
    clipper_task_t  task;

    task = task_make(v, model, name, len, deadline_us);
    assert_int_equal(submit(v, &task, 100), NGX_OK);
    zone_assert(v, "after a submission");

    return task;
}


static void zone_unused
expect_mail(view_t *v, uint32_t waiter, uint32_t name, size_t len)
{
    clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 1);
    zone_assert(v, "after a letter");
    assert_int_equal(mail.waiter, waiter);
    assert_true(mail_says(v, &mail, name, len));
}


static void zone_unused
expect_result(view_t *v, uint32_t waiter, uint32_t result)
{
    clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 1);
    zone_assert(v, "after a letter");
    assert_int_equal(mail.waiter, waiter);
    assert_int_equal(mail.result, result);
    assert_int_equal(mail.len, 0);
    assert_int_equal(mail.held, 0);
}


static void zone_unused
expect_no_mail(view_t *v)
{
    clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 0);
}


#define zone_test(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, teardown)


#endif /* _ZONE_TWO_H_INCLUDED_ */

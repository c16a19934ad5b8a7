
/*
 * See the header.
 */


#include "zone_two.h"


void    *addr;
view_t   a, b;
uint32_t model, other;


int
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

int
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


clipper_task_t
ask(view_t *v, uint32_t name, size_t len, uint64_t deadline_us)
{
    clipper_task_t  task;

    task = task_make(v, model, name, len, deadline_us);
    assert_int_equal(submit(v, &task, 100), NGX_OK);
    zone_assert(v, "after a submission");

    return task;
}


void
expect_mail(view_t *v, uint32_t waiter, uint32_t name, size_t len)
{
    clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 1);
    zone_assert(v, "after a letter");
    assert_int_equal(mail.waiter, waiter);
    assert_true(mail_says(v, &mail, name, len));
}


void
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


void
expect_no_mail(view_t *v)
{
    clipper_mail_t  mail;

    assert_int_equal(mail_take(v, &mail, 1), 0);
}

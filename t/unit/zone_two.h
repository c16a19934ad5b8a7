
/*
 * A zone with two workers and two models for each test; each test has to leave
 * nothing in use.  And checks of a worker's mailbox.
 */


#ifndef _ZONE_TWO_H_INCLUDED_
#define _ZONE_TWO_H_INCLUDED_


#include "zone_fixture.h"


extern void    *addr;
extern view_t   a, b;               /* two workers of one zone */
extern uint32_t model, other;


int setup(void **state);

/* every test ends with nothing in use */
int teardown(void **state);
clipper_task_t ask(view_t *v, uint32_t name, size_t len, uint64_t deadline_us);
void expect_mail(view_t *v, uint32_t waiter, uint32_t name, size_t len);
void expect_result(view_t *v, uint32_t waiter, uint32_t result);
void expect_no_mail(view_t *v);


#define zone_test(name)                                                       \
    cmocka_unit_test_setup_teardown(name, setup, teardown)


#endif /* _ZONE_TWO_H_INCLUDED_ */

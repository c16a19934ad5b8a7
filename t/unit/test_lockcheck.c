
/*
 * Catches: a checked build that checks nothing.
 *
 * The sources are compiled in here with the check.  Every function that says
 * it needs the zone's lock is called without it in a child, which has to die
 * of that, and once with it, which has to pass; a missing lock anywhere in a
 * run of the checked server ends the same way.
 */


#define CLIPPER_LOCK_CHECK  1

#include "shm/clipper_lock.c"
#include "shm/clipper_chunk.c"
#include "shm/clipper_heap.c"
#include "shm/clipper_queue_lease.c"
#include "shm/clipper_mailbox.c"
#include "shm/clipper_registry_replica.c"
#include "shm/clipper_metrics.c"
#include "shm/clipper_queue.c"
#include "shm/clipper_rebuild.c"
#include "shm/clipper_registry.c"
#include "shm/clipper_zone.c"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>


#define ZONE_SIZE  (2 << 20)


#define with_all(call)                                                        \
    call(clipper_chunk_borrow_locked(zone, 1))                                \
    call(clipper_chunk_own_locked(zone, 0, 0))                                \
    call(clipper_chunk_free_locked(zone, 0))                                  \
    call(clipper_queue_leave_locked(zone, 1, 1))                              \
    call(clipper_queue_notify_locked(zone, 1))                                \
    call(clipper_mailbox_take_locked(zone, NULL, 0))                          \
    call(clipper_registry_bury_locked(zone))                                  \
    call(clipper_registry_app_locked(zone, &name))                            \
    call(clipper_registry_model_locked(zone, &name, &name))                   \
    call(clipper_registry_find_locked(zone, &name, &name))                    \
    call(clipper_registry_current_locked(zone, &name))                        \
    call(clipper_rebuild_locked(zone))


static ngx_str_t     name = ngx_string("m");
static const u_char  seed[32] = { 1, 2, 3 };


/* how a child ended that made one call */

static int
ended(clipper_zone_t *zone, unsigned which, unsigned lock)
{
    int       status;
    pid_t     pid;
    unsigned  i;

    pid = fork();

    if (pid == 0) {
        zone->pid = (uint32_t) getpid();
        (void) close(2);

        if (lock) {
            clipper_zone_lock(zone);
        }

        i = 0;
#define make_call(call)  if (i++ == which) { (void) call; }
        with_all(make_call)

        if (lock) {
            clipper_zone_unlock(zone);
        }

        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return status;
}


static void
test_checked(void **state)
{
    int             status;
    void           *addr;
    unsigned        i, n;
    clipper_zone_t  zone;

    addr = mmap(NULL, ZONE_SIZE, PROT_READ|PROT_WRITE,
                MAP_ANONYMOUS|MAP_SHARED, -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);
    assert_int_equal(clipper_zone_create(addr, ZONE_SIZE, seed, 0), NGX_OK);
    assert_int_equal(clipper_zone_attach(&zone, addr, ZONE_SIZE,
                                         (uint32_t) getpid()), NGX_OK);
    zone.slot = 1;

    clipper_zone_lock(&zone);
    clipper_zone_unlock(&zone);

    n = 0;
#define count_call(call)  n++;
    with_all(count_call)

    for (i = 0; i < n; i++) {
        status = ended(&zone, i, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);

        status = ended(&zone, i, 1);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }

    print_message("%u functions checked\n", n);
    assert_true(n > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: a checked build that checks nothing, a `_locked` function that does
 * not check its lock, or checks another one.
 *
 * The sources are compiled in here with the check, and lockcheck.py makes a
 * table of all functions in src/ that need a lock.  Each is called in children
 * that hold all mutexes but one: in the child without its mutex it has to die
 * by its own check, in the others the check must pass.  What it then does with
 * meaningless arguments does not matter, and if it calls nginx it crashes.
 */


#define CLIPPER_LOCK_CHECK  1

#include "lockcheck.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>


#define ZONE_SIZE   (2 << 20)
#define CACHE_SIZE  (1 << 20)


enum {
    ZONE = 0,
    CACHE,
    RECORDS,
    STATES,
    MUTEXES
};


static const char *const  mutexes[] = { "zone", "cache", "records", "states" };

static const char *const  functions[] = {
#define lockcheck_name(name, arguments)  #name,
    lockcheck_calls(lockcheck_name)
};

#define FUNCTIONS  (sizeof(functions) / sizeof(functions[0]))


ngx_http_clipper_process_t  ngx_http_clipper_process;

static clipper_zone_t         zone;
static clipper_state_table_t  table;
static void                  *cache;
static u_char                 zeroes[1 << 20];
static const u_char           seed[32] = { 1, 2, 3 };


static void *
shared(size_t size)
{
    void  *addr;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);

    return addr;
}


static int
setup(void **state)
{
    void  *addr;

    addr = shared(ZONE_SIZE);
    cache = shared(CACHE_SIZE);

    assert_int_equal(clipper_zone_create(addr, ZONE_SIZE, seed, 0), NGX_OK);
    assert_int_equal(clipper_zone_attach(&zone, addr, ZONE_SIZE,
                                         (uint32_t) getpid()), NGX_OK);
    assert_int_equal(clipper_cache_create(cache, CACHE_SIZE), NGX_OK);

    zone.slot = 1;
    ngx_http_clipper_process.zone = &zone;

    clipper_zone_lock(&zone);
    clipper_zone_unlock(&zone);

    return 0;
}


static clipper_lock_t *
mutex(unsigned which)
{
    switch (which) {

    case ZONE:
        return &zone.header->lock;

    case CACHE:
        return &clipper_cache_ring.header->lock;

    case RECORDS:
        return &((clipper_record_area_t *) zone.records)->journal.lock;

    default: /* STATES */
        return &table.header->journal.lock;
    }
}


/* in a child with private memory: takes all mutexes but `without` */

static void
call(unsigned function, unsigned without)
{
    unsigned  i;

    /* a crash ends the child, without a word of who else would catch it */

    (void) signal(SIGSEGV, SIG_DFL);
    (void) signal(SIGBUS, SIG_DFL);
    (void) signal(SIGFPE, SIG_DFL);
    (void) signal(SIGILL, SIG_DFL);

    zone.pid = (uint32_t) getpid();
    clipper_state_table_attach(&table, zone.states, zone.pid);
    clipper_cache_attach(cache, zone.pid);

    for (i = 0; i < MUTEXES; i++) {
        mutex(i)->holder = (i == without) ? 0 : zone.pid;
        mutex(i)->dirty = (i != without);
    }

    (void) alarm(5);

    i = 0;
#define lockcheck_call(name, arguments)                                       \
    if (i++ == function) {                                                    \
        (void) name arguments;                                                \
    }
    lockcheck_calls(lockcheck_call)
}


/* 1: the function died by its own check; a callee's check is not enough */

static unsigned
complains(unsigned function, unsigned without)
{
    int      fds[2], status;
    char     said[4096], expected[256], rest[4096];
    pid_t    pid;
    size_t   len;
    ssize_t  n;

    assert_int_equal(pipe(fds), 0);

    pid = fork();

    if (pid == 0) {
        (void) dup2(fds[1], 2);
        call(function, without);
        _exit(0);
    }

    (void) close(fds[1]);

    for (len = 0; len < sizeof(said) - 1; len += n) {
        n = read(fds[0], said + len, sizeof(said) - 1 - len);

        if (n <= 0) {
            break;
        }
    }

    while (read(fds[0], rest, sizeof(rest)) > 0) { /* void */ }

    said[len] = '\0';
    (void) close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);

    (void) snprintf(expected, sizeof(expected),
                    "lock check: %s() without its lock\n",
                    functions[function]);

    if (strstr(said, "lock check:") == NULL) {
        return 0;
    }

    assert_string_equal(said, expected);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);

    return 1;
}


/* the mutex that belongs to a function's name */

static unsigned
expected(const char *name)
{
    return strncmp(name, "clipper_cache_", 14) == 0 ? CACHE
           : strncmp(name, "clipper_record_", 15) == 0 ? RECORDS
           : strncmp(name, "clipper_state_", 14) == 0 ? STATES : ZONE;
}


static void
test_every_function(void **state)
{
    unsigned  i, k, checked[MUTEXES] = { 0 };

    for (i = 0; i < FUNCTIONS; i++) {

        for (k = 0; k < MUTEXES; k++) {

            if (complains(i, k) != (k == expected(functions[i]))) {
                fail_msg("%s() without the mutex of the %s",
                         functions[i], mutexes[k]);
            }
        }

        assert_false(complains(i, MUTEXES));
        checked[expected(functions[i])]++;
    }

    for (k = 0; k < MUTEXES; k++) {
        print_message("%s: %u functions\n", mutexes[k], checked[k]);
        assert_true(checked[k] > 0);
    }
}


/* the end of a child that checks a lock in this state */

static int
asked(uint32_t holder, uint32_t dirty)
{
    int             status;
    pid_t           pid;
    clipper_lock_t  lock;

    pid = fork();

    if (pid == 0) {
        (void) close(2);
        lock.holder = holder;
        lock.dirty = dirty;
        clipper_lock_check(&lock, 7, "f");
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}


static void
test_check_is_alive(void **state)
{
    assert_int_equal(asked(7, 1), 0);
    assert_int_equal(asked(0, 0), SIGABRT);         /* free */
    assert_int_equal(asked(8, 1), SIGABRT);         /* another process has it */
    assert_int_equal(asked(7, 0), SIGABRT);         /* just released */
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_check_is_alive),
        cmocka_unit_test(test_every_function),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

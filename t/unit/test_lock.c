
/*
 * Catches: locks and rows that are taken from the living, because the kernel
 * gave no clear answer; dead owners whose pid another process has; a waiter
 * that cannot be ended.
 */

#include "death.h"
#include "shm/clipper_lock.h"
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>


static unsigned  interrupted;       /* calls of poll() that still fail */


/* instead of libc's */

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
    struct timespec  ts;

    if (interrupted) {
        interrupted--;
        errno = EINTR;
        return -1;
    }

    ts.tv_sec = timeout / 1000;
    ts.tv_nsec = timeout % 1000 * 1000000;

    return (int) syscall(SYS_ppoll, fds, n, timeout < 0 ? NULL : &ts, NULL, 0);
}


static void
child_end(pid_t pid)
{
    int  status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}


/* one that calls what it is given and then sleeps */

static pid_t
child_start(void (*call)(clipper_lock_t *lock), clipper_lock_t *lock)
{
    int    status;
    pid_t  pid;

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (call) {
            call(lock);
        }

        (void) raise(SIGSTOP);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));

    return pid;
}


static void
take(clipper_lock_t *lock)
{
    (void) clipper_lock(lock, clipper_lock_self());
}


static void
test_interrupted_question(void **state)
{
    interrupted = 3;
    assert_true(clipper_lock_alive(clipper_lock_self()));
    interrupted = 3;
    assert_true(clipper_lock_alive((uint32_t) getpid()));
    assert_true(interrupted == 0);
}


/* a process of another user */

static void
test_foreign_process(void **state)
{
    int    status;
    pid_t  pid;

    if (getuid() != 0) {
        skip();
    }

    pid = fork();

    if (pid == 0) {
        _exit(setuid(65534) != 0 || !clipper_lock_alive(1));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}


static void
test_zombie(void **state)
{
    int        status;
    pid_t      pid;
    siginfo_t  info;

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED|WNOWAIT), 0);
    assert_false(clipper_lock_alive((uint32_t) pid));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(clipper_lock_alive((uint32_t) pid));
}


static void
odd_name(clipper_lock_t *lock)
{
    (void) prctl(PR_SET_NAME, "a) 1 (2 3) 4");
    take(lock);
}


/* the start tells apart two processes that have one pid after another */

static void
test_pid_used_again(void **state)
{
    pid_t            pid;
    clipper_lock_t  *lock;

    lock = death_map(sizeof(clipper_lock_t));

    pid = child_start(odd_name, lock);
    assert_int_equal(clipper_lock_pid(lock->holder), pid);
    assert_int_not_equal(lock->holder >> 32, 0);
    assert_true(clipper_lock_alive(lock->holder));
    assert_true(clipper_lock_alive((uint32_t) pid));

    lock->holder -= (clipper_owner_t) 1 << 32;
    assert_false(clipper_lock_alive(lock->holder));
    assert_true(clipper_lock(lock, clipper_lock_self()));
    assert_true(lock->holder == clipper_lock_self());

    child_end(pid);
}


static void
gives_up(clipper_owner_t holder)
{
    _exit(holder == 0 ? 1 : 7);
}


/* a waiter for a lock that its holder keeps can end; the lock stays */

static void
test_waiter_ends(void **state)
{
    int              status;
    pid_t            pid, waiter;
    clipper_lock_t  *lock;

    lock = death_map(sizeof(clipper_lock_t));
    pid = child_start(take, lock);

    waiter = fork();

    if (waiter == 0) {
        clipper_lock_waits = gives_up;
        (void) clipper_lock(lock, clipper_lock_self());
        _exit(2);
    }

    assert_int_equal(waitpid(waiter, &status, 0), waiter);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_int_equal(clipper_lock_pid(lock->holder), pid);

    child_end(pid);
    assert_true(clipper_lock(lock, clipper_lock_self()));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_interrupted_question),
        cmocka_unit_test(test_foreign_process),
        cmocka_unit_test(test_zombie),
        cmocka_unit_test(test_pid_used_again),
        cmocka_unit_test(test_waiter_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * See the header.
 */


#include "death.h"
#include "splitmix.h"


uint64_t  death_random_state = 7;


uint64_t
death_random(uint64_t n)
{
    uint64_t  x;

    x = splitmix(death_random_state);
    death_random_state += SPLITMIX_STEP;

    return x % n;
}


void *
death_map(size_t size)
{
    void  *addr;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);

    return addr;
}


/* runs call() in a child that dies after `steps` steps; returns the steps */

long
death_after(void (*call)(void *data), void *data, long steps)
{
    int    status;
    long   n;
    pid_t  pid;

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(2);
        }

        (void) raise(SIGSTOP);
        call(data);
        (void) raise(SIGSTOP);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);

    for (n = 0; n < steps; n++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));

        if (WSTOPSIG(status) == SIGSTOP) {
            break;
        }

        assert_int_equal(WSTOPSIG(status), SIGTRAP);
    }

    (void) kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);

    return n;
}

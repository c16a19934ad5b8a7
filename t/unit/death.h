
/*
 * Deaths at any instruction: a child is stepped through a call on shared
 * memory and killed after some steps.
 */


#ifndef _DEATH_H_INCLUDED_
#define _DEATH_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <cmocka.h>


#define death_unused  __attribute__((unused))


static uint64_t  death_random_state = 7;


static uint64_t death_unused
death_random(uint64_t n)
{
    uint64_t  x;

    x = (death_random_state += 0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;

    return (x ^ (x >> 31)) % n;
}


static void * death_unused
death_map(size_t size)
{
    void  *addr;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANONYMOUS|MAP_SHARED,
                -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);

    return addr;
}


/* runs call() in a child; the steps it took, at most `steps`, then it dies */

static long death_unused
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


#endif /* _DEATH_H_INCLUDED_ */

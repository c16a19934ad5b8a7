
/*
 * The robust mutex, see the header.
 */


#include "shm/clipper_lock.h"
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>


#define CLIPPER_LOCK_SPIN     2048              /* pauses before a yield */
#define CLIPPER_LOCK_DOUBT    2000000           /* ns of one holder */


static ngx_uint_t clipper_lock_try(clipper_lock_t *lock, uint32_t expected,
    uint32_t pid);
static uint64_t clipper_lock_now_ns(void);
static void clipper_lock_wait(clipper_lock_t *lock, uint32_t pid);


ngx_int_t
clipper_lock(clipper_lock_t *lock, uint32_t pid)
{
    if (!clipper_lock_try(lock, 0, pid)) {
        clipper_lock_wait(lock, pid);
    }

    if (lock->dirty) {
        return NGX_BUSY;
    }

    __atomic_store_n(&lock->dirty, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    return NGX_OK;
}


void
clipper_lock_release(clipper_lock_t *lock)
{
    __atomic_store_n(&lock->dirty, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELEASE);
}


static ngx_uint_t
clipper_lock_try(clipper_lock_t *lock, uint32_t expected, uint32_t pid)
{
    return lock->holder == expected
           && __atomic_compare_exchange_n(&lock->holder, &expected, pid, 0,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}


static void
clipper_lock_wait(clipper_lock_t *lock, uint32_t pid)
{
    uint32_t    holder, doubted;
    uint64_t    since;
    ngx_uint_t  i;

    doubted = 0;
    since = 0;

    for ( ;; ) {

        for (i = 0; i < CLIPPER_LOCK_SPIN; i++) {
            if (clipper_lock_try(lock, 0, pid)) {
                return;
            }

            ngx_cpu_pause();
        }

        sched_yield();

        holder = lock->holder;

        if (holder == 0) {
            continue;
        }

        if (holder != doubted) {
            doubted = holder;
            since = clipper_lock_now_ns();
            continue;
        }

        if (clipper_lock_now_ns() - since
            < CLIPPER_LOCK_DOUBT)
        {
            continue;
        }

        /* our own pid: a dead predecessor had it and held the lock */

        if ((holder == pid || !clipper_lock_alive(holder))
            && clipper_lock_try(lock, holder, pid))
        {
            return;
        }

        doubted = 0;
    }
}


ngx_uint_t
clipper_lock_alive(uint32_t pid)
{
    int            fd, n;
    struct pollfd  pfd;

#ifdef SYS_pidfd_open

    fd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0);

    if (fd != -1) {
        pfd.fd = fd;
        pfd.events = POLLIN;
        pfd.revents = 0;

        n = poll(&pfd, 1, 0);
        (void) close(fd);

        return n == 0;
    }

    if (errno == ESRCH) {
        return 0;
    }

#endif

    /* without a pidfd a zombie counts as alive until it is reaped */

    return kill((pid_t) pid, 0) == 0 || errno == EPERM;
}


static uint64_t
clipper_lock_now_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


#if (CLIPPER_LOCK_CHECK)

void
clipper_lock_check(clipper_lock_t *lock, uint32_t pid, const char *function)
{
    if (lock->holder == pid && lock->dirty) {
        return;
    }

    (void) fprintf(stderr, "lock check: %s() without its lock\n", function);
    abort();
}

#endif

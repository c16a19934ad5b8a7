
/*
 * The robust mutex, see the header.
 */


#include "shm/clipper_lock.h"
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>


#define CLIPPER_LOCK_SPIN     2048              /* pauses before a yield */
#define CLIPPER_LOCK_DOUBT    2000000           /* ns of one holder */
#define CLIPPER_LOCK_PAUSE    200000            /* ns, then */
#define CLIPPER_LOCK_STAT     1024              /* bytes of a process' stat */
#define CLIPPER_LOCK_EXITING  0x4               /* PF_EXITING of Linux */


static ngx_uint_t clipper_lock_try(clipper_lock_t *lock,
    clipper_owner_t expected, clipper_owner_t owner);
static uint64_t clipper_lock_now_ns(void);
static void clipper_lock_wait(clipper_lock_t *lock, clipper_owner_t owner);
static ngx_uint_t clipper_lock_exited(uint32_t pid);
static uint32_t clipper_lock_started(uint32_t pid, uint32_t *flags);


void  (*clipper_lock_waits)(clipper_owner_t holder);


#if (CLIPPER_LOCK_CHECK)

/* the mutex of this process, NULL: none; and the holder that it wrote there */

static clipper_lock_t   *clipper_lock_has;
static clipper_owner_t   clipper_lock_by;

#endif


ngx_uint_t
clipper_lock(clipper_lock_t *lock, clipper_owner_t owner)
{
    if (!clipper_lock_try(lock, 0, owner)) {
        clipper_lock_wait(lock, owner);
    }

#if (CLIPPER_LOCK_CHECK)
    clipper_lock_has = lock;
    clipper_lock_by = owner;
#endif

    if (lock->dirty) {
        return 1;
    }

    __atomic_store_n(&lock->dirty, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    return 0;
}


void
clipper_lock_release(clipper_lock_t *lock)
{
#if (CLIPPER_LOCK_CHECK)
    clipper_lock_has = NULL;
#endif

    __atomic_store_n(&lock->dirty, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELEASE);
}


static ngx_uint_t
clipper_lock_try(clipper_lock_t *lock, clipper_owner_t expected,
    clipper_owner_t owner)
{
    return lock->holder == expected
           && __atomic_compare_exchange_n(&lock->holder, &expected, owner, 0,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}


static void
clipper_lock_wait(clipper_lock_t *lock, clipper_owner_t owner)
{
    uint64_t         since;
    ngx_uint_t       i;
    clipper_owner_t  holder, doubted;
    struct timespec  pause;

    doubted = 0;
    since = 0;

    for ( ;; ) {

        for (i = 0; i < CLIPPER_LOCK_SPIN; i++) {
            if (clipper_lock_try(lock, 0, owner)) {
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

        if (clipper_lock_now_ns() - since < CLIPPER_LOCK_DOUBT) {
            continue;
        }

        /* it cannot be this process: a dead one had its pid, and the lock */

        if (holder == owner || !clipper_lock_alive(holder)) {

            if (clipper_lock_try(lock, holder, owner)) {
                return;
            }

            doubted = 0;
            continue;
        }

        if (clipper_lock_waits) {
            clipper_lock_waits(holder);
        }

        pause.tv_sec = 0;
        pause.tv_nsec = CLIPPER_LOCK_PAUSE;
        (void) nanosleep(&pause, NULL);
    }
}


clipper_owner_t
clipper_lock_self(void)
{
    uint32_t  pid;

    pid = (uint32_t) getpid();

    return (clipper_owner_t) clipper_lock_started(pid, NULL) << 32 | pid;
}


ngx_uint_t
clipper_lock_alive(clipper_owner_t owner)
{
    uint32_t  pid, started, now, flags;

#if (CLIPPER_LOCK_CHECK)

    if (clipper_lock_has && clipper_lock_has->holder == clipper_lock_by) {
        (void) fprintf(stderr, "lock check: %s() with a lock\n", __func__);
        abort();
    }

#endif

    pid = clipper_lock_pid(owner);
    started = (uint32_t) (owner >> 32);

    if (clipper_lock_exited(pid)) {
        return 0;
    }

    now = clipper_lock_started(pid, &flags);

    if (now == 0) {
        return 1;
    }

    /*
     * One that is exiting runs no code of its own any more, and its sockets
     * may be closed for long before it has exited.
     */

    return (started == 0 || now == started)
           && !(flags & CLIPPER_LOCK_EXITING);
}


/* 1: surely no process has this pid */

static ngx_uint_t
clipper_lock_exited(uint32_t pid)
{
    int            fd, n;
    struct pollfd  pfd;

#ifdef SYS_pidfd_open

    fd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0);

    if (fd != -1) {
        pfd.fd = fd;
        pfd.events = POLLIN;

        do {
            pfd.revents = 0;
            n = poll(&pfd, 1, 0);
        } while (n == -1 && errno == EINTR);

        (void) close(fd);

        return n == 1 && (pfd.revents & POLLIN);
    }

    if (errno == ESRCH) {
        return 1;
    }

#endif

    /* without a pidfd a zombie counts as alive until it is reaped */

    return kill((pid_t) pid, 0) == -1 && errno == ESRCH;
}


/*
 * Field 22 of its stat, after a name that may hold anything, and the flags,
 * field 9.  0: not known.
 */

static uint32_t
clipper_lock_started(uint32_t pid, uint32_t *flags)
{
    int         fd;
    char        path[sizeof("/proc/4294967295/stat")], *p,
                text[CLIPPER_LOCK_STAT];
    ssize_t     n;
    ngx_uint_t  field;

    (void) snprintf(path, sizeof(path), "/proc/%u/stat", pid);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    do {
        n = read(fd, text, sizeof(text) - 1);
    } while (n == -1 && errno == EINTR);

    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';
    p = strrchr(text, ')');

    for (field = 2; p && field < 22; field++) {
        if (field == 9 && flags) {
            *flags = (uint32_t) strtoul(p + 1, NULL, 10);
        }

        p = strchr(p + 1, ' ');
    }

    return p ? (uint32_t) strtoull(p + 1, NULL, 10) : 0;
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
clipper_lock_check(clipper_lock_t *lock, clipper_owner_t owner,
    const char *function)
{
    if (lock->holder == owner && lock->dirty) {
        return;
    }

    (void) fprintf(stderr, "lock check: %s() without its lock\n", function);
    abort();
}

#endif


/*
 * A mutex in shared memory that survives the death of its holder.  The word
 * holds the pid of the holder.  A waiter spins for a bounded time, then
 * yields, and after 2 ms asks the kernel whether the holder is alive; if not,
 * it takes the lock over.  The holder sets `dirty` while it changes what the
 * lock guards: a process that gets the lock and finds the mark must repair
 * first, as with a robust mutex (EOWNERDEAD).  No code holds two of these
 * locks.
 */


#ifndef _CLIPPER_LOCK_H_INCLUDED_
#define _CLIPPER_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    volatile uint32_t  holder;       /* pid, 0: free */
    volatile uint32_t  dirty;
} clipper_lock_t;


/*
 * NGX_OK: the lock is held and marked; NGX_BUSY: the same, but a holder died
 * during a change.  Never fails; waits as long as the holder lives.
 */
ngx_int_t clipper_lock(clipper_lock_t *lock, uint32_t pid);

void clipper_lock_release(clipper_lock_t *lock);

/* 1 until the process has exited; a zombie has */
ngx_uint_t clipper_lock_alive(uint32_t pid);


/* in the checked build every `_locked` function checks its mutex */

#if (CLIPPER_LOCK_CHECK)

void clipper_lock_check(clipper_lock_t *lock, uint32_t pid,
    const char *function);

#define clipper_locked(lock, pid)                                             \
    clipper_lock_check(lock, pid, __func__)

#else

#define clipper_locked(lock, pid)

#endif


#endif /* _CLIPPER_LOCK_H_INCLUDED_ */


/*
 * A mutex in shared memory that survives the death of its holder.  The word
 * says which process holds it.  A waiter spins for a bounded time, then
 * yields, and after 2 ms asks the kernel whether the holder is alive; if not,
 * it takes the lock over, else it sleeps between its questions.  The holder
 * sets `dirty` while it changes what the lock guards: a process that gets the
 * lock and finds the mark must repair first, as with a robust mutex
 * (EOWNERDEAD).  No code holds two of these locks.
 */


#ifndef _CLIPPER_LOCK_H_INCLUDED_
#define _CLIPPER_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A process: its pid in the lower half, and above it the time of its start in
 * ticks since boot, as a pid is used again.  0 in the upper half: not known,
 * the pid alone tells.
 */

typedef uint64_t  clipper_owner_t;

#define clipper_lock_pid(owner)  ((uint32_t) (owner))


typedef struct {
    volatile clipper_owner_t  holder;           /* 0: free */
    volatile uint32_t         dirty;
} clipper_lock_t;


/*
 * The lock is held and marked; 1: a holder died during a change, which is to be
 * mended.  Never fails; waits as long as the holder lives.
 */
ngx_uint_t clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);

void clipper_lock_release(clipper_lock_t *lock);

/* this process */
clipper_owner_t clipper_lock_self(void);

/*
 * 0 only if the process certainly runs no more; a zombie does not, nor one
 * that the kernel is ending, nor a process whose pid another one has now.  An
 * answer that is not clear means alive.  It takes some system calls: nobody
 * asks with a mutex held, and the checked build aborts.
 */
ngx_uint_t clipper_lock_alive(clipper_owner_t owner);

/*
 * Called by a waiter, again and again, while a living process keeps the lock;
 * it may end the process.  NULL: nothing to call.
 */
extern void  (*clipper_lock_waits)(clipper_owner_t holder);


/* in the checked build every `_locked` function checks its mutex */

#if (CLIPPER_LOCK_CHECK)

void clipper_lock_check(clipper_lock_t *lock, clipper_owner_t owner,
    const char *function);

#define clipper_locked(lock, owner)                                           \
    clipper_lock_check(lock, owner, __func__)

#else

#define clipper_locked(lock, owner)

#endif


#endif /* _CLIPPER_LOCK_H_INCLUDED_ */


/*
 * Changes of shared memory that happen completely or not at all.
 *
 * A journal is the lock of an area and the old contents of what is being
 * changed.  A process that begins a change saves each piece before its first
 * write.  A process that finds a dead holder restores the saved pieces, the
 * last one first.  So the area is always as of its last commit, whatever its
 * structure, and needs no repair of its own.  This survives the death of a
 * process, not of the machine.
 */


#ifndef _CLIPPER_JOURNAL_H_INCLUDED_
#define _CLIPPER_JOURNAL_H_INCLUDED_


#include "shm/clipper_lock.h"


#define CLIPPER_JOURNAL_SIZE  (24 * 1024)

typedef struct {
    clipper_lock_t           lock;
    uint32_t                 used;              /* bytes; 0: all committed */
    uint32_t                 undone;            /* deaths survived */
    uint32_t                 overflows;         /* pieces not saved */
    uint32_t                 unused;
    u_char                   data[CLIPPER_JOURNAL_SIZE];
} clipper_journal_t;


/* called at the first overflow of an area, without its lock; or NULL */
extern void  (*clipper_journal_overflowed)(void);


/* takes the lock; `base` is where the area is mapped in this process */
void clipper_journal_begin(clipper_journal_t *journal, void *base,
    clipper_owner_t pid);

/*
 * Call it before writing a piece of the area.  A piece that does not fit
 * cannot be restored after a death, and is counted: a large change commits at
 * points where everything is consistent.
 */
void clipper_journal_save(clipper_journal_t *journal, void *base, void *piece,
    size_t len);

void clipper_journal_commit(clipper_journal_t *journal);

/* commits and releases the lock */
void clipper_journal_end(clipper_journal_t *journal);


#if (CLIPPER_LOCK_CHECK)
#define clipper_journal_locked(journal, pid)                                  \
    clipper_locked(&(journal)->lock, pid)
#else
#define clipper_journal_locked(journal, pid)
#endif


#endif /* _CLIPPER_JOURNAL_H_INCLUDED_ */

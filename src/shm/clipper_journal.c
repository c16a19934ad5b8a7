
/*
 * The journal, see the header.  Pieces are stored with their place after them,
 * so that they can be read from the last to the first.
 */


#include "shm/clipper_journal.h"


typedef struct {
    uint32_t  offset;
    uint32_t  len;
} clipper_journal_piece_t;


void  (*clipper_journal_overflowed)(void);

/* the current section of this process is the first to overflow its area */
static ngx_uint_t  clipper_journal_first;


static void  clipper_journal_undo(clipper_journal_t *journal, void *base);


void
clipper_journal_begin(clipper_journal_t *journal,
    void *base, clipper_owner_t pid)
{
    if (clipper_lock(&journal->lock, pid)) {
        clipper_journal_undo(journal, base);
    }
}


/*
 * A process that dies in here leaves `used` unchanged until everything is
 * restored: the next one starts over, and restoring a piece twice does no
 * harm.
 */

static void
clipper_journal_undo(clipper_journal_t *journal, void *base)
{
    size_t                    used;
    clipper_journal_piece_t  *piece;

    used = journal->used;

    while (used) {
        used -= sizeof(clipper_journal_piece_t);
        piece = (clipper_journal_piece_t *) (journal->data + used);

        used -= ngx_align(piece->len, sizeof(uint64_t));
        ngx_memcpy((u_char *) base + piece->offset, journal->data + used,
                   piece->len);
    }

    journal->undone++;

    clipper_journal_commit(journal);
}


void
clipper_journal_save(clipper_journal_t *journal,
    void *base, void *piece, size_t len)
{
    size_t                    used, size;
    clipper_journal_piece_t  *p;

    used = journal->used;
    size = ngx_align(len, sizeof(uint64_t));

    if (used + size + sizeof(clipper_journal_piece_t)
        > CLIPPER_JOURNAL_SIZE)
    {
        if (journal->overflows++ == 0) {
            clipper_journal_first = 1;
        }

        return;
    }

    ngx_memcpy(journal->data + used, piece, len);
    used += size;

    p = (clipper_journal_piece_t *) (journal->data + used);
    p->offset = (uint32_t) ((u_char *) piece - (u_char *) base);
    p->len = (uint32_t) len;
    used += sizeof(clipper_journal_piece_t);

    __atomic_store_n(&journal->used, (uint32_t) used, __ATOMIC_RELEASE);

    /* the piece is written after this only, also as a death would see it */

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}


void
clipper_journal_commit(clipper_journal_t *journal)
{
    __atomic_store_n(&journal->used, 0, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}


void
clipper_journal_end(clipper_journal_t *journal)
{
    clipper_journal_commit(journal);
    clipper_lock_release(&journal->lock);

    if (clipper_journal_first) {
        clipper_journal_first = 0;

        if (clipper_journal_overflowed) {
            clipper_journal_overflowed();
        }
    }
}

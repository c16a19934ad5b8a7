
/*
 * Lessons of processes, see the header.
 */


#include "shm/clipper_state_lesson.h"


static clipper_state_lesson_t *clipper_state_lesson_place_locked(
    clipper_state_table_t *table, clipper_owner_t dead);
static clipper_owner_t clipper_state_lesson_dead(clipper_state_table_t *table);


ngx_int_t
clipper_state_lesson_join(clipper_state_table_t *table)
{
    clipper_owner_t          dead;
    clipper_state_lesson_t  *lesson;
    clipper_state_header_t  *h;

    h = table->header;
    dead = 0;

    /* another process may take the place of the dead one first */

    do {
        clipper_journal_begin(&h->journal, h, table->pid);

        lesson = clipper_state_lesson_place_locked(table, dead);

        if (lesson) {
            clipper_state_save(table, *lesson);
            clipper_state_save(table, h->lessons_taken);

            lesson->owner = table->pid;
            lesson->number = 0;
            lesson->order = ++h->lessons_taken;
        }

        clipper_journal_end(&h->journal);

        dead = lesson ? 0 : clipper_state_lesson_dead(table);

    } while (dead);

    table->lesson = lesson;

    return lesson ? NGX_OK : NGX_DECLINED;
}


/* a free place, or the oldest of this dead process; 0: only a free one */

static clipper_state_lesson_t *
clipper_state_lesson_place_locked(clipper_state_table_t *table,
    clipper_owner_t dead)
{
    ngx_uint_t               i;
    clipper_state_lesson_t  *lesson, *found;

    clipper_state_table_locked(table);

    lesson = table->header->lessons;
    found = NULL;

    for (i = 0; i < CLIPPER_STATE_LESSONS; i++) {
        if (lesson[i].owner == 0) {
            return &lesson[i];
        }

        if (lesson[i].owner == dead
            && (found == NULL || lesson[i].order < found->order))
        {
            found = &lesson[i];
        }
    }

    return found;
}


/*
 * The oldest dead one: the ring of records has likely passed what it marked.
 * The rows are read without the lock, as the kernel is asked: .._place_locked()
 * looks for the owner again.
 */

static clipper_owner_t
clipper_state_lesson_dead(clipper_state_table_t *table)
{
    uint64_t                 after, order, least;
    ngx_uint_t               i;
    clipper_owner_t          owner, next;
    clipper_state_lesson_t  *lesson;

    lesson = table->header->lessons;
    after = 0;

    for ( ;; ) {
        next = 0;
        least = (uint64_t) -1;

        for (i = 0; i < CLIPPER_STATE_LESSONS; i++) {
            order = __atomic_load_n(&lesson[i].order, __ATOMIC_RELAXED);
            owner = __atomic_load_n(&lesson[i].owner, __ATOMIC_RELAXED);

            if (owner && order > after && order < least) {
                next = owner;
                least = order;
            }
        }

        if (next == 0 || !clipper_lock_alive(next)) {
            return next;
        }

        after = least;
    }
}


void
clipper_state_lesson_leave(clipper_state_table_t *table)
{
    clipper_state_header_t  *h;

    if (table->lesson == NULL) {
        return;
    }

    h = table->header;

    clipper_journal_begin(&h->journal, h, table->pid);
    table->lesson->owner = 0;
    clipper_journal_end(&h->journal);

    table->lesson = NULL;
}


void
clipper_state_lesson_note_locked(clipper_state_table_t *table,
    uint64_t number)
{
    clipper_state_table_locked(table);

    if (table->lesson) {
        clipper_state_save(table, table->lesson->number);
        table->lesson->number = number;
    }
}


ngx_uint_t
clipper_state_lesson_done(clipper_state_table_t *table, clipper_owner_t owner,
    uint64_t number)
{
    ngx_uint_t               i, done;
    clipper_state_header_t  *h;

    h = table->header;
    done = 1;

    clipper_journal_begin(&h->journal, h, table->pid);

    for (i = 0; i < CLIPPER_STATE_LESSONS; i++) {
        if (h->lessons[i].owner == owner) {
            done = (h->lessons[i].number >= number);
            break;
        }
    }

    clipper_journal_end(&h->journal);

    return done;
}

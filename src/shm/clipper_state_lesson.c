
/*
 * Lessons of processes, see the header.
 */


#include "shm/clipper_state_lesson.h"


static clipper_state_lesson_t *clipper_state_lesson_place_locked(
    clipper_state_table_t *table);


ngx_int_t
clipper_state_lesson_join(clipper_state_table_t *table)
{
    clipper_state_lesson_t  *lesson;
    clipper_state_header_t  *h;

    h = table->header;

    clipper_journal_begin(&h->journal, h, table->pid);

    lesson = clipper_state_lesson_place_locked(table);

    if (lesson) {
        clipper_state_save(table, *lesson);
        clipper_state_save(table, h->lessons_taken);

        lesson->owner = table->pid;
        lesson->number = 0;
        lesson->order = ++h->lessons_taken;
    }

    clipper_journal_end(&h->journal);

    table->lesson = lesson;

    return lesson ? NGX_OK : NGX_DECLINED;
}


/* the oldest first: the ring of records has likely passed what it marked */

static clipper_state_lesson_t *
clipper_state_lesson_place_locked(clipper_state_table_t *table)
{
    uint64_t                 after;
    ngx_uint_t               i;
    clipper_state_lesson_t  *lesson, *next;

    clipper_state_table_locked(table);

    lesson = table->header->lessons;

    for (i = 0; i < CLIPPER_STATE_LESSONS; i++) {
        if (lesson[i].owner == 0) {
            return &lesson[i];
        }
    }

    after = 0;

    for ( ;; ) {
        next = NULL;

        for (i = 0; i < CLIPPER_STATE_LESSONS; i++) {
            if (lesson[i].order > after
                && (next == NULL || lesson[i].order < next->order))
            {
                next = &lesson[i];
            }
        }

        if (next == NULL || !clipper_lock_alive(next->owner)) {
            return next;
        }

        after = next->order;
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

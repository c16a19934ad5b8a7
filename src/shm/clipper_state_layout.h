
/*
 * How the table of states lies in memory.  For its own files and its tests.
 *
 * All changes go through a journal, so a death takes back one call.
 */


#ifndef _CLIPPER_STATE_LAYOUT_H_INCLUDED_
#define _CLIPPER_STATE_LAYOUT_H_INCLUDED_


#include "shm/clipper_journal.h"
#include "shm/clipper_state_row.h"


#define CLIPPER_STATE_LESSONS  256              /* processes */


/* the last feedback that a process has learned from, by its own number */

typedef struct {
    clipper_owner_t             owner;          /* 0: free */
    uint64_t                    number;
    uint64_t                    order;          /* of those taken */
} clipper_state_lesson_t;


typedef struct {
    clipper_journal_t           journal;
    uint64_t                    source[2];      /* random: this zone to Redis */

    uint32_t                    nrows;          /* with row 0, which is none */
    uint32_t                    ncells;
    uint32_t                    nnames;
    uint32_t                    nbuckets;
    size_t                      rows;           /* offsets */
    size_t                      cells;
    size_t                      names;
    size_t                      buckets;
    size_t                      name_buckets;
    uint64_t                    names_key[2];   /* of their hash */

    struct {
        uint64_t                seq;
        uint32_t                free_rows;      /* lists */
        uint32_t                free_cells;
        uint32_t                free_names;
        uint32_t                rows;           /* in use */
        uint32_t                cells;
        uint32_t                user_rows;
        uint32_t                user_cells;
        uint32_t                count[CLIPPER_STATE_LISTS];
        uint32_t                head[CLIPPER_STATE_LISTS];
        uint32_t                tail[CLIPPER_STATE_LISTS];
    } m;

    /* totals, atomic */
    uint64_t                    sent;
    uint64_t                    dropped;
    uint64_t                    evicted;
    uint64_t                    errors;

    /* a sweep for names, which any process goes on with; hints */
    uint32_t                    sweep_wait;     /* calls until the next one */
    uint32_t                    sweep_phase;    /* 0: none is under way */
    uint32_t                    sweep_row;      /* the next one */
    uint64_t                    sweep_live[CLIPPER_STATE_NAMES / 64];
                                                /* one bit for each name */
    uint32_t                    orphans;        /* whose sender went; atomic */

    /* query ids of the instances on one Redis, see .._state_id.c */
    uint64_t                    ids_key[2];
    uint64_t                    ids_number;     /* 0: none yet; stored last */

    uint64_t                    lessons_taken;
    clipper_state_lesson_t      lessons[CLIPPER_STATE_LESSONS];
} clipper_state_header_t;


/* a process' view */

typedef struct {
    clipper_state_header_t           *header;
    clipper_state_row_t              *rows;
    clipper_state_cell_t             *cells;
    clipper_state_name_t             *names;
    uint32_t                         *buckets;
    uint32_t                         *name_buckets;
    clipper_owner_t                   pid;
    ngx_uint_t                        keep;     /* Redis: dirty rows stay */
    ngx_uint_t                        nameless; /* names were short */
    clipper_state_lesson_t           *lesson;   /* of this process, or NULL */
} clipper_state_table_t;


#define clipper_state_save(table, piece)                                      \
    clipper_journal_save(&(table)->header->journal,                           \
                         (table)->header, &(piece), sizeof(piece))

#define clipper_state_table_locked(table)                                     \
    clipper_journal_locked(&(table)->header->journal, (table)->pid)


#endif /* _CLIPPER_STATE_LAYOUT_H_INCLUDED_ */

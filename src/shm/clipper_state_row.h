
/*
 * A row of the table of states.  For the table's own files and its tests.
 *
 * A row is an application's or a user's.  It has a cell for each member with
 * three vectors that have to be added up:
 *
 *   base      what Redis said last
 *   delta     what has a number, on its way to Redis, until it is known that it
 *             arrived; it is sent again with the same number
 *   pending   what was added since
 *
 * A row is on one list: clean, dirty (to be sent), or sent.  Clean rows of
 * users make room for others, second chance; while there is a Redis that will
 * take them, dirty ones never do.  Users leave a quarter of the table to the
 * applications.
 */


#ifndef _CLIPPER_STATE_ROW_H_INCLUDED_
#define _CLIPPER_STATE_ROW_H_INCLUDED_


#include "shm/clipper_lock.h"
#include "learn/clipper_policy_state.h"


#define CLIPPER_STATE_UID      64               /* bytes */
#define CLIPPER_STATE_NAME     524              /* model:version, app:policy */
#define CLIPPER_STATE_CELLS    128              /* of one row, at most */
#define CLIPPER_STATE_NAMES    2048             /* of all rows, at most */
#define CLIPPER_STATE_FIELDS   CLIPPER_POLICY_FIELDS


/* kinds of rows */

#define CLIPPER_STATE_APP      1
#define CLIPPER_STATE_USER     2
#define CLIPPER_STATE_DIGEST   3                /* a user with a long id */


/* the three vectors */

enum {
    CLIPPER_STATE_BASE = 0,
    CLIPPER_STATE_DELTA,
    CLIPPER_STATE_PENDING,
    CLIPPER_STATE_VECTORS
};


/* lists */

enum {
    CLIPPER_STATE_CLEAN_USER = 0,
    CLIPPER_STATE_CLEAN_APP,
    CLIPPER_STATE_DIRTY_USER,
    CLIPPER_STATE_DIRTY_APP,
    CLIPPER_STATE_SENT,
    CLIPPER_STATE_LISTS
};


typedef struct {
    uint64_t                    key;
    uint32_t                    name;
    uint32_t                    next;           /* of the row, or free list */
    uint32_t                    loaded;         /* base is what Redis said */
    uint32_t                    turn;           /* hint: the row's, when it was
                                                   asked for last */
    double                      v[CLIPPER_STATE_VECTORS]
                                 [CLIPPER_STATE_FIELDS];
} clipper_state_cell_t;


typedef struct {
    uint64_t                    id[2];
    uint32_t                    next;           /* hash chain, or free list */
    uint32_t                    list;
    uint32_t                    list_prev;
    uint32_t                    list_next;
    uint32_t                    cells;          /* chain */
    uint32_t                    ncells;
    uint32_t                    owner;          /* name "app:policy" */
    clipper_owner_t             sender;         /* while it is sent */
    uint32_t                    kind;           /* 0: free */
    uint32_t                    policy;
    uint32_t                    nfields;
    uint32_t                    pending;
    uint64_t                    seq;            /* of the delta; 0: none */
    uint64_t                    acked;          /* last that Redis has */
    double                      head[CLIPPER_STATE_VECTORS]
                                    [CLIPPER_POLICY_ROWS];
    uint32_t                    uid_len;
    u_char                      uid[CLIPPER_STATE_UID];

    /* hints, outside the journal */
    uint32_t                    used;           /* since the clock came by */
    uint32_t                    turn;           /* calls that asked for it */
    uint64_t                    asked_us;       /* Redis, about the base */
} clipper_state_row_t;


typedef struct {
    uint32_t                    refs;
    uint32_t                    next;           /* hash chain, or free list */
    uint32_t                    len;
    u_char                      text[CLIPPER_STATE_NAME];
} clipper_state_name_t;


#endif /* _CLIPPER_STATE_ROW_H_INCLUDED_ */

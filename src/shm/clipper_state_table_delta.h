
/*
 * Deltas of the table of states on their way to Redis, and what comes back.
 */


#ifndef _CLIPPER_STATE_TABLE_DELTA_H_INCLUDED_
#define _CLIPPER_STATE_TABLE_DELTA_H_INCLUDED_


#include "shm/clipper_state_layout.h"
#include "shm/clipper_state_who.h"


/* a delta to send; its names stay in place while it is in progress */

typedef struct {
    uint32_t                    row;
    uint32_t                    kind;
    uint32_t                    policy;
    uint32_t                    nfields;
    uint64_t                    id[2];
    uint64_t                    seq;
    double                      head[CLIPPER_POLICY_ROWS];
    ngx_str_t                   owner;
    size_t                      uid_len;
    u_char                      uid[CLIPPER_STATE_UID];
    uint32_t                    n;
    uint64_t                    key[CLIPPER_STATE_CELLS];
    ngx_str_t                   name[CLIPPER_STATE_CELLS];
    double                      rows[CLIPPER_STATE_CELLS
                                     * CLIPPER_STATE_FIELDS];
} clipper_state_update_t;


/* takes the next delta to send, of applications first; NGX_DECLINED: none */
ngx_int_t clipper_state_table_delta_take(clipper_state_table_t *table,
    clipper_state_update_t *update);

/* it arrived; reply NULL: unknown, it must be sent again */
void clipper_state_table_delta_settle(clipper_state_table_t *table,
    uint32_t row,
    const uint64_t id[2], uint64_t seq, const clipper_state_reply_t *reply,
    uint64_t now_us);

/* processes that have sent something; at most n pids */
ngx_uint_t clipper_state_table_delta_senders(clipper_state_table_t *table,
    clipper_owner_t *pids, ngx_uint_t n);

/* the sender is gone: what it sent must be sent again; 32 rows in one hold */
ngx_uint_t clipper_state_table_delta_release(clipper_state_table_t *table,
    clipper_owner_t pid);

/* rows whose deltas may not be in Redis yet; read without the lock */
ngx_uint_t  clipper_state_table_delta_dirty(clipper_state_table_t *table);

/* those of them that no process is sending */
ngx_uint_t  clipper_state_table_delta_waiting(clipper_state_table_t *table);


/* the base becomes the reply of Redis; a delta that it contains has arrived */
void clipper_state_table_delta_base_locked(clipper_state_table_t *table,
    uint32_t row, const clipper_state_reply_t *reply, uint64_t now_us);


#endif /* _CLIPPER_STATE_TABLE_DELTA_H_INCLUDED_ */

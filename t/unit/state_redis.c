
/*
 * See the header.
 */


#include "state_redis.h"


store_t    stores[USERS];
command_t  commands[COMMANDS];


void
redis_apply(command_t *f)
{
    uint32_t   i, k, m;
    store_t   *s;

    if (f->applied) {
        return;
    }

    f->applied = 1;
    s = &stores[f->id];

    if (!f->question && f->seq > s->last) {
        s->last = f->seq;

        for (i = 0; i < f->n; i++) {
            m = member_of(f->key[i]);

            for (k = 0; k < FIELDS; k++) {
                s->sum[m][k] += f->delta[i * FIELDS + k];
            }
        }
    }

    f->last = s->last;

    for (i = 0; i < f->n; i++) {
        memcpy(&f->answer[i * FIELDS], s->sum[member_of(f->key[i])],
               sizeof(s->sum[0]));
    }
}


void
redis_answer(table_t *t, command_t *f, int lost)
{
    who_t    who;
    reply_t  reply;

    memset(&reply, 0, sizeof(reply));
    reply.last = f->last;
    reply.acked = f->acked;
    reply.n = f->n;
    reply.key = f->key;
    reply.rows = f->answer;

    if (f->question) {
        if (!lost) {
            who_of(&who, f->id, member_of(f->key[0]), f->n);
            (void) clipper_state_table_load(t, &who, &reply, 1);
        }

    } else if (!f->orphan) {
        t->pid = f->pid;
        clipper_state_table_delta_settle(t, f->row, f->hash, f->seq,
                                         lost ? NULL : &reply, 1);
    }

    /* a lost request or reply may still be under way */

    if (lost && !f->applied) {
        f->orphan = 1;

    } else {
        f->used = 0;
    }
}


command_t *
command_new(void)
{
    int  i;

    for (i = 0; i < COMMANDS; i++) {
        if (!commands[i].used) {
            memset(&commands[i], 0, sizeof(command_t));
            commands[i].used = 1;
            return &commands[i];
        }
    }

    return NULL;
}


void
command_take(table_t *t, uint32_t pid)
{
    uint32_t         i;
    command_t       *f;
    static update_t  u;

    f = command_new();

    if (f == NULL) {
        return;
    }

    t->pid = pid;

    if (clipper_state_table_delta_take(t, &u) != NGX_OK) {
        f->used = 0;
        return;
    }

    assert_true(u.n <= MEMBERS && u.seq > 0);
    assert_int_equal(u.owner.len, sizeof("app:thompson") - 1);

    f->pid = pid;
    f->row = u.row;
    f->hash[0] = u.id[0];
    f->hash[1] = u.id[1];
    f->id = (uint32_t) u.id[1];
    f->seq = u.seq;
    f->n = u.n;
    memcpy(f->key, u.key, u.n * sizeof(uint64_t));
    memcpy(f->delta, u.rows, u.n * FIELDS * sizeof(double));

    for (i = 0; i < u.n; i++) {
        assert_int_equal(u.name[i].len, names[member_of(u.key[i])].len);
    }
}


int
state_add(table_t *t, uint32_t id)
{
    int       rc;
    who_t     who;
    double    delta[CLIPPER_POLICY_ROWS + MEMBERS * FIELDS];
    uint32_t  i, k, first, n;

    first = (uint32_t) death_random(2);
    n = MEMBERS - first - (uint32_t) death_random(2);
    who_of(&who, id, first, n);

    memset(delta, 0, sizeof(delta));
    delta[CLIPPER_POLICY_T0] = 1000;

    for (i = 0; i < n * FIELDS; i++) {
        delta[CLIPPER_POLICY_ROWS + i] = (double) death_random(4);
    }

    rc = (int) clipper_state_table_add(t, &who, delta);

    for (i = 0; rc == NGX_OK && i < n; i++) {
        for (k = 0; k < FIELDS; k++) {
            stores[id].total[first + i][k] +=
                              delta[CLIPPER_POLICY_ROWS + i * FIELDS + k];
        }
    }

    return rc;
}

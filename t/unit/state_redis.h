
/*
 * A simulated Redis that loses replies, executes commands late and gives old
 * replies: its data, and the messages between it and the table.
 */


#ifndef _STATE_REDIS_H_INCLUDED_
#define _STATE_REDIS_H_INCLUDED_


#include "state_fixture.h"


#define COMMANDS  64
#define SENDERS   3


/* the data of one id in Redis, and the sum of all that the source added */

typedef struct {
    uint64_t    last;
    double      sum[MEMBERS][FIELDS];
    double      total[MEMBERS][FIELDS];
} store_t;


typedef struct {
    int         used;
    int         question;       /* or an update */
    int         applied;        /* Redis has taken it; the answer is kept */
    int         orphan;         /* its sender no longer waits */
    uint32_t    pid;
    uint32_t    id;
    uint32_t    row;
    uint64_t    hash[2];
    uint64_t    seq;
    uint32_t    n;
    uint64_t    key[MEMBERS];
    double      delta[MEMBERS * FIELDS];
    uint64_t    last;
    uint64_t    acked;
    double      answer[MEMBERS * FIELDS];
} command_t;


extern store_t    stores[USERS];
extern command_t  commands[COMMANDS];


void redis_apply(command_t *f);
void redis_answer(table_t *t, command_t *f, int lost);
command_t *command_new(void);
void command_take(table_t *t, uint32_t pid);
int state_add(table_t *t, uint32_t id);


#endif /* _STATE_REDIS_H_INCLUDED_ */

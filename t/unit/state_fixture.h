
/*
 * A small table of states, and its invariants, whichever process died.
 *
 * Half-lives are off here, so sums are whole numbers and compare exactly.
 */


#ifndef _STATE_FIXTURE_H_INCLUDED_
#define _STATE_FIXTURE_H_INCLUDED_


#include "death.h"
#include "shm/clipper_state_table.h"
#include "shm/clipper_state_table_delta.h"
#include "shm/clipper_state_table_row.h"


#define AREA      (128 * 1024)
#define USERS     150
#define MEMBERS   5
#define FIELDS    2


typedef clipper_state_table_t   table_t;
typedef clipper_state_who_t     who_t;
typedef clipper_state_reply_t   reply_t;
typedef clipper_state_update_t  update_t;


extern const uint64_t   keys[MEMBERS];
extern const ngx_str_t  names[MEMBERS];


table_t table_make(size_t size);

/* id 0 is the application, others its users; n of the members from `first` */
void who_of(who_t *who, uint32_t id, uint32_t first, uint32_t n);
uint32_t member_of(uint64_t key);


/* NULL, or what is wrong with the table */
const char *table_check(table_t *t);

#define table_good(t)                                                         \
    do {                                                                      \
        const char *wrong = table_check(t);                                   \
        if (wrong) {                                                          \
            fail_msg("%s", wrong);                                            \
        }                                                                     \
    } while (0)


#endif /* _STATE_FIXTURE_H_INCLUDED_ */


/*
 * A busy zone and the sections that a worker may die in, for
 * test_zone_death.c.
 */


#ifndef _ZONE_SCENE_H_INCLUDED_
#define _ZONE_SCENE_H_INCLUDED_


#include "zone_fixture.h"
#include "shm/clipper_rebuild.h"


#define IMAGES     24               /* half done, to be repaired half way */

#define ANSWERED   1                /* possible results of an asker */
#define FAILED     2
#define LATE       4


typedef struct {
    uint32_t     name;
    size_t       len;
    uint32_t     waiter;
    uint32_t     gen;
    unsigned     allowed;
    unsigned     held;              /* its letter is already read */
    unsigned     letters;
} asker_t;


typedef struct {
    const char  *name;
    void       (*run)(view_t *v);
    unsigned     allowed;           /* other than answers, for its leases */
} section_t;


extern void     *zone_mem, *copy_mem, *first_mem, *images[IMAGES];
extern unsigned  nimages, since_image;
/* the survivor, the victim, one that died before, one without a row */

extern view_t    s, v, t, n, first;
extern uint32_t  model, rs, rv, rv2, rt, loan_s, loan_v, loan_t;
extern clipper_lease_t  leases_s[2], leases_v[4], leases_t[1];
extern clipper_task_t   tasks[32];
extern asker_t   askers[32];
extern unsigned  naskers, allowed;
extern const char  *section;


/* --- the state in which each section begins --- */


void asks(view_t *w, uint32_t name, size_t len, uint64_t deadline_us);
void scene(void);
void scene_end(void);


/* --- the sections --- */


void submit_short(view_t *w);
void submit_long(view_t *w);
void submit_joins_queued(view_t *w);
void submit_joins_leased(view_t *w);
void leaves(view_t *w);
void takes(view_t *w);
void settles(view_t *w);

/* the second answer to a hedged input, and unsolicited answers */
void settles_twice(view_t *w);
void settles_errors(view_t *w);

/* one has no asker left, one an asker with more time, one was not late */
void settles_skipped(view_t *w);
void loses(view_t *w);
void hedges(view_t *w);
void reads_mail(view_t *w);
void joins(view_t *w);
void joins_moved(view_t *w);
void goes(view_t *w);

/* a replica takes its turn, finishes, goes, and is back */
void moves(view_t *w);
void claims(view_t *w);
void reclaims(view_t *w);
void rebuilds(view_t *w);
void names_models(view_t *w);
void names_apps(view_t *w);
void borrows(view_t *w);


#endif /* _ZONE_SCENE_H_INCLUDED_ */

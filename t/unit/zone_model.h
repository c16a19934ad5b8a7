
/*
 * A plain model of waiters and flights next to a small zone, and the actions
 * of askers: for test_zone_random.c.
 */


#ifndef _ZONE_MODEL_H_INCLUDED_
#define _ZONE_MODEL_H_INCLUDED_


#include "zone_small.h"


#define STEPS     400000
#define REPLICAS  6
#define ASKERS    64                /* at one time */


typedef struct {
    unsigned    used;
    uint32_t    row;
    uint32_t    model;
    uint32_t    name;
    size_t      len;
    unsigned    shared;
    unsigned    queued;
    unsigned    done;               /* has its result */
    unsigned    result;
    unsigned    leases;
    unsigned    waiters;
    unsigned    attempts;
    unsigned    retried;
} flight_t;


typedef struct {
    unsigned    used;
    unsigned    worker;
    unsigned    dropped;
    unsigned    held;               /* letter read, output kept */
    uint32_t    waiter;
    uint32_t    gen;
    uint64_t    deadline;
    flight_t   *flight;
} asker_t;


typedef struct {
    unsigned                  row;  /* 0: none */
    unsigned                  worker;
    uint32_t                  model;
    ngx_uint_t                n;    /* of its batch */
    clipper_lease_t           leases[BATCH];
    flight_t                 *flights[BATCH];
} replica_t;


extern flight_t    flights[ASKERS + REPLICAS * BATCH + 1];
extern asker_t     askers[ASKERS];
extern replica_t   replicas[REPLICAS];
extern unsigned    counts[10];
extern const char * const  count_names[];


void flight_gc(flight_t *f);
unsigned queued_of(uint32_t m);
void step_submit(void);
void asker_ends(asker_t *a);
void step_leave(void);
void step_mail(void);


#endif /* _ZONE_MODEL_H_INCLUDED_ */

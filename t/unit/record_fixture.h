
/*
 * A ring of records, and records that follow from their ids.
 */


#ifndef _RECORD_FIXTURE_H_INCLUDED_
#define _RECORD_FIXTURE_H_INCLUDED_


#include "death.h"
#include "shm/clipper_record.h"


#define RING    (64 * 1024)
#define USERS   5
#define INPUTS  7


typedef clipper_record_t  record_t;

typedef struct {
    clipper_zone_t           zone;
    record_t                 record;
    record_t                 out;
    int                      op;
} call_t;


extern u_char  ring_seed[32];     /* of the rings that are made */


void ring_make(clipper_zone_t *zone, size_t size);

/* all fields of a record follow from its id */
void record_of(record_t *r, uint64_t id);
void record_check(const record_t *got, uint64_t id);


#endif /* _RECORD_FIXTURE_H_INCLUDED_ */

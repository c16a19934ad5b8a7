
/*
 * A small zone with a few workers, so that its tables are often full.
 */


#ifndef _ZONE_SMALL_H_INCLUDED_
#define _ZONE_SMALL_H_INCLUDED_


#include "zone_fixture.h"


#define WORKERS   3
#define NAMES     24                /* of inputs that may be shared */
#define BATCH     6


extern void      *addr;
extern view_t     workers[WORKERS];
extern uint32_t   models[2];
extern uint64_t   now;
extern unsigned   step;


void check(const char *what, unsigned yes);
void zone_start(void);
void zone_stop(void);


#endif /* _ZONE_SMALL_H_INCLUDED_ */

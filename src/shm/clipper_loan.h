
/*
 * Chunks on loan for inputs and outputs that may be long: other processes get
 * the lock between the bites.
 */


#ifndef _CLIPPER_LOAN_H_INCLUDED_
#define _CLIPPER_LOAN_H_INCLUDED_


#include "shm/clipper_table.h"


#define CLIPPER_LOAN_BITE  (256 * 1024)         /* bytes, a chunk's multiple */


/* a chain for len > 0 bytes; 0: the zone is full.  Takes the lock itself */
uint32_t clipper_loan(clipper_zone_t *zone, size_t len);


#endif /* _CLIPPER_LOAN_H_INCLUDED_ */

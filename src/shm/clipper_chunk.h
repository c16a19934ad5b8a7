
/*
 * Payload in shared memory: chains of fixed-size chunks.
 *
 * A worker borrows chunks under the lock, fills them without it, and hands
 * them to a flight under the lock again, so a copy of a large input delays no
 * other worker.  A chain changes hands and is freed in a few stores, however
 * long it is: its first chunk names its owner, and the rebuild frees chains
 * without a living owner.
 */


#ifndef _CLIPPER_CHUNK_H_INCLUDED_
#define _CLIPPER_CHUNK_H_INCLUDED_


#include "shm/clipper_table.h"


/*
 * a chain on loan to the calling worker, for len > 0 bytes; 0: the zone is
 * full.  It takes a step for each chunk: what may be long goes through
 * clipper_loan.h
 */
uint32_t clipper_chunk_borrow_locked(clipper_zone_t *zone, size_t len);

/* adds len > 0 bytes to a chain on loan, or to 0 to begin one, and gives it */
uint32_t clipper_chunk_extend_locked(clipper_zone_t *zone, uint32_t first,
    size_t len);

/* gives the chain to the flight */
void clipper_chunk_own_locked(clipper_zone_t *zone, uint32_t chunk,
    uint32_t flight);

void clipper_chunk_free_locked(clipper_zone_t *zone, uint32_t chunk);

/*
 * the chain must belong to the caller, or to a flight that cannot go meanwhile
 */
void clipper_chunk_write(clipper_zone_t *zone, uint32_t chunk,
    const u_char *data, size_t len);
void clipper_chunk_read(clipper_zone_t *zone,
    uint32_t chunk, u_char *data, size_t len);


#endif /* _CLIPPER_CHUNK_H_INCLUDED_ */

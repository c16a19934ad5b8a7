
/*
 * Payload in shared memory: chains of fixed-size chunks.
 *
 * A worker borrows chunks under the lock, fills them without it, and hands
 * them to a flight under the lock again, so a copy of a large input delays no
 * other worker.  The owner word of a chunk names its owner; the rebuild frees
 * chunks without a living owner.
 */


#ifndef _CLIPPER_CHUNK_H_INCLUDED_
#define _CLIPPER_CHUNK_H_INCLUDED_


#include "shm/clipper_table.h"


/*
 * a chain on loan to the calling worker, for len > 0 bytes; 0: the zone is
 * full
 */
uint32_t clipper_chunk_borrow_locked(clipper_zone_t *zone, size_t len);

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

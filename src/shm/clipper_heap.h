
/*
 * A model's queue: a heap of flights by deadline.
 */


#ifndef _CLIPPER_HEAP_H_INCLUDED_
#define _CLIPPER_HEAP_H_INCLUDED_


#include "shm/clipper_table.h"


void clipper_heap_insert_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, uint32_t flight);
void clipper_heap_remove_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, uint32_t flight);


#endif /* _CLIPPER_HEAP_H_INCLUDED_ */

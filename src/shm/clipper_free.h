
/*
 * The lists of the free rows of the zone's tables.
 */


#ifndef _CLIPPER_FREE_H_INCLUDED_
#define _CLIPPER_FREE_H_INCLUDED_


#include "shm/clipper_table.h"


/*
 * Takes a row from the free list of a table of the zone, named as there; 0: the
 * table is full.
 */
#define clipper_free_take_locked(zone, table, row)                            \
    do {                                                                      \
        clipper_zone_locked(zone);                                            \
        (row) = (zone)->header->table.free;                                   \
        if (row) {                                                            \
            (zone)->header->table.free = (zone)->table[row].next;             \
            (zone)->header->table.used++;                                     \
        }                                                                     \
    } while (0)

#define clipper_free_give_locked(zone, table, row)                            \
    do {                                                                      \
        clipper_zone_locked(zone);                                            \
        (zone)->table[row].next = (zone)->header->table.free;                 \
        (zone)->header->table.free = (row);                                   \
        (zone)->header->table.used--;                                         \
    } while (0)


#endif /* _CLIPPER_FREE_H_INCLUDED_ */

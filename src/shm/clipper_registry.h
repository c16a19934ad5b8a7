
/*
 * Who is there: workers, applications and model versions, by interned
 * names, so that workers with different configurations share them.
 */


#ifndef _CLIPPER_REGISTRY_H_INCLUDED_
#define _CLIPPER_REGISTRY_H_INCLUDED_


#include "shm/clipper_table.h"


/*
 * A row for the calling worker, which becomes its zone->slot; 0: all rows are
 * taken.  clipper_zone_leave_dead() gives back those of dead workers before.
 */
uint32_t clipper_registry_enter_locked(clipper_zone_t *zone,
    const u_char *door, size_t door_len, ngx_str_t *generation, int64_t now);

/*
 * Counts a cycle of nginx that is in force and returns its number, from 1.
 * The master calls it, before it forks the workers.
 */
uint32_t clipper_registry_cycle(clipper_header_t *header);

/* the worker's cycle has begun: it has a row, or ends before it got one */
void clipper_registry_begun_locked(clipper_zone_t *zone);

/* whether the latest cycle has workers that have not begun yet */
ngx_uint_t clipper_registry_awaited(clipper_zone_t *zone);

/* whether a worker is there that does not retire */
ngx_uint_t clipper_registry_staying(clipper_zone_t *zone);

/*
 * whether the latest cycle is still awaited, or a worker of an earlier one has
 * not heard of it: that one does not retire yet, but will
 */
ngx_uint_t clipper_registry_reloading(clipper_zone_t *zone);

/* finds or creates the row of a name; 0: the table is full */
uint32_t  clipper_registry_app_locked(clipper_zone_t *zone, ngx_str_t *name);
uint32_t  clipper_registry_app_find_locked(clipper_zone_t *zone,
    ngx_str_t *name);
uint32_t clipper_registry_model_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version);

/*
 * Whether a new name may have a row that no configuration has: not the last
 * quarter, nor one that a configured name waits for.
 */
ngx_uint_t clipper_registry_stranger_locked(clipper_zone_t *zone);

/* finds the row of a name; 0: there is none */
uint32_t clipper_registry_find_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version);

/*
 * The highest announced version that has a replica, or had one within the
 * grace; without one the highest; 0: none.  `until_us`: when time alone may
 * change this, or 0.
 */
uint32_t clipper_registry_current_locked(clipper_zone_t *zone,
    ngx_str_t *name, uint64_t now_us, uint64_t grace_us, uint64_t *until_us);

/* links models by their names anew, for the rebuild */
void clipper_registry_index_locked(clipper_zone_t *zone);

/* marks the rows that the calling worker's configuration names */
void clipper_registry_pin_locked(clipper_zone_t *zone, uint64_t *map,
    uint32_t row);

/* < 0, 0, > 0, number by number: "1.10" is above "1.9", "b" above "a" */
ngx_int_t clipper_registry_compare(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


#endif /* _CLIPPER_REGISTRY_H_INCLUDED_ */


/*
 * Room in the ring of the prediction cache: its tail passes the oldest entries,
 * but no draft.
 */


#ifndef _CLIPPER_CACHE_ROOM_H_INCLUDED_
#define _CLIPPER_CACHE_ROOM_H_INCLUDED_


#include "shm/clipper_cache_layout.h"


/*
 * Makes room for so many words.  NGX_AGAIN: not with one round of steps;
 * NGX_BUSY: not before a draft is done; NGX_DECLINED: never.  A reserve stays
 * free, so that an entry can be moved before the tail passes it: a lookup
 * meanwhile finds it.
 */
ngx_int_t clipper_cache_room_locked(uint64_t words, ngx_uint_t *evicted);


#endif /* _CLIPPER_CACHE_ROOM_H_INCLUDED_ */

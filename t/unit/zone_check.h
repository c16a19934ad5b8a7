
/*
 * Whether the tables of a zone contradict each other.  zone_check_locked() is
 * for tests; its files share the rest.
 */


#ifndef _ZONE_CHECK_H_INCLUDED_
#define _ZONE_CHECK_H_INCLUDED_


#include "shm/clipper_zone.h"


#define zone_require(cond, what, row)                                         \
    if (!(cond)) {                                                            \
        return zone_check_says(what, row);                                    \
    }


/* NULL, or a text that describes a contradiction */
const char  *zone_check_locked(clipper_zone_t *zone);

/* the text of a contradiction, in one static buffer */
const char  *zone_check_says(const char *what, uint32_t row);

/* each gives NULL or the text */
const char  *zone_check_flights(clipper_zone_t *zone);
const char  *zone_check_hash(clipper_zone_t *zone);
const char  *zone_check_waiters(clipper_zone_t *zone);
const char  *zone_check_lists(clipper_zone_t *zone);
const char  *zone_check_mail(clipper_zone_t *zone);
const char  *zone_check_chunks(clipper_zone_t *zone);


#endif /* _ZONE_CHECK_H_INCLUDED_ */


/*
 * Keeps a log short: of equal messages the first one of a minute is told.
 * Which ones are equal is said by a key; messages of other keys are not held
 * back by it, as long as their number within the minute fits the places.  The
 * message that takes the last place says so in the log.
 */


#ifndef _CLIPPER_LIMITER_H_INCLUDED_
#define _CLIPPER_LIMITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_LIMITER_US      60000000
#define CLIPPER_LIMITER_PLACES  32
#define CLIPPER_LIMITER_LAST    2


/* all zero at the beginning */

typedef struct {
    uint64_t    keys[CLIPPER_LIMITER_PLACES];
    uint64_t    told_us[CLIPPER_LIMITER_PLACES];     /* 0: free */
} clipper_limiter_t;


/*
 * Whether a message is to be logged now: 0 or 1; CLIPPER_LIMITER_LAST if it is,
 * and until a place is a minute old no other key has one.
 */
ngx_uint_t clipper_limiter(clipper_limiter_t *limiter, uint64_t key,
    uint64_t now_us);

/* the end of a message that is logged, empty unless it is the last one */
const char *clipper_limiter_end(ngx_uint_t told);


#endif /* _CLIPPER_LIMITER_H_INCLUDED_ */

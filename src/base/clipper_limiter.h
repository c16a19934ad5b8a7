
/*
 * Keeps a log short: of equal messages the first one of a minute is told.
 * Which ones are equal is said by a key; messages of other keys are not held
 * back by it, as long as their number within the minute fits the places.
 */


#ifndef _CLIPPER_LIMITER_H_INCLUDED_
#define _CLIPPER_LIMITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_LIMITER_US      60000000
#define CLIPPER_LIMITER_PLACES  32


/* all zero at the beginning */

typedef struct {
    uint64_t    keys[CLIPPER_LIMITER_PLACES];
    uint64_t    told_us[CLIPPER_LIMITER_PLACES];     /* 0: free */
} clipper_limiter_t;


/* whether a message is to be logged now */
ngx_uint_t clipper_limiter(clipper_limiter_t *limiter, uint64_t key,
    uint64_t now_us);


#endif /* _CLIPPER_LIMITER_H_INCLUDED_ */

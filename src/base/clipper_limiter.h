
/*
 * Keeps a log short: of the messages with one key, the first in a minute is
 * logged.  A limiter has places for so many keys a minute; the message that
 * takes the last one says so in the log, and other keys wait for a free place.
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
 * Whether the message is to be logged now: 0 or 1; CLIPPER_LIMITER_LAST: it is,
 * and it took the last place.
 */
ngx_uint_t clipper_limiter(clipper_limiter_t *limiter, uint64_t key,
    uint64_t now_us);

/* the end of a message that is logged, empty unless it is the last one */
const char *clipper_limiter_end(ngx_uint_t told);


#endif /* _CLIPPER_LIMITER_H_INCLUDED_ */

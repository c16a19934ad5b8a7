
/*
 * Random numbers for choices, not for secrets: xoshiro256** (Blackman and
 * Vigna).  Nothing here allocates, locks or fails.
 */


#ifndef _CLIPPER_RANDOM_H_INCLUDED_
#define _CLIPPER_RANDOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_RANDOM_SEED  32                 /* bytes */


typedef struct {
    uint64_t                    s[4];
} clipper_random_t;


/* any seed is valid, also an all-zero one */
void clipper_random_init(clipper_random_t *r,
    const u_char seed[CLIPPER_RANDOM_SEED]);
uint64_t clipper_random_u64(clipper_random_t *r);

/* uniform in [0, 1), 53 bits */
double clipper_random_double(clipper_random_t *r);


#endif /* _CLIPPER_RANDOM_H_INCLUDED_ */

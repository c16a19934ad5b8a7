
/*
 * SplitMix64 (Vigna): pseudorandom numbers, the same in each run.
 */


#ifndef _SPLITMIX_H_INCLUDED_
#define _SPLITMIX_H_INCLUDED_


#include <stdint.h>


#define SPLITMIX_STEP  0x9e3779b97f4a7c15


/* the output of SplitMix64 at state x; the next state is x + SPLITMIX_STEP */

static inline uint64_t
splitmix(uint64_t x)
{
    x += SPLITMIX_STEP;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;

    return x ^ (x >> 31);
}


#endif /* _SPLITMIX_H_INCLUDED_ */

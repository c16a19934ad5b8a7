
/*
 * The clocks of the module.  Only the last one can be set.
 */


#ifndef _CLIPPER_CLOCK_H_INCLUDED_
#define _CLIPPER_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* CLOCK_MONOTONIC in microseconds: the same in all processes of a machine */

static ngx_inline uint64_t
clipper_clock_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* seconds since the machine began: the time of learned states and records */

static ngx_inline double
clipper_clock_boot(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_BOOTTIME, &ts);

    return ts.tv_sec + ts.tv_nsec * 1e-9;
}


/* seconds since the epoch */

static ngx_inline double
clipper_clock_wall(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return ts.tv_sec + ts.tv_nsec * 1e-9;
}


#endif /* _CLIPPER_CLOCK_H_INCLUDED_ */


/*
 * The probability that each of n independent Beta variables is the largest,
 * which is how often Thompson sampling serves it.  It takes some 50 us for 5 of
 * them, growing with the square of n up to 24, then with n.
 */


#ifndef _CLIPPER_POLICY_THOMPSON_BEST_H_INCLUDED_
#define _CLIPPER_POLICY_THOMPSON_BEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    double      a;                              /* > 0 */
    double      b;                              /* > 0 */
} clipper_policy_beta_t;


/* n is at most CLIPPER_POLICY_MEMBERS; p gets n values that sum to 1 */
void clipper_policy_thompson_best(const clipper_policy_beta_t *beta,
    ngx_uint_t n, double *p);


#endif /* _CLIPPER_POLICY_THOMPSON_BEST_H_INCLUDED_ */


/*
 * For policies with sums of losses (log weights are -eta times them): the sums
 * of members that took part in different numbers of rounds, and the shares that
 * follow.
 */


#ifndef _CLIPPER_POLICY_SUMS_H_INCLUDED_
#define _CLIPPER_POLICY_SUMS_H_INCLUDED_


#include "learn/clipper_policy_type.h"


/*
 * rounds and cover are fields: in how many rounds a member took part, and for
 * how many of them its sum of losses stands.
 */

typedef struct {
    double                                 eta;
    double                                 haste;     /* eta^2 n of few rounds,
                                                         per ln k */
    double                                 alpha;     /* fixed share */
    ngx_uint_t                             rounds;
    ngx_uint_t                             cover;
    ngx_uint_t                             loss;
} clipper_policy_sums_t;

/*
 * The sums of losses, each standing for all the rounds there were, whose
 * number is returned.  rows: NULL, nothing yet.
 */
double clipper_policy_sums_losses(const clipper_policy_sums_t *sums,
    uint64_t up, ngx_uint_t n, ngx_uint_t nfields, const double *rows,
    double *loss);

/*
 * Shares of the members that are up, and of one more unless it is NULL: p and
 * *more have the sums of losses, and get the shares.
 */
void clipper_policy_sums_shares(const clipper_policy_sums_t *sums,
    uint64_t up, ngx_uint_t n, double rounds, double *p, double *more);


#endif /* _CLIPPER_POLICY_SUMS_H_INCLUDED_ */

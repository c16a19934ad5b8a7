
/*
 * Votes among members that may agree: the winner, the evidence behind an
 * answer, and how often answers with that much evidence were right.
 */


#ifndef _CLIPPER_POLICY_VOTE_H_INCLUDED_
#define _CLIPPER_POLICY_VOTE_H_INCLUDED_


#include "learn/clipper_policy_type.h"


/* nodes of the diagram; between them it is linear */
#define CLIPPER_POLICY_VOTE_NODES  9


/*
 * The first member of the group with the largest weight.  Of equal weights the
 * group of the first member wins.  At least one member has answered.
 */
ngx_uint_t clipper_policy_vote_first(const clipper_policy_answers_t *answers,
    ngx_uint_t n, const double *weights);

/*
 * The weight of a member that errs with this probability: the logarithm of
 * the odds that it is right, which makes the best vote of independent members
 * on two answers; 0 for one that is wrong more often than not.
 */
double clipper_policy_vote_log_odds(double error);

/*
 * How likely an answer would be right if members erred independently of each
 * other, by their log odds: in [0, 1].  `first` is a member that gave it.
 */
double clipper_policy_vote_evidence(const clipper_policy_answers_t *answers,
    ngx_uint_t n, const double *log_odds, ngx_uint_t first);


/*
 * A reliability diagram: rows with the number of answers and of wrong ones
 * near each node of the evidence, the sum of the squares of their parts in it,
 * and of the products with those in the next one.
 */

typedef struct {
    ngx_uint_t                             nfields;
    ngx_uint_t                             count;     /* fields */
    ngx_uint_t                             wrong;
    ngx_uint_t                             square;
    ngx_uint_t                             cross;
} clipper_policy_vote_diagram_t;

/*
 * the probability of being right at this evidence; with few answers, the
 * evidence itself
 */
double clipper_policy_vote_right(const clipper_policy_vote_diagram_t *diagram,
    const double *rows, double evidence);

/* one more answer */
void clipper_policy_vote_learn(const clipper_policy_vote_diagram_t *diagram,
    double *rows, double evidence, double wrong);


#endif /* _CLIPPER_POLICY_VOTE_H_INCLUDED_ */

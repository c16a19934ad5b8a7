
/*
 * Votes, see the header.
 *
 * S. Nitzan, J. Paroush: Optimal Decision Rules in Uncertain Dichotomous Choice
 * Situations, 1982, for the weights.  Members of one application err together
 * more often than by chance, so the evidence is not yet a probability: what it
 * is worth is measured (B. Zadrozny, C. Elkan: Obtaining calibrated probability
 * estimates, ICML 2001).
 *
 * With bins, the many answers with one pattern of votes would decide what the
 * few with another are worth.  So the diagram is the piecewise linear function
 * with the least squares (C. de Boor: A Practical Guide to Splines, 1978),
 * whose normal equations are tridiagonal sums of the answers.  Nodes near few
 * answers are drawn towards what the answers around them say.
 */


#include "learn/clipper_policy_vote.h"
#include <math.h>


/* sums of weights that differ by less are equal */
#define CLIPPER_POLICY_VOTE_EQUAL  1e-12

/* log odds of the first node, and from one to the next */
#define CLIPPER_POLICY_VOTE_LEAST  -1.0
#define CLIPPER_POLICY_VOTE_STEP   0.5

/* answers that those around a node stand for */
#define CLIPPER_POLICY_VOTE_AROUND  25.0

/* answers that the evidence itself stands for */
#define CLIPPER_POLICY_VOTE_PRIOR  1.0

/* fewer than these say too little by themselves */
#define CLIPPER_POLICY_VOTE_ENOUGH  10.0


static ngx_uint_t clipper_policy_vote_group(
    const clipper_policy_answers_t *answers, ngx_uint_t n, ngx_uint_t first,
    const double *weights, double *weight);
static ngx_uint_t clipper_policy_vote_node(double evidence, double *part);


ngx_uint_t
clipper_policy_vote_first(const clipper_policy_answers_t *answers,
    ngx_uint_t n, const double *weights)
{
    double      most, weight;
    ngx_uint_t  best, first, group;

    best = 0;
    most = -1;

    for (group = 0; group < n; group++) {
        first = clipper_policy_vote_group(answers, n, group, weights, &weight);

        if (first < n && weight - most > CLIPPER_POLICY_VOTE_EQUAL) {
            most = weight;
            best = first;
        }
    }

    return best;
}


/* the first member of a group and the weight of all; n: there is none */

static ngx_uint_t
clipper_policy_vote_group(const clipper_policy_answers_t *answers,
    ngx_uint_t n, ngx_uint_t group, const double *weights, double *weight)
{
    ngx_uint_t  first, i;

    first = n;
    *weight = 0;

    for (i = group; i < n; i++) {

        if (!((answers->answered >> i) & 1) || answers->same[i] != group) {
            continue;
        }

        *weight += weights[i];
        first = ngx_min(first, i);
    }

    return first;
}


double
clipper_policy_vote_log_odds(double error)
{
    return (error < 0.5) ? log((1 - error) / error) : 0;
}


/* that none of them is right has the odds of no evidence */

double
clipper_policy_vote_evidence(const clipper_policy_answers_t *answers,
    ngx_uint_t n, const double *log_odds, ngx_uint_t first)
{
    double      own, sum, weight;
    ngx_uint_t  group;

    (void) clipper_policy_vote_group(answers, n, answers->same[first],
                                     log_odds, &own);
    sum = exp(-own);

    for (group = 0; group < n; group++) {
        if (clipper_policy_vote_group(answers, n, group, log_odds, &weight)
            < n)
        {
            sum += exp(weight - own);
        }
    }

    return 1 / sum;
}


/* by log odds: most answers have much evidence */

static ngx_uint_t
clipper_policy_vote_node(double evidence, double *part)
{
    double      x;
    ngx_uint_t  i;

    x = (log(evidence / (1 - evidence)) - CLIPPER_POLICY_VOTE_LEAST)
        / CLIPPER_POLICY_VOTE_STEP;

    /* with all the evidence it is infinite, or NaN */

    if (!(x < CLIPPER_POLICY_VOTE_NODES - 1)) {
        x = CLIPPER_POLICY_VOTE_NODES - 1;
    }

    x = ngx_max(x, 0);
    i = (ngx_uint_t) x;
    i = ngx_min(i, CLIPPER_POLICY_VOTE_NODES - 2);

    *part = x - i;

    return i;
}


/* the part of wrong answers, as near as there are enough */

static double
clipper_policy_vote_near(const clipper_policy_vote_diagram_t *diagram,
    const double *rows, double evidence)
{
    double         count, part, share, wrong, x;
    ngx_uint_t     i, reach;
    const double  *row;

    x = clipper_policy_vote_node(evidence, &part);
    x += part;

    for (reach = 1; /* void */ ; reach++) {
        count = 0;
        wrong = 0;

        for (i = 0; i < CLIPPER_POLICY_VOTE_NODES; i++) {
            share = 1 - fabs(x - i) / reach;

            if (share > 0) {
                row = rows + i * diagram->nfields;
                count += share * row[diagram->count];
                wrong += share * row[diagram->wrong];
            }
        }

        if (count >= CLIPPER_POLICY_VOTE_ENOUGH
            || reach == CLIPPER_POLICY_VOTE_NODES / 2)
        {
            break;
        }
    }

    return (wrong + (1 - evidence) * CLIPPER_POLICY_VOTE_PRIOR)
           / (count + CLIPPER_POLICY_VOTE_PRIOR);
}


/*
 * The part of wrong answers at each node, by elimination.  The matrix is
 * positive definite, so no pivot is 0.
 */

static void
clipper_policy_vote_solve(const clipper_policy_vote_diagram_t *diagram,
    const double *rows, double *wrong)
{
    double         evidence, last, pivot, next[CLIPPER_POLICY_VOTE_NODES];
    ngx_uint_t     i;
    const double  *row;

    last = 0;

    for (i = 0; i < CLIPPER_POLICY_VOTE_NODES; i++) {
        row = rows + i * diagram->nfields;
        evidence = 1 / (1 + exp(-(CLIPPER_POLICY_VOTE_LEAST
                                  + (double) i * CLIPPER_POLICY_VOTE_STEP)));

        pivot = row[diagram->square] + CLIPPER_POLICY_VOTE_AROUND;
        wrong[i] = row[diagram->wrong]
                   + CLIPPER_POLICY_VOTE_AROUND
                     * clipper_policy_vote_near(diagram, rows, evidence);

        if (i) {
            pivot -= last * next[i - 1];
            wrong[i] -= last * wrong[i - 1];
        }

        last = row[diagram->cross];
        next[i] = last / pivot;
        wrong[i] /= pivot;
    }

    for (i = CLIPPER_POLICY_VOTE_NODES - 1; i-- > 0; /* void */) {
        wrong[i] -= next[i] * wrong[i + 1];
    }
}


double
clipper_policy_vote_right(const clipper_policy_vote_diagram_t *diagram,
    const double *rows, double evidence)
{
    double      part, right, wrong[CLIPPER_POLICY_VOTE_NODES];
    ngx_uint_t  i;

    clipper_policy_vote_solve(diagram, rows, wrong);

    i = clipper_policy_vote_node(evidence, &part);
    right = 1 - (1 - part) * wrong[i] - part * wrong[i + 1];

    return ngx_max(ngx_min(right, 1), 0);
}


void
clipper_policy_vote_learn(const clipper_policy_vote_diagram_t *diagram,
    double *rows, double evidence, double wrong)
{
    double  part, *low, *high;

    low = rows + clipper_policy_vote_node(evidence, &part) * diagram->nfields;
    high = low + diagram->nfields;

    low[diagram->square] += (1 - part) * (1 - part);
    low[diagram->cross] += part * (1 - part);
    high[diagram->square] += part * part;

    low[diagram->count] += 1 - part;
    low[diagram->wrong] += (1 - part) * wrong;
    high[diagram->count] += part;
    high[diagram->wrong] += part * wrong;
}

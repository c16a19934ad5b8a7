
/*
 * Sums of losses, see the header.
 */


#include "learn/clipper_policy_sums.h"
#include <math.h>


/* a smaller fraction of the rounds says nothing about a member */
#define CLIPPER_POLICY_COVER_MIN  1e-9


static double clipper_policy_sums_eta(const clipper_policy_sums_t *sums,
    uint64_t up, double rounds);
static double clipper_policy_sums_mean(double eta, uint64_t up, ngx_uint_t n,
    const double *loss, const double *cover);


/*
 * While there are few rounds a larger eta is due, of the order of sqrt(ln k /
 * n), which needs no knowledge of how many there will be (N. Cesa-Bianchi, G.
 * Lugosi: Prediction, Learning, and Games, 2006, 2.3); in the long run it is
 * what was configured.
 */

static double
clipper_policy_sums_eta(const clipper_policy_sums_t *sums, uint64_t up,
    double rounds)
{
    double  few;

    few = (rounds > 0)
          ? sums->haste * log(__builtin_popcountll(up)) / rounds
          : 0;

    return sqrt(sums->eta * sums->eta + few);
}


/*
 * The softmax of -eta times the sums of losses, with a fixed share of it,
 * (1 - alpha) p + alpha / k.
 */

void
clipper_policy_sums_shares(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, double rounds, double *p, double *more)
{
    double      eta, k, last, least, sum;
    ngx_uint_t  i;

    k = __builtin_popcountll(up) + (more ? 1 : 0);
    eta = clipper_policy_sums_eta(sums, up, rounds);

    /* the least is subtracted, so that they cannot all underflow */

    least = more ? *more : INFINITY;

    for (i = 0; i < n; i++) {
        if ((up & ((uint64_t) 1 << i)) && p[i] < least) {
            least = p[i];
        }
    }

    last = more ? exp(-eta * (*more - least)) : 0;
    sum = last;

    for (i = 0; i < n; i++) {
        p[i] = (up & ((uint64_t) 1 << i)) ? exp(-eta * (p[i] - least)) : 0;
        sum += p[i];
    }

    for (i = 0; i < n; i++) {
        if (up & ((uint64_t) 1 << i)) {
            p[i] = (1 - sums->alpha) * p[i] / sum + sums->alpha / k;
        }
    }

    if (more) {
        *more = (1 - sums->alpha) * last / sum + sums->alpha / k;
    }
}


/*
 * The sums of losses, each standing for all the rounds there were.  A member
 * that is new, was without a replica, or was never on time has no losses for
 * some of them; an unknown loss must not look like none, so for those rounds it
 * gets what a member of mean weight has.  Returns the rounds.
 */

double
clipper_policy_sums_losses(const clipper_policy_sums_t *sums, uint64_t up,
    ngx_uint_t n, ngx_uint_t nfields, const double *rows, double *loss)
{
    double      cover[CLIPPER_POLICY_MEMBERS], mean, rounds;
    ngx_uint_t  i, full;

    if (rows == NULL) {
        ngx_memzero(loss, n * sizeof(double));
        return 0;
    }

    rounds = 0;

    for (i = 0; i < n; i++) {
        loss[i] = rows[i * nfields + sums->loss];

        if (rows[i * nfields + sums->rounds] > rounds) {
            rounds = rows[i * nfields + sums->rounds];
        }
    }

    full = 1;

    for (i = 0; i < n; i++) {
        cover[i] = rows[i * nfields + sums->cover];
        cover[i] = (cover[i] < rounds) ? cover[i] / rounds : 1;

        if (cover[i] < 1 && (up & ((uint64_t) 1 << i))) {
            full = 0;
        }
    }

    if (full) {
        return rounds;
    }

    mean = clipper_policy_sums_mean(clipper_policy_sums_eta(sums, up, rounds),
                                    up, n, loss, cover);

    for (i = 0; i < n; i++) {
        loss[i] += (1 - cover[i]) * mean;
    }

    return rounds;
}


/* the sum of losses whose weight is the mean weight of the known members */

static double
clipper_policy_sums_mean(double eta, uint64_t up, ngx_uint_t n,
    const double *loss, const double *cover)
{
    double      min, weight, total;
    ngx_uint_t  i, known;

    known = 0;
    min = 0;

    for (i = 0; i < n; i++) {
        if (!(up & ((uint64_t) 1 << i))
            || cover[i] < CLIPPER_POLICY_COVER_MIN)
        {
            continue;
        }

        if (!known || loss[i] / cover[i] < min) {
            min = loss[i] / cover[i];
        }

        known = 1;
    }

    if (!known) {
        return 0;
    }

    weight = 0;
    total = 0;

    for (i = 0; i < n; i++) {
        if (!(up & ((uint64_t) 1 << i))
            || cover[i] < CLIPPER_POLICY_COVER_MIN)
        {
            continue;
        }

        weight += cover[i] * exp(-eta * (loss[i] / cover[i] - min));
        total += cover[i];
    }

    return min - log(weight / total) / eta;
}

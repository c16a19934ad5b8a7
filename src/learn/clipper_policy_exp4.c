
/*
 * Exp4, Clipper's ensemble (NSDI 2017, 5.2): all members are asked, answers
 * weigh exp(-eta S).  Every loss is seen, so there is nothing to divide by a
 * probability of being drawn: it is Hedge (Y. Freund, R. Schapire, 1997) on
 * decayed sums S, with a fixed share alpha.
 *
 * Such weights find the best member, but a vote may be better than any member.
 * So where answers are voted on, the vote by log odds (clipper_policy_vote.h)
 * is one more member: it has its own sum of losses, and its weight goes to the
 * members by their log odds.
 *
 * The usual fixed share mixes the weights after each round (M. Herbster, M.
 * Warmuth, 1998), which depends on the order.  Here the shares are mixed when
 * they are read, and what lets another member take over is the memory: sums of
 * no more feedbacks than it holds differ by no more either.
 *
 * The loss of a member that missed the deadline is not seen.  So that slowness
 * does not look like quality, each loss that is seen weighs 1 / pi, pi being
 * the member's decayed share of rounds in which it was seen; rounds that still
 * have no losses (a member is new, or never on time) count as those of a member
 * of mean weight.
 *
 * A user's sums are the user's own and the application's, the latter as those
 * of at most kappa rounds.
 */


#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_state.h"
#include "learn/clipper_policy_vote.h"
#include "learn/clipper_policy_sums.h"


enum {
    CLIPPER_POLICY_EXP4_ETA = 0,
    CLIPPER_POLICY_EXP4_ALPHA,
    CLIPPER_POLICY_EXP4_KAPPA
};

enum {
    CLIPPER_POLICY_EXP4_ROUNDS = 0,             /* it was asked */
    CLIPPER_POLICY_EXP4_SEEN,                   /* and was on time */
    CLIPPER_POLICY_EXP4_COVER,                  /* those, each 1 / pi */
    CLIPPER_POLICY_EXP4_LOSS,
    CLIPPER_POLICY_EXP4_FIELDS
};

/* rows after the members' */

enum {
    CLIPPER_POLICY_EXP4_VOTE = 0,
    CLIPPER_POLICY_EXP4_DIAGRAM,
    CLIPPER_POLICY_EXP4_EXTRA = CLIPPER_POLICY_EXP4_DIAGRAM
                                + CLIPPER_POLICY_VOTE_NODES
};

/*
 * the weight of one answer of a member that is hardly ever on time is limited
 */
#define CLIPPER_POLICY_EXP4_PI_MIN  0.05

#define clipper_policy_exp4_row(rows, i)                                      \
    ((rows) + (i) * CLIPPER_POLICY_EXP4_FIELDS)


/* every feedback judges all members, so fewer are needed than for a bandit */

static const clipper_policy_param_t
    clipper_policy_exp4_params[] =
{
    { ngx_string("eta"), CLIPPER_POLICY_NUMBER,
      0.3, 0, 10, 1, 0 },
    { ngx_string("alpha"), CLIPPER_POLICY_NUMBER,
      0.02, 0, 1, 0, 0 },
    { ngx_string("kappa"), CLIPPER_POLICY_NUMBER,
      10, 0, 1e6, 1, 0 },
    { ngx_string("half_life"), CLIPPER_POLICY_HALF_LIFE,
      86400, 0, 1e9, 1, 400 },
    { ngx_null_string, 0, 0, 0, 0, 0, 0 }
};

static const ngx_str_t
    clipper_policy_exp4_extra[CLIPPER_POLICY_EXP4_EXTRA] =
{
    ngx_string("+vote"), ngx_string("+0"), ngx_string("+1"), ngx_string("+2"),
    ngx_string("+3"), ngx_string("+4"), ngx_string("+5"), ngx_string("+6"),
    ngx_string("+7"), ngx_string("+8")
};

static const clipper_policy_vote_diagram_t
    clipper_policy_exp4_diagram =
{
    CLIPPER_POLICY_EXP4_FIELDS, CLIPPER_POLICY_EXP4_ROUNDS,
    CLIPPER_POLICY_EXP4_LOSS, CLIPPER_POLICY_EXP4_SEEN,
    CLIPPER_POLICY_EXP4_COVER
};


/* sums of losses of members and their vote; 0: there is no vote to judge */

static ngx_uint_t
clipper_policy_exp4_losses(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_sums_t *sums,
    double *loss, double *vote, double *rounds)
{
    double         kappa, own, prior, mine[CLIPPER_POLICY_MEMBERS];
    const double  *row;
    ngx_uint_t     i;

    *rounds = clipper_policy_sums_losses(sums, view->up, view->n,
                                         CLIPPER_POLICY_EXP4_FIELDS,
                                         view->app, loss);

    if (view->user) {
        own = clipper_policy_sums_losses(sums, view->up, view->n,
                                         CLIPPER_POLICY_EXP4_FIELDS,
                                         view->user, mine);

        if (own > 0) {
            kappa = conf->param[CLIPPER_POLICY_EXP4_KAPPA];
            prior = (*rounds > kappa) ? kappa / *rounds : 1;
            *rounds = *rounds * prior + own;

            for (i = 0; i < view->n; i++) {
                loss[i] = loss[i] * prior + mine[i];
            }
        }
    }

    if (view->app == NULL) {
        return 0;
    }

    /*
     * users have votes of their own; what a vote is worth is learned from all
     */

    row = clipper_policy_exp4_row(view->app,
                                  view->n + CLIPPER_POLICY_EXP4_VOTE);

    if (row[CLIPPER_POLICY_EXP4_COVER] <= 0) {
        return 0;
    }

    *vote = row[CLIPPER_POLICY_EXP4_LOSS] / row[CLIPPER_POLICY_EXP4_COVER]
            * *rounds;

    return 1;
}


/* 0: nothing is known that tells one member from another */

static ngx_uint_t
clipper_policy_exp4_log_odds(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *odds)
{
    double         count, kappa, loss, prior;
    ngx_uint_t     i, known;
    const double  *row;

    kappa = conf->param[CLIPPER_POLICY_EXP4_KAPPA];
    known = 0;

    for (i = 0; i < view->n; i++) {
        count = 0;
        loss = 0;

        if (view->app) {
            row = clipper_policy_exp4_row(view->app, i);
            count = row[CLIPPER_POLICY_EXP4_COVER];
            loss = row[CLIPPER_POLICY_EXP4_LOSS];
        }

        if (view->user) {
            row = clipper_policy_exp4_row(view->user, i);

            if (row[CLIPPER_POLICY_EXP4_COVER] > 0 && count > kappa) {
                prior = kappa / count;
                count *= prior;
                loss *= prior;
            }

            count += row[CLIPPER_POLICY_EXP4_COVER];
            loss += row[CLIPPER_POLICY_EXP4_LOSS];
        }

        odds[i] = 0;

        if (view->up & ((uint64_t) 1 << i)) {
            odds[i] = clipper_policy_vote_log_odds((1 + loss) / (2 + count));
            known |= (odds[i] > 0);
        }
    }

    return known;
}


static void
clipper_policy_exp4_weights(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, double *weights)
{
    double                 odds[CLIPPER_POLICY_MEMBERS], rounds, sum, vote;
    ngx_uint_t             i;
    clipper_policy_sums_t  sums;

    sums.eta = conf->param[CLIPPER_POLICY_EXP4_ETA];
    sums.haste = 0;
    sums.alpha = conf->param[CLIPPER_POLICY_EXP4_ALPHA];
    sums.rounds = CLIPPER_POLICY_EXP4_ROUNDS;
    sums.cover = CLIPPER_POLICY_EXP4_COVER;
    sums.loss = CLIPPER_POLICY_EXP4_LOSS;

    if (!clipper_policy_exp4_losses(conf, view, &sums, weights, &vote, &rounds)
        || !clipper_policy_exp4_log_odds(conf, view, odds))
    {
        clipper_policy_sums_shares(&sums, view->up, view->n, rounds, weights,
                                   NULL);
        return;
    }

    clipper_policy_sums_shares(&sums, view->up, view->n, rounds, weights,
                               &vote);
    sum = 0;

    for (i = 0; i < view->n; i++) {
        sum += odds[i];
    }

    for (i = 0; i < view->n; i++) {
        weights[i] += vote * odds[i] / sum;
    }
}


/* before there is any feedback: the share of the weights behind it */

static double
clipper_policy_exp4_confidence(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_answers_t *answers,
    ngx_uint_t first, double share)
{
    double         evidence, odds[CLIPPER_POLICY_MEMBERS];
    const double  *row;

    if (view->app == NULL) {
        return share;
    }

    row = clipper_policy_exp4_row(view->app,
                                  view->n + CLIPPER_POLICY_EXP4_VOTE);

    if (row[CLIPPER_POLICY_EXP4_COVER] <= 0) {
        return share;
    }

    (void) clipper_policy_exp4_log_odds(conf, view, odds);

    evidence = clipper_policy_vote_evidence(answers, view->n, odds, first);

    return clipper_policy_vote_right(&clipper_policy_exp4_diagram,
                clipper_policy_exp4_row(view->app,
                                        view->n + CLIPPER_POLICY_EXP4_DIAGRAM),
                evidence);
}


/* being on time depends on the member, not on the user: the application's pi */

static double
clipper_policy_exp4_pi(const clipper_policy_view_t *view, ngx_uint_t i)
{
    double         pi;
    const double  *row;

    if (view->app == NULL) {
        return 1;
    }

    row = clipper_policy_exp4_row(view->app, i);

    pi = (1 + row[CLIPPER_POLICY_EXP4_SEEN])
         / (1 + row[CLIPPER_POLICY_EXP4_ROUNDS]);

    return ngx_max(ngx_min(pi, 1), CLIPPER_POLICY_EXP4_PI_MIN);
}


/* what the vote would have answered, and what was answered, by what is known */

static void
clipper_policy_exp4_judge(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double                    evidence, odds[CLIPPER_POLICY_MEMBERS], *row,
                              weights[CLIPPER_POLICY_MEMBERS];
    ngx_uint_t                first;
    clipper_policy_view_t     then;
    clipper_policy_answers_t  answers;

    then = *view;
    then.up = fb->up;

    answers.answered = fb->answers->answered & fb->seen;
    answers.same = fb->answers->same;

    if (answers.answered == 0) {
        return;
    }

    (void) clipper_policy_exp4_log_odds(conf, &then, odds);

    first = clipper_policy_vote_first(&answers, view->n, odds);

    row = clipper_policy_exp4_row(rows, view->n + CLIPPER_POLICY_EXP4_VOTE);
    row[CLIPPER_POLICY_EXP4_ROUNDS] = 1;
    row[CLIPPER_POLICY_EXP4_SEEN] = 1;
    row[CLIPPER_POLICY_EXP4_COVER] = 1;
    row[CLIPPER_POLICY_EXP4_LOSS] = fb->loss[first];

    clipper_policy_exp4_weights(conf, &then, weights);

    first = clipper_policy_vote_first(&answers, view->n, weights);
    evidence = clipper_policy_vote_evidence(&answers, view->n, odds, first);

    clipper_policy_vote_learn(&clipper_policy_exp4_diagram,
                clipper_policy_exp4_row(rows,
                                        view->n + CLIPPER_POLICY_EXP4_DIAGRAM),
                evidence, fb->loss[first]);
}


/* NGX_DECLINED: no member was up */

static ngx_int_t
clipper_policy_exp4_observe(const clipper_policy_conf_t *conf,
    const clipper_policy_view_t *view, const clipper_policy_feedback_t *fb,
    double *rows)
{
    double      pi, *row;
    uint64_t    bit;
    ngx_uint_t  i;

    if (fb->up == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < view->n; i++) {
        bit = (uint64_t) 1 << i;
        row = clipper_policy_exp4_row(rows, i);

        if (fb->up & bit) {
            row[CLIPPER_POLICY_EXP4_ROUNDS] = 1;
        }

        if (fb->seen & bit) {
            pi = clipper_policy_exp4_pi(view, i);

            row[CLIPPER_POLICY_EXP4_SEEN] = 1;
            row[CLIPPER_POLICY_EXP4_COVER] = 1 / pi;
            row[CLIPPER_POLICY_EXP4_LOSS] = fb->loss[i] / pi;
        }
    }

    if (fb->answers) {
        clipper_policy_exp4_judge(conf, view, fb, rows);
    }

    return NGX_OK;
}


const clipper_policy_t  clipper_policy_exp4 = {
    .name = ngx_string("exp4"),
    .links = 2,
    .flags = CLIPPER_POLICY_ASKS,
    .combine = CLIPPER_POLICY_BY_LOSS,
    .nfields = CLIPPER_POLICY_EXP4_FIELDS,
    .fields = { "rounds", "seen", "cover", "loss" },
    .nextra = CLIPPER_POLICY_EXP4_EXTRA,
    .extra = clipper_policy_exp4_extra,
    .params = clipper_policy_exp4_params,
    .weights = clipper_policy_exp4_weights,
    .observe = clipper_policy_exp4_observe,
    .confidence = clipper_policy_exp4_confidence
};


/*
 * Policies with models that swap their roles and with users of two kinds, and
 * how true their confidence is: `make sweep` writes the tables of
 * docs/learning.md with this program.
 */

#include <stdio.h>

#include "../unit/policy_sim.h"


#define BEFORE   5000
#define AFTER    3000
#define SEEDS    50
#define RUNS     20


static const char  *policies[] = {
    "epsilon_greedy", "ucb", "thompson", "exp3", "exp4"
};

static const double  rates[] = { 0.1, 1, 10, 100, 1000, 10000 };

static double  errors[BEFORE + AFTER];


static void
swap_of(sim_t *sim, double *steady, double *later, ngx_uint_t *followed)
{
    memset(errors, 0, sizeof(errors));
    sim_run(sim, errors);

    *steady = sim_mean(errors, BEFORE / 2, BEFORE);
    *later = sim_mean(errors, BEFORE + 500, BEFORE + 1500);
    *followed = sim_followed(sim, errors);
}


static void
swaps(const char *policy, const char *params)
{
    double       later, steady;
    const char  *p;
    ngx_uint_t   followed, i;

    static const double  error[] = { 0.1, 0.5 }, swapped[] = { 0.5, 0.1 };

    printf("| `%s%s", policy, params[0] ? " " : "");

    for (p = params; *p; p++) {
        printf("%s%c", (*p == '|') ? "\\" : "", *p);
    }

    printf("` |");

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        sim_t  sim = { policy, params, rates[i], 2, error, swapped, BEFORE,
                       AFTER, SEEDS };

        swap_of(&sim, &steady, &later, &followed);

        if (followed >= AFTER) {
            printf(" %.3f, never, %.3f |", steady, later);

        } else {
            printf(" %.3f, %u, %.3f |", steady, (unsigned) followed, later);
        }
    }

    printf("\n");
}


static void
others(const char *policy)
{
    double      later, steady;
    ngx_uint_t  followed, i;

    static const double  error[3][5] = {
        { 0.1, 0.5, 0.5, 0.5, 0.5 },
        { 0.03, 0.08, 0.12, 0.2, 0.4 },
        { 0.15, 0.15, 0.15, 0.15, 0.15 }
    };
    static const double  swapped[3][5] = {
        { 0.5, 0.1, 0.5, 0.5, 0.5 },
        { 0.6, 0.08, 0.12, 0.2, 0.4 },
        { 0.5, 0.15, 0.15, 0.15, 0.15 }
    };

    printf("| `%s` |", policy);

    for (i = 0; i < 3; i++) {
        sim_t  sim = { policy, "", 1, 5, error[i], swapped[i], BEFORE, AFTER,
                       SEEDS };

        swap_of(&sim, &steady, &later, &followed);
        printf(" %.3f, %.3f |", steady, later);
    }

    printf("\n");
}


static void
users(const char *policy)
{
    double      sum[4] = { 0 };
    ngx_uint_t  i, run;

    for (run = 0; run < RUNS; run++) {
        for (i = 0; i < 3; i++) {
            sum[i] += sim_users(policy, "", 2, 0.1, 0.4, 5 << i, run) / RUNS;
        }

        sum[3] += sim_users(policy, "", 1, 0.1, 0.4, 20, run) / RUNS;
    }

    printf("| `%s` | %.3f | %.3f | %.3f | %.3f |\n", policy, sum[0], sum[1],
           sum[2], sum[3]);
}


static void
reliability(const char *params, double memory, ngx_uint_t before,
    double together)
{
    double         gap, n, sigmas;
    ngx_uint_t     i;
    sim_diagram_t  d;

    static const double  error[] = { 0.1, 0.15, 0.2, 0.25, 0.3 };

    sim_t  sim = { "exp4", params, 1, 5, error, error, before, 0, SEEDS };

    memset(&d, 0, sizeof(d));
    sim_reliability(&sim, together, &d);
    n = (double) before * SEEDS;

    printf("| %.0f %% |", 100 * together);

    for (i = 3; i < 10; i++) {
        if (d.n[i] * 1000 >= n) {
            printf(" %.3f, %.3f ± %.3f (%.1f %%) |",
                   d.confidence[i] / d.n[i], d.right[i] / d.n[i],
                   sim_error(&d, i, memory), 100 * d.n[i] / n);
        } else {
            printf(" |");
        }
    }

    gap = sim_unreliable(&d, memory, 0.1, &sigmas);

    printf(" %.3f, %.1f |\n", gap, sigmas);
}


static void
reliabilities(void)
{
    ngx_uint_t  i;

    static const double  together[] = { 0, 0.3, 0.7 };

    printf("\n## Confidence\n"
           "`exp4` with five models that err in 10, 15, 20, 25 and 30 %% of "
           "the answers, a part of\nthese errors together. Answers are binned "
           "by their confidence. A cell has the mean\nconfidence, the share "
           "of right answers with the standard error of what the policy "
           "can\nknow of it, since its memory holds 577 answers in all, and "
           "the share of all answers in\nthe bin, for bins with at least one "
           "answer in a thousand. The last column is the largest\ndifference "
           "in a bin whose standard error is 0.1 or less, and in any bin the "
           "largest in\nstandard errors.\n\n"
           "| together | 0.3 | 0.4 | 0.5 | 0.6 | 0.7 | 0.8 | 0.9 | largest "
           "|\n|---|---|---|---|---|---|---|---|---|\n");

    for (i = 0; i < 3; i++) {
        reliability("", 400 / log(2), BEFORE, together[i]);
    }

    printf("\nThe same with `half_life=off|4000`, a memory of 5 771 "
           "answers, over 30 000 feedbacks: rare\nanswers are known better.\n\n"
           "| together | 0.3 | 0.4 | 0.5 | 0.6 | 0.7 | 0.8 | 0.9 | largest "
           "|\n|---|---|---|---|---|---|---|---|---|\n");

    for (i = 0; i < 3; i++) {
        reliability("half_life=off|4000", 4000 / log(2), BEFORE * 6,
                    together[i]);
    }
}


static void
swap_tables(void)
{
    ngx_uint_t  i;

    printf("## Two models swap their roles\n"
           "One model errs in 10 %% of its answers, the other in 50 %%; after "
           "%d queries they swap.\nEach query gets its feedback at once; the "
           "column gives the feedbacks per second. A cell\nhas the error in "
           "the second half before the swap, the number of feedbacks after "
           "which\nthe error stays below the mean of the two models, and the "
           "error from 500 to 1 500\nfeedbacks after the swap. Means of "
           "%d runs.\n\n| policy | 0.1 | 1 | 10 | 100 | 1 000 | 10 000 |\n"
           "|---|---|---|---|---|---|---|\n", BEFORE, SEEDS);

    for (i = 0; i < 5; i++) {
        swaps(policies[i], "");
    }

    printf("\nThe same with a memory by the clock alone:\n\n"
           "| policy | 0.1 | 1 | 10 | 100 | 1 000 | 10 000 |\n"
           "|---|---|---|---|---|---|---|\n");

    for (i = 0; i < 5; i++) {
        swaps(policies[i], (i == 4) ? "half_life=15m" : "half_life=1h");
    }

    printf("\nOther memories in feedbacks. Longer ones follow later, shorter "
           "ones cost more error:\n\n"
           "| policy | 0.1 | 1 | 10 | 100 | 1 000 | 10 000 |\n"
           "|---|---|---|---|---|---|---|\n");

    for (i = 0; i < 5; i++) {
        swaps(policies[i], "half_life=1d|100");
        swaps(policies[i], "half_life=1d|2000");
    }
}


int
main(void)
{
    ngx_uint_t  i;

    swap_tables();

    printf("\n## Five models\n"
           "One feedback a second. A cell has the error before the best (or "
           "first) model breaks, and\nfrom 500 to 1 500 feedbacks after "
           "that. All wrong answers are equal, the hardest case\nfor a "
           "vote.\n\n"
           "| policy | 0.1 and four of 0.5, swap | 0.03, 0.08, 0.12, 0.2, "
           "0.4, the first to 0.6 | all 0.15, one to 0.5 |\n"
           "|---|---|---|---|\n");

    for (i = 0; i < 5; i++) {
        others(policies[i]);
    }

    printf("\n## Users of two kinds\n"
           "1 000 users take turns. For half of them one model errs in 10 "
           "%% and the other in 40 %%;\nfor the rest it is the other way "
           "round. A cell has the error of a user's next query\nafter 5, 10 "
           "and 20 labels, and after 20 if all users are of one kind. Means "
           "of %d runs.\n\n| policy | 5 | 10 | 20 | 20, one kind |\n"
           "|---|---|---|---|---|\n", RUNS);

    for (i = 0; i < 5; i++) {
        users(policies[i]);
    }

    reliabilities();

    return 0;
}

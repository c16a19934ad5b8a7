
/*
 * Catches: a policy that does not follow with its defaults when models swap
 * their roles, at any rate of feedback, or that costs too much error; one that
 * does not learn users, or much too slowly; a confidence that is not a
 * probability.  t/bench/sweep.c writes tables of the same runs.
 */

#include "policy_sim.h"


#define GOOD     0.1
#define BAD      0.5
#define BEFORE   5000
#define AFTER    1500
#define SEEDS    20
#define RUNS     20


static const char  *policies[] = {
    "epsilon_greedy", "ucb", "thompson", "exp3", "exp4"
};

static double  errors[BEFORE + AFTER];


static void
test_follows_a_swap_at_any_rate(void **state)
{
    double      later, steady;
    ngx_uint_t  followed, i, k;

    static const double  rates[] = { 0.1, 10, 10000 };
    static const double  error[] = { GOOD, BAD }, swapped[] = { BAD, GOOD };

    for (i = 0; i < 5; i++) {
        for (k = 0; k < 3; k++) {
            sim_t  sim = { policies[i], "", rates[k], 2, error, swapped,
                           BEFORE, AFTER, SEEDS };

            memset(errors, 0, sizeof(errors));
            sim_run(&sim, errors);

            steady = sim_mean(errors, BEFORE / 2, BEFORE);
            later = sim_mean(errors, BEFORE + 500, BEFORE + AFTER);
            followed = sim_followed(&sim, errors);

            print_message("%-15s %6g/s steady %.4f, followed after %3u, "
                          "then %.4f\n", policies[i], rates[k], steady,
                          (unsigned) followed, later);

            assert_true(steady <= GOOD + 0.01);
            assert_true(followed <= 500);
            assert_true(later <= GOOD + 0.02);
        }
    }
}


/* the reason for the count: the same by the clock alone */

static void
test_time_alone_does_not_follow(void **state)
{
    static const double  error[] = { GOOD, BAD }, swapped[] = { BAD, GOOD };

    sim_t  sim = { "exp4", "half_life=15m", 1000, 2, error, swapped, BEFORE,
                   AFTER, 2 };

    memset(errors, 0, sizeof(errors));
    sim_run(&sim, errors);
    assert_true(sim_mean(errors, BEFORE + 500, BEFORE + AFTER) > 0.4);
}


/* a memory of a few hundred feedbacks, by time: UCB1 had 0.183 here */

static void
test_ucb_with_a_short_memory(void **state)
{
    static const double  error[] = { GOOD, BAD };

    sim_t  sim = { "ucb", "half_life=5m", 1, 2, error, error, BEFORE, 0, 20 };

    memset(errors, 0, sizeof(errors));
    sim_run(&sim, errors);
    assert_true(sim_mean(errors, BEFORE / 2, BEFORE) < 0.112);
}


static void
test_users_of_two_kinds(void **state)
{
    double      one, two;
    ngx_uint_t  i, run;

    for (i = 0; i < 5; i++) {
        one = 0;
        two = 0;

        for (run = 0; run < RUNS; run++) {
            two += sim_users(policies[i], "", 2, 0.1, 0.4, 20, run) / RUNS;
            one += sim_users(policies[i], "", 1, 0.1, 0.4, 20, run) / RUNS;
        }

        print_message("%-15s after 20 feedbacks %.4f, of one kind %.4f\n",
                      policies[i], two, one);

        assert_true(two < 0.15);
        assert_true(one < 0.115);
    }
}


/* a long memory knows rare answers, too: its confidence is as exact */

static void
assert_exact(const double *error, double together)
{
    double         gap, sigmas;
    sim_diagram_t  d;

    sim_t  sim = { "exp4", "half_life=off|4000", 1, 5, error, error,
                   BEFORE * 6, 0, 10 };

    memset(&d, 0, sizeof(d));
    sim_reliability(&sim, together, &d);
    gap = sim_unreliable(&d, 4000 / log(2), 0.1, &sigmas);

    print_message("%.1f, a long memory: at most %.3f off, %.2f standard"
                  " errors\n", together, gap, sigmas);
    assert_true(gap <= 0.05);
    assert_true(sigmas <= 1.5);
}


/* two answers: independent models, and models that fail together */

static void
test_confidence_is_a_probability(void **state)
{
    double         gap, sigmas;
    ngx_uint_t     i, k;
    sim_diagram_t  d;

    static const double  error[] = { 0.1, 0.15, 0.2, 0.25, 0.3 };
    static const double  together[] = { 0, 0.3, 0.7 };

    for (i = 0; i < 3; i++) {
        sim_t  sim = { "exp4", "", 1, 5, error, error, BEFORE, 0, 10 };

        memset(&d, 0, sizeof(d));
        sim_reliability(&sim, together[i], &d);
        gap = sim_unreliable(&d, 400 / log(2), 0.1, &sigmas);

        for (k = 0; k < 10; k++) {
            if (d.n[k]) {
                print_message("%.1f: said %.3f, right %.3f of %u, %.3f\n",
                              together[i], d.confidence[k] / d.n[k],
                              d.right[k] / d.n[k], (unsigned) d.n[k],
                              sim_error(&d, k, 400 / log(2)));
            }
        }

        print_message("%.1f: at most %.3f off, %.2f standard errors\n",
                      together[i], gap, sigmas);
        assert_true(gap <= 0.05);
        assert_true(sigmas <= 1.5);

        assert_exact(error, together[i]);
    }
}


/* a vote by log odds beats its best member, if errors are not common */

static void
test_vote_beats_the_best_member(void **state)
{
    double  error;

    static const double  alike[] = { 0.15, 0.15, 0.15, 0.15, 0.15 };
    static const double  one[] = { 0.05, 0.3, 0.3, 0.3, 0.3 };

    sim_t  sim = { "exp4", "", 1, 5, alike, alike, BEFORE, 0, 10 };

    memset(errors, 0, sizeof(errors));
    sim_run(&sim, errors);
    error = sim_mean(errors, BEFORE / 2, BEFORE);
    assert_true(error < 0.05);                  /* 0.027 of five equal votes */

    sim.error = one;
    memset(errors, 0, sizeof(errors));
    sim_run(&sim, errors);
    error = sim_mean(errors, BEFORE / 2, BEFORE);
    assert_true(error < 0.05);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_follows_a_swap_at_any_rate),
        cmocka_unit_test(test_time_alone_does_not_follow),
        cmocka_unit_test(test_ucb_with_a_short_memory),
        cmocka_unit_test(test_users_of_two_kinds),
        cmocka_unit_test(test_confidence_is_a_probability),
        cmocka_unit_test(test_vote_beats_the_best_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: users that start from zero, or do not differ from the application;
 * new, late and absent members that look good because they have no losses.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


static uint64_t  seed = 11;


static double
uniform(void)
{
    return clipper_policy_draw_uniform(clipper_policy_draw_mix(&seed));
}


/* feedbacks in which each member but `late` has the given mean loss */

static void
rounds(policy_fixture_t *f, ngx_uint_t n, const double *mean,
    const double *on_time)
{
    double      losses[K_MAX];
    uint64_t    seen;
    ngx_uint_t  i;

    while (n--) {
        seen = 0;

        for (i = 0; i < f->view.n; i++) {
            losses[i] = uniform() < mean[i];

            if (uniform() < on_time[i] && (f->view.up >> i & 1)) {
                seen |= 1ULL << i;
            }
        }

        fixture_read(f, 0);
        assert_int_equal(fixture_seen(f, seen, losses), NGX_OK);
        fixture_learn(f);
        f->now += 1;
    }

    fixture_read(f, 0);
}


static double
loss_rate(policy_fixture_t *f, ngx_uint_t i)
{
    double  *row;

    row = fixture_row(f, f->app, i);

    return row[3] / row[0];
}


/* equal members, one of them on time in a third of the rounds */

static void
test_slow_member_is_not_good(void **state)
{
    double            w[K_MAX];
    policy_fixture_t  f;

    static const double  mean[] = { 0.3, 0.3, 0.3 };
    static const double  on_time[] = { 1, 1, 0.33 };

    fixture_init(&f, "exp4", 3, "eta=0.01 half_life=off");
    rounds(&f, 20000, mean, on_time);

    assert_close(loss_rate(&f, 0), 0.3, 0.02);
    assert_close(loss_rate(&f, 2), 0.3, 0.02);

    /* so slow a learning rate that the members stay alike */

    f.conf.param[0] = 0.0005;
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[2] / w[0], 1, 0.2);

    /* slow and worse: it must weigh less, although it lost less in sum */

    fixture_init(&f, "exp4", 3, "eta=0.01 half_life=off");
    rounds(&f, 3000, (double[]) { 0.3, 0.3, 0.6 }, on_time);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_true(w[2] < 0.05);
}


/* never seen, so unknown: never more than the mean weight */

static void
test_never_on_time_is_not_the_best(void **state)
{
    double            w[K_MAX];
    policy_fixture_t  f;

    static const double  mean[] = { 0.1, 0.5, 0.5, 0 };
    static const double  on_time[] = { 1, 1, 1, 0 };

    fixture_init(&f, "exp4", 4, "half_life=1000s");
    rounds(&f, 5000, mean, on_time);

    clipper_policy_weights(&f.conf, &f.view, w);
    assert_true(w[0] > 0.7);
    assert_close(w[3], (w[0] + w[1] + w[2]) / 3, 0.01);

    /* no member was on time: the policy still learns that they were late */

    assert_int_equal(fixture_seen(&f, 0, mean), NGX_OK);
    assert_close(fixture_row(&f, f.delta, 0)[0], 1, 0);
    assert_close(fixture_row(&f, f.delta, 0)[1], 0, 0);
}


/* a member joins: the mean weight at first, then its own */

static void
test_new_member_starts_at_the_mean_weight(void **state)
{
    double            w[K_MAX];
    ngx_uint_t        i;
    policy_fixture_t  f;

    static const double  mean[] = { 0.2, 0.25, 0.6, 0.05 };
    static const double  on_time[] = { 1, 1, 1, 1 };

    fixture_init(&f, "exp4", 4, "half_life=1000s");
    f.view.up = 7;
    rounds(&f, 3000, mean, on_time);

    f.view.up = 15;
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[3], (w[0] + w[1] + w[2]) / 3, 0.01);

    rounds(&f, 1500, mean, on_time);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_true(w[3] > 0.9);

    /* the same for a member that every bandit feedback misses */

    fixture_init(&f, "exp3", 3, "half_life=1000s alpha=0");
    f.view.up = 3;

    for (i = 0; i < 2000; i++) {
        fixture_read(&f, 0);
        fixture_served(&f, i % 2, 0.5, 0.3);
        fixture_learn(&f);
        f.now += 1;
    }

    f.view.up = 7;
    fixture_read(&f, 0);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[2], (w[0] + w[1]) / 2, 1e-9);
}


static void
learned(policy_fixture_t *f, double *state, ngx_uint_t i, ngx_uint_t n,
    double loss)
{
    while (n--) {
        fixture_served(f, i, 0.5, loss);
        clipper_policy_state_add(state, f->delta, f->size);
    }
}


/* a user without feedback is served like the application's users */

static void
test_new_user_starts_from_the_application(void **state)
{
    double            mine[K_MAX], w[K_MAX];
    ngx_uint_t        i, k;
    policy_fixture_t  f;

    static const char  *names[] = { "exp3", "exp4", "epsilon_greedy", "ucb",
                                    "thompson" };
    double              losses[3];

    for (i = 0; i < 5; i++) {
        fixture_init(&f, names[i], 3, "");

        for (k = 0; k < 50; k++) {
            losses[0] = 0.3;
            losses[1] = 0.2;
            losses[2] = 0.9;

            if (i == 1) {
                fixture_seen(&f, 7, losses);

            } else {
                fixture_served(&f, k % 3, 0.4, losses[k % 3]);
            }

            fixture_learn(&f);
        }

        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, w);
        fixture_read(&f, 1);
        clipper_policy_weights(&f.conf, &f.view, mine);

        for (k = 0; k < 3; k++) {
            assert_close(mine[k], w[k], 1e-12);
        }

        assert_true(w[1] > w[2]);
    }
}


/* a user that the best member of all serves badly gets another, even in a
   large application, and other users are not affected */

static void
test_user_departs_from_the_application(void **state)
{
    double            app[K_MAX], mine[K_MAX];
    ngx_uint_t        i;
    policy_fixture_t  f;

    static const char  *names[] = { "exp3", "epsilon_greedy", "ucb",
                                    "thompson" };

    for (i = 0; i < 4; i++) {
        fixture_init(&f, names[i], 2, "half_life=off");

        learned(&f, f.app, 0, 50000, 0.1);
        learned(&f, f.app, 1, 50000, 0.6);
        learned(&f, f.user, 0, 40, 1);
        learned(&f, f.user, 1, 40, 0);

        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, app);
        fixture_read(&f, 1);
        clipper_policy_weights(&f.conf, &f.view, mine);

        assert_true(app[0] > 0.9);
        assert_true(mine[1] > 0.9);
    }
}


/* own Beta counts start at kappa times the application's mean */

static void
test_thompson_shrinks_by_kappa(void **state)
{
    double            direct[K_MAX], w[K_MAX];
    policy_fixture_t  f, g;

    fixture_init(&f, "thompson", 2, "half_life=off kappa=20");
    fixture_row(&f, f.app, 0)[0] = 39;          /* Beta(40, 60) */
    fixture_row(&f, f.app, 0)[1] = 59;
    fixture_row(&f, f.app, 1)[0] = 4;           /* Beta(5, 5) */
    fixture_row(&f, f.app, 1)[1] = 4;
    learned(&f, f.user, 1, 3, 0);
    fixture_read(&f, 1);
    clipper_policy_weights(&f.conf, &f.view, w);

    /* 20 times the mean, the own 3 wins, three times: Beta(24, 36), (39, 30) */

    fixture_init(&g, "thompson", 2, "half_life=off");
    fixture_row(&g, g.app, 0)[0] = 23;
    fixture_row(&g, g.app, 0)[1] = 35;
    fixture_row(&g, g.app, 1)[0] = 38;
    fixture_row(&g, g.app, 1)[1] = 29;
    fixture_read(&g, 0);
    clipper_policy_weights(&g.conf, &g.view, direct);

    assert_close(w[0], direct[0], 1e-9);
    assert_close(w[1], direct[1], 1e-9);
}


/* a mean of few observations does not count as one of kappa */

static void
test_prior_is_no_more_than_was_seen(void **state)
{
    clipper_policy_counts_t  counts;
    policy_fixture_t         f;

    fixture_init(&f, "ucb", 2, "half_life=off");
    learned(&f, f.app, 0, 4, 0.5);
    learned(&f, f.app, 1, 400, 0.25);
    learned(&f, f.user, 1, 2, 1);
    fixture_read(&f, 1);

    clipper_policy_state_counts(f.conf.policy, &f.view, 10, 0, &counts);
    assert_close(counts.count, 4, 1e-12);
    assert_close(counts.loss, 2, 1e-12);

    clipper_policy_state_counts(f.conf.policy, &f.view, 10, 1, &counts);
    assert_close(counts.count, 12, 1e-12);
    assert_close(counts.loss, 4.5, 1e-12);
}


/* a user's worst member keeps a share, so it can come back */

static void
test_user_shares_have_a_floor(void **state)
{
    double            w[K_MAX];
    policy_fixture_t  f;

    fixture_init(&f, "exp3", 3, "alpha=0.03 half_life=off");
    fixture_row(&f, f.user, 0)[0] = 1e12;       /* served, lost */
    fixture_row(&f, f.user, 0)[1] = 1e12;
    fixture_row(&f, f.user, 1)[0] = 1e12;
    fixture_row(&f, f.user, 1)[1] = 1e12 - 1e6;
    fixture_row(&f, f.user, 2)[0] = 1e12;
    fixture_row(&f, f.app, 2)[3] = 1e12;
    fixture_read(&f, 1);
    clipper_policy_weights(&f.conf, &f.view, w);

    assert_close(w[0], 0.01, 1e-12);
    assert_close(w[1], 0.01, 1e-12);
    assert_close(w[2], 0.98, 1e-12);

    /* without a fixed share an underflow must not spoil the other shares */

    f.conf.param[1] = 0;
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[0], 0, 1e-12);
    assert_close(w[2], 1, 1e-12);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_slow_member_is_not_good),
        cmocka_unit_test(test_never_on_time_is_not_the_best),
        cmocka_unit_test(test_new_member_starts_at_the_mean_weight),
        cmocka_unit_test(test_new_user_starts_from_the_application),
        cmocka_unit_test(test_user_departs_from_the_application),
        cmocka_unit_test(test_thompson_shrinks_by_kappa),
        cmocka_unit_test(test_prior_is_no_more_than_was_seen),
        cmocka_unit_test(test_user_shares_have_a_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

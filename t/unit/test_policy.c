
/*
 * Catches: wrong formulas of each policy in small examples, members without a
 * replica that are asked or counted, and the errors of the original code:
 * credit for a new draw, a reward's bound and ln k in UCB, late members that
 * look good.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


#define DRAWS  200000


static uint64_t  seed = 7;


/* the shares of members in many selections */

static void
frequencies(policy_fixture_t *f, double *share)
{
    ngx_uint_t  i;

    memset(share, 0, K_MAX * sizeof(double));

    for (i = 0; i < DRAWS; i++) {
        assert_int_equal(fixture_select(f, clipper_policy_draw_mix(&seed)),
                         NGX_OK);
        assert_int_equal(f->pick.ask, 1ULL << f->pick.serve);
        share[f->pick.serve] += 1.0 / DRAWS;
    }
}


/* the last two fields of a member */

static double *
last_of(policy_fixture_t *f, double *state, ngx_uint_t i)
{
    return fixture_row(f, state, i) + f->conf.policy->nfields - 2;
}


static void
set_row(policy_fixture_t *f, double *state, ngx_uint_t i, double x, double y)
{
    double  *row;

    row = last_of(f, state, i);
    row[0] = x;
    row[1] = y;
}


/* in all policies: a member without a replica is not asked */

static void
test_members_without_replica(void **state)
{
    double                   sum, w[K_MAX];
    ngx_uint_t               i, k, n;
    policy_fixture_t         f;
    const clipper_policy_t  *policy;

    for (i = 0; (policy = clipper_policy_table_get(i)); i++) {
        fixture_init(&f, (char *) policy->name.data, 5, "");
        fixture_read(&f, 0);

        f.view.up = 0;
        assert_int_equal(fixture_select(&f, 1), NGX_DECLINED);

        f.view.up = 0x16;                       /* 1, 2, 4 */

        for (n = 0; n < 1000; n++) {
            fixture_select(&f, clipper_policy_draw_mix(&seed));
            assert_true(f.pick.ask != 0);
            assert_int_equal(f.pick.ask & ~f.view.up, 0);
        }

        clipper_policy_weights(&f.conf, &f.view, w);

        for (k = 0, sum = 0; k < 5; k++) {
            assert_true(w[k] >= 0);
            assert_true((f.view.up >> k & 1) || w[k] == 0);
            sum += w[k];
        }

        assert_close(sum, 1, 1e-12);

        f.view.up = 0x10;
        fixture_select(&f, 5);
        assert_int_equal(f.pick.ask, 0x10);

        if (policy->combine == CLIPPER_POLICY_SERVE) {
            assert_int_equal(f.pick.serve, 4);

        } else {
            assert_int_equal(f.pick.serve, ALL);
            assert_close(f.pick.propensity, NONE, 0);
        }
    }
}


static void
test_first(void **state)
{
    policy_fixture_t  f;

    fixture_init(&f, "first", 3, "");
    fixture_read(&f, 0);
    fixture_select(&f, ~0ULL);
    assert_int_equal(f.pick.serve, 0);
    assert_close(f.pick.propensity, 1, 0);

    f.view.up = 6;
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 1);

    assert_int_equal(fixture_served(&f, 0, 1, 1), NGX_DECLINED);
}


static void
test_split_by_weights(void **state)
{
    double            share[K_MAX];
    policy_fixture_t  f;

    fixture_init(&f, "split", 3, "");
    fixture_read(&f, 0);
    f.weight[0] = 90;
    f.weight[1] = 9;

    frequencies(&f, share);
    assert_close(share[0], 0.90, 0.005);
    assert_close(share[1], 0.09, 0.005);
    assert_close(share[2], 0.01, 0.002);

    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 0);
    assert_close(f.pick.propensity, 0.9, 1e-15);

    /* the propensity is that among the members that are up */

    f.view.up = 6;
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 1);
    assert_close(f.pick.propensity, 0.9, 1e-15);
}


/* a user keeps the member; only the necessary users move */

static void
test_split_is_sticky(void **state)
{
    double            share[3] = { 0 };
    ngx_int_t         before;
    ngx_uint_t        away, back, i, other;
    policy_fixture_t  f;

    fixture_init(&f, "split", 3, "");
    fixture_read(&f, 0);
    f.weight[0] = 5;
    f.weight[1] = 3;
    f.weight[2] = 2;
    away = 0;
    back = 0;
    other = 0;

    for (i = 0; i < DRAWS; i++) {
        f.view.uid = clipper_policy_draw_mix(&seed);

        fixture_select(&f, clipper_policy_draw_mix(&seed));
        before = f.pick.serve;
        share[before] += 1.0 / DRAWS;
        assert_close(f.pick.propensity, f.weight[before] / 10, 1e-15);

        fixture_select(&f, clipper_policy_draw_mix(&seed));
        assert_int_equal(f.pick.serve, before);

        /* one goes down: only its users move */

        f.view.up = 3;
        fixture_select(&f, 0);
        assert_true(before == 2 || f.pick.serve == before);
        f.view.up = 7;

        /* 5:3:2 to 5:3:4: members only lose to the third */

        f.weight[2] = 4;
        fixture_select(&f, 0);
        away += (f.pick.serve != before && f.pick.serve == 2);
        other += (f.pick.serve != before && f.pick.serve != 2);
        back += (before == 2 && f.pick.serve != 2);
        f.weight[2] = 2;
    }

    assert_close(share[0], 0.5, 0.005);
    assert_close(share[1], 0.3, 0.005);
    assert_close(share[2], 0.2, 0.005);
    assert_close((double) away / DRAWS, 4.0 / 12 - 0.2, 0.005);
    assert_int_equal(other, 0);
    assert_int_equal(back, 0);

    /* members are known by their keys, not by their places */

    f.view.uid = 99;
    fixture_select(&f, 0);
    before = f.pick.serve;
    f.key[0] = 2 * 1000003;
    f.key[2] = 0;
    f.weight[0] = 2;
    f.weight[2] = 5;
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, (before == 1) ? 1 : 2 - before);
}


static void
test_epsilon_greedy(void **state)
{
    double            share[K_MAX];
    policy_fixture_t  f;

    fixture_init(&f, "epsilon_greedy", 4, "epsilon=0.2 half_life=off");

    set_row(&f, f.app, 0, 10, 5);
    set_row(&f, f.app, 1, 100, 20);             /* the least mean, not sum */
    set_row(&f, f.app, 2, 4, 1);
    set_row(&f, f.app, 3, 1, 1);
    fixture_read(&f, 0);

    frequencies(&f, share);
    assert_close(share[1], 0.85, 0.005);
    assert_close(share[0], 0.05, 0.005);
    assert_close(share[3], 0.05, 0.005);

    f.view.up = 5;                              /* without the best */
    frequencies(&f, share);
    assert_close(share[2], 0.9, 0.005);
    assert_close(f.pick.propensity, f.pick.serve == 2 ? 0.9 : 0.1, 1e-15);

    /* no member judged yet: all alike; one not judged yet: tried */

    f.view.up = 15;
    f.view.app = NULL;
    frequencies(&f, share);
    assert_close(share[2], 0.25, 0.005);

    set_row(&f, f.app, 3, 0, 0);
    fixture_read(&f, 0);
    frequencies(&f, share);
    assert_close(share[3], 0.85, 0.005);
}


/* a loss has a lower bound, and its width comes from ln t, not from ln k */

static void
test_ucb_is_a_lower_bound_of_losses(void **state)
{
    double            a, b;
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=off");

    /* equal means: the less known one; an upper bound would say the other */

    set_row(&f, f.app, 0, 1000, 500);
    set_row(&f, f.app, 1, 10, 5);
    fixture_read(&f, 0);
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 1);
    assert_close(f.pick.propensity, 1, 0);

    /*
     * 0.5 - sqrt(ln 1100 / 4000) against 0.58 - sqrt(ln 1100 / 400): ln t says
     * the second, ln k the first
     */

    set_row(&f, f.app, 1, 100, 58);
    a = 0.5 - sqrt(log(1100) / 4000);
    b = 0.58 - sqrt(log(1100) / 400);
    assert_true(b < a);
    assert_true(0.5 - sqrt(log(2) / 4000) < 0.58 - sqrt(log(2) / 400));
    fixture_read(&f, 0);
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 1);

    /* a mean near 0 varies less than 1/4: the bound knows */

    set_row(&f, f.app, 0, 1e6, 1e4);
    set_row(&f, f.app, 1, 1e5, 1250);
    fixture_read(&f, 0);
    fixture_select(&f, 0);
    assert_int_equal(f.pick.serve, 0);
    assert_true(0.01 - sqrt(log(1.1e6) / 4e6)
                > 0.0125 - sqrt(log(1.1e6) / 4e5));

    /* members without a play come first; equal ones are drawn from */

    set_row(&f, f.app, 0, 0, 0);
    fixture_read(&f, 0);
    fixture_select(&f, ~0ULL);
    assert_int_equal(f.pick.serve, 0);

    set_row(&f, f.app, 1, 3, 0);                /* a bound below zero */
    fixture_read(&f, 0);
    fixture_select(&f, ~0ULL);
    assert_int_equal(f.pick.serve, 0);

    f.view.app = NULL;
    fixture_select(&f, ~0ULL);
    assert_int_equal(f.pick.serve, 1);
    assert_close(f.pick.propensity, 0.5, 0);
}


/* selection frequencies are the probabilities that weights() integrates */

static void
test_thompson_frequencies(void **state)
{
    double            share[K_MAX], w[K_MAX];
    ngx_uint_t        i, round;
    policy_fixture_t  f;

    fixture_init(&f, "thompson", 4, "half_life=off");

    for (round = 0; round < 6; round++) {

        for (i = 0; i < 4; i++) {
            set_row(&f, f.app, i, round * 20 * (i + 1),
                    round * (20 + i * (double) round));
        }

        fixture_read(&f, 0);
        assert_int_equal(fixture_select(&f, 1), NGX_OK);
        assert_close(f.pick.propensity, NONE, 0);

        clipper_policy_weights(&f.conf, &f.view, w);
        frequencies(&f, share);

        for (i = 0; i < 4; i++) {
            assert_close(share[i], w[i], 0.004);
        }
    }

    /* own counts below 1: Beta(0.3, 0.3), Beta(3.3, 0.3) */

    fixture_init(&f, "thompson", 2, "half_life=off kappa=0.2");
    set_row(&f, f.user, 1, 1, 0);
    fixture_read(&f, 1);
    clipper_policy_weights(&f.conf, &f.view, w);
    frequencies(&f, share);
    assert_close(share[0], w[0], 0.004);
}


/* every member keeps the floor, in what is drawn and in what is logged */

static void
test_floor(void **state)
{
    double            share[K_MAX], w[K_MAX];
    ngx_uint_t        i, k;
    policy_fixture_t  f;

    static const char  *names[] = { "thompson", "exp3", "epsilon_greedy" };

    for (i = 0; i < 3; i++) {
        fixture_init(&f, names[i], 4, "floor=0.05 half_life=off");

        if (i > 0) {
            f.conf.param[i == 1] = 0;           /* alpha, epsilon */
        }

        /* losses of all but the second */

        for (k = 0; k < 4; k++) {
            set_row(&f, f.app, k, i == 0 ? (k == 1) * 1e4 : 1e4,
                    (k != 1) * 1e4);
        }

        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, w);
        assert_close(w[0], 0.05, 1e-6);
        assert_close(w[1], 0.85, 1e-6);

        frequencies(&f, share);
        assert_close(share[1], 0.85, 0.004);
        assert_close(share[3], 0.05, 0.003);

        /* more than there is to share: equal parts */

        fixture_init(&f, names[i], 20, "floor=0.1");
        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, w);
        assert_close(w[7], 0.05, 1e-12);
    }
}


/* of Beta(a, 1) and Beta(c, 1) the first is the larger with a / (a + c) */

static void
test_thompson_of_powers(void **state)
{
    double            a, c, share[K_MAX], w[K_MAX];
    policy_fixture_t  f;

    fixture_init(&f, "thompson", 2, "half_life=off");

    for (a = 1; a < 1e6; a = a * 3 + 1) {
        for (c = 1; c < 1000; c = c * 7) {
            set_row(&f, f.app, 0, a - 1, 0);
            set_row(&f, f.app, 1, c - 1, 0);
            fixture_read(&f, 0);
            clipper_policy_weights(&f.conf, &f.view, w);
            assert_close(w[0], a / (a + c), 1e-4);
            assert_close(w[1] * (a + c) / c, 1, 1e-3);
        }
    }

    set_row(&f, f.app, 0, 1, 0);
    set_row(&f, f.app, 1, 0, 0);
    fixture_read(&f, 0);
    frequencies(&f, share);
    assert_close(share[0], 2.0 / 3, 0.004);
}


static void
test_thompson_counts_parts_of_a_loss(void **state)
{
    policy_fixture_t  f;

    fixture_init(&f, "thompson", 2, "");
    assert_int_equal(fixture_served(&f, 1, NONE, 0.25), NGX_OK);
    assert_close(fixture_row(&f, f.delta, 1)[0], 0.75, 0);
    assert_close(fixture_row(&f, f.delta, 1)[1], 0.25, 0);
    assert_close(fixture_row(&f, f.delta, 0)[0], 0, 0);
}


/* the served member is credited with the propensity it was served with */

static void
test_credit_goes_to_the_served_member(void **state)
{
    double            losses[3] = { 0.5, 0.5, 0.5 };
    ngx_uint_t        i, k;
    policy_fixture_t  f;

    static const char  *bandits[] = { "exp3", "ucb", "epsilon_greedy",
                                      "thompson" };

    for (i = 0; i < 4; i++) {
        fixture_init(&f, bandits[i], 3, "");

        /* by now member 2 would not be drawn */

        set_row(&f, f.app, 0, 1000, i == 3 ? 0 : 1);
        set_row(&f, f.app, 1, 1000, 1000);
        set_row(&f, f.app, 2, i == 3 ? 0 : 1000, 1000);
        fixture_read(&f, 0);

        for (k = 0; k < 100; k++) {
            assert_int_equal(fixture_served(&f, 2, 0.4, 0.5), NGX_OK);
            assert_close(last_of(&f, f.delta, 0)[1], 0, 0);
            assert_close(last_of(&f, f.delta, 1)[1], 0, 0);
            assert_close(last_of(&f, f.delta, 2)[1],
                         i == 0 ? 0.5 / (0.4 + 0.05) : 0.5, 1e-15);
        }

        /* no member served, or its loss unknown: nothing to learn */

        assert_int_equal(fixture_seen(&f, 7, losses), NGX_DECLINED);
        f.view.up = 3;
        assert_int_equal(fixture_served(&f, 2, 0.4, 0.5), NGX_DECLINED);
    }
}


static void
test_feedback_is_checked(void **state)
{
    double            losses[3] = { -1, 7, NAN };
    policy_fixture_t  f;

    fixture_init(&f, "exp3", 3, "");
    fixture_read(&f, 0);

    assert_int_equal(fixture_served(&f, 1, 0, 1), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 1, 1.1, 1), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 1, NAN, 1), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 1, NONE, 1), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 1, 1, NAN), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 3, 1, 1), NGX_DECLINED);
    assert_int_equal(fixture_served(&f, 1, 1, 5), NGX_OK);
    assert_close(last_of(&f, f.delta, 1)[1], 1 / 1.05, 1e-15);

    fixture_init(&f, "exp4", 3, "");
    fixture_read(&f, 0);
    assert_int_equal(fixture_seen(&f, 0xff, losses), NGX_OK);
    assert_close(fixture_row(&f, f.delta, 0)[3], 0, 0);
    assert_close(fixture_row(&f, f.delta, 1)[3], 1, 0);
    assert_close(fixture_row(&f, f.delta, 2)[1], 0, 0);
    assert_close(fixture_row(&f, f.delta, 2)[0], 1, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_members_without_replica),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_split_by_weights),
        cmocka_unit_test(test_split_is_sticky),
        cmocka_unit_test(test_epsilon_greedy),
        cmocka_unit_test(test_ucb_is_a_lower_bound_of_losses),
        cmocka_unit_test(test_thompson_frequencies),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_thompson_of_powers),
        cmocka_unit_test(test_thompson_counts_parts_of_a_loss),
        cmocka_unit_test(test_credit_goes_to_the_served_member),
        cmocka_unit_test(test_feedback_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: wrong shares of the policies with sums of losses, and the errors
 * that Clipper's own code had: 1/p although all losses are visible, weights
 * that underflow and freeze.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy.h"


/* the last two fields of a member */

static void
set_row(policy_fixture_t *f, double *state, ngx_uint_t i, double x, double y)
{
    double  *row;

    row = fixture_row(f, state, i) + f->conf.policy->nfields - 2;
    row[0] = x;
    row[1] = y;
}


static void
test_exp3_shares(void **state)
{
    double            eta, w[K_MAX];
    policy_fixture_t  f;

    fixture_init(&f, "exp3", 2, "eta=0.5 alpha=0.1 half_life=off");
    set_row(&f, f.app, 0, 10, 4);
    set_row(&f, f.app, 1, 10, 6);
    fixture_read(&f, 0);

    /* the learning rate after few rounds, and after many */

    eta = sqrt(0.25 + 16 * log(2) / 10);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[0], 0.9 / (1 + exp(-eta * 2)) + 0.05, 1e-12);

    set_row(&f, f.app, 0, 1e12, 4);
    set_row(&f, f.app, 1, 1e12, 6);
    fixture_read(&f, 0);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[0], 0.9 / (1 + exp(-1)) + 0.05, 1e-9);

    /* u below the first share chooses the first member, above it the second */

    fixture_select(&f, (uint64_t) ((w[0] - 1e-6) * 0x1p64));
    assert_int_equal(f.pick.serve, 0);
    assert_close(f.pick.propensity, w[0], 0);
    fixture_select(&f, (uint64_t) ((w[0] + 1e-6) * 0x1p64));
    assert_int_equal(f.pick.serve, 1);
    assert_close(f.pick.propensity, w[1], 0);
    fixture_select(&f, ~0ULL);
    assert_int_equal(f.pick.serve, 1);
}


/* a million losses later the share is still there, and comes back */

static void
test_weights_never_freeze(void **state)
{
    double            w[K_MAX];
    ngx_uint_t        i;
    policy_fixture_t  f;

    static const char  *names[] = { "exp3", "exp4" };

    for (i = 0; i < 2; i++) {
        fixture_init(&f, names[i], 4, "alpha=0.04 half_life=off");

        fixture_row(&f, f.app, 0)[f.conf.policy->nfields - 1] = 1e9;
        fixture_row(&f, f.app, 1)[f.conf.policy->nfields - 1] = 2e9;
        fixture_row(&f, f.app, 2)[f.conf.policy->nfields - 1] = 1e300;
        fixture_row(&f, f.app, 3)[f.conf.policy->nfields - 1] = 1e9 + 1000;
        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, w);
        assert_close(w[0], 0.97, 1e-9);
        assert_close(w[1], 0.01, 1e-9);
        assert_close(w[2], 0.01, 1e-9);

        /* relative to the members that are up, also when the best one is not */

        f.view.up = 6;
        clipper_policy_weights(&f.conf, &f.view, w);
        assert_close(w[1], 0.98, 1e-9);
        assert_close(w[2], 0.02, 1e-9);

        /* the others lose more from now on */

        f.view.up = 15;
        fixture_row(&f, f.app, 0)[f.conf.policy->nfields - 1] = 2e9 + 500;
        fixture_row(&f, f.app, 3)[f.conf.policy->nfields - 1] = 2e9 + 500;
        fixture_read(&f, 0);
        clipper_policy_weights(&f.conf, &f.view, w);
        assert_close(w[1], 0.97, 1e-9);
    }
}


/* all losses are visible: each counts in full, whatever the weights */

static void
test_exp4_does_not_divide_by_p(void **state)
{
    double            losses[3] = { 0.25, 1, 0.5 }, w[K_MAX];
    ngx_uint_t        i, round;
    policy_fixture_t  f;

    fixture_init(&f, "exp4", 3, "eta=0.2 alpha=0 half_life=off");

    for (round = 0; round < 1000; round++) {
        fixture_read(&f, 0);
        assert_int_equal(fixture_seen(&f, 7, losses), NGX_OK);

        for (i = 0; i < 3; i++) {
            assert_close(fixture_row(&f, f.delta, i)[3], losses[i], 0);
        }

        fixture_learn(&f);
    }

    fixture_row(&f, f.app, 1)[3] = 251;
    fixture_row(&f, f.app, 2)[3] = 252;
    fixture_read(&f, 0);
    clipper_policy_weights(&f.conf, &f.view, w);
    assert_close(w[1] / w[0], exp(-0.2), 1e-12);
    assert_close(w[2] / w[0], exp(-0.4), 1e-12);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_exp3_shares),
        cmocka_unit_test(test_weights_never_freeze),
        cmocka_unit_test(test_exp4_does_not_divide_by_p),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

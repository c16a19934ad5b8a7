
/*
 * Catches: a policy that learns too slowly, or does not notice that the best
 * model broke, or that it recovered.
 *
 * Five models err with the probabilities below, independently; the best one
 * errs with BROKEN from feedback 5 000 to 10 000.  One feedback a second, at
 * once.  Figures are means over seeds.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


#define MODELS   5
#define STEPS    15000
#define BREAK    5000
#define HEAL     10000
#define SEEDS    20
#define FEW      5              /* seeds where the difference is large */
#define LONG     40000          /* feedbacks, for two models */
#define LATER    2000           /* feedbacks until it must have noticed */
#define WINDOW   500

#define GOOD     0.03
#define SECOND   0.08
#define BROKEN   0.6


typedef struct {
    double  first;              /* error before the break */
    double  broken;             /* of the window LATER after it */
    double  healed;             /* of the window LATER after the recovery */
    double  whole;
} simulation_t;


static double
uniform(uint64_t *seed)
{
    return clipper_policy_draw_uniform(clipper_policy_draw_mix(seed));
}


/*
 * The answer of an ensemble when all wrong answers are equal (two classes): the
 * hardest case for a vote.
 */

static double
vote(policy_fixture_t *f, const double *losses)
{
    double      w[K_MAX], wrong;
    ngx_uint_t  i;

    clipper_policy_weights(&f->conf, &f->view, w);
    wrong = 0;

    for (i = 0; i < f->view.n; i++) {
        wrong += w[i] * losses[i];
    }

    return wrong > 0.5;
}


static double
step(policy_fixture_t *f, const double *losses, uint64_t *seed)
{
    double  loss, p;

    fixture_read(f, 0);
    assert_int_equal(fixture_select(f, clipper_policy_draw_mix(seed)), NGX_OK);

    if (f->pick.serve == ALL) {
        loss = vote(f, losses);
        assert_int_equal(fixture_seen(f, f->pick.ask, losses), NGX_OK);

    } else {
        loss = losses[f->pick.serve];
        p = f->pick.propensity;
        assert_int_equal(fixture_served(f, f->pick.serve, p, loss), NGX_OK);
    }

    fixture_learn(f);

    return loss;
}


static void
simulate(const char *policy, const char *params, simulation_t *sim)
{
    double            error[MODELS], loss, losses[MODELS];
    uint64_t          seed;
    ngx_uint_t        i, run, t;
    policy_fixture_t  f;

    static const double  errors[MODELS] = { GOOD, SECOND, 0.12, 0.2, 0.4 };

    memset(sim, 0, sizeof(simulation_t));

    for (run = 0; run < SEEDS; run++) {
        fixture_init(&f, policy, MODELS, params);
        seed = run;

        for (t = 0; t < STEPS; t++) {
            f.now = 1.7e9 + t;
            memcpy(error, errors, sizeof(error));

            if (t >= BREAK && t < HEAL) {
                error[0] = BROKEN;
            }

            for (i = 0; i < MODELS; i++) {
                losses[i] = uniform(&seed) < error[i];
            }

            loss = step(&f, losses, &seed) / SEEDS;

            sim->whole += loss / STEPS;

            if (t < BREAK) {
                sim->first += loss / BREAK;
            }

            if (t >= BREAK + LATER - WINDOW && t < BREAK + LATER) {
                sim->broken += loss / WINDOW;
            }

            if (t >= HEAL + LATER - WINDOW && t < HEAL + LATER) {
                sim->healed += loss / WINDOW;
            }
        }
    }

    print_message("%-15s %-32s first %.4f, broken %.4f, healed %.4f, "
                  "whole %.4f\n", policy, params, sim->first, sim->broken,
                  sim->healed, sim->whole);
}


static void
test_exp3(void **state)
{
    simulation_t  sim;

    simulate("exp3", "eta=0.1 alpha=0.03 half_life=850s", &sim);
    assert_true(sim.first <= GOOD + 0.05);
    assert_true(sim.broken <= SECOND + 0.06);
    assert_true(sim.healed <= GOOD + 0.06);
}


static void
test_thompson(void **state)
{
    simulation_t  sim;

    simulate("thompson", "half_life=850s", &sim);
    assert_true(sim.first <= GOOD + 0.02);
    assert_true(sim.broken <= SECOND + 0.03);
    assert_true(sim.healed <= GOOD + 0.03);
}


/* at least as good as the best single model over the whole run */

static void
test_exp4(void **state)
{
    simulation_t  sim;

    simulate("exp4", "half_life=850s", &sim);
    assert_true(sim.whole <= SECOND);
    assert_true(sim.first <= GOOD + 0.01);
    assert_true(sim.broken <= SECOND + 0.01);

    /* every loss is visible: a shorter memory works, and notices at once */

    simulate("exp4", "half_life=200s", &sim);
    assert_true(sim.whole <= GOOD + 0.03);
    assert_true(sim.broken <= SECOND + 0.01);
    assert_true(sim.healed <= GOOD + 0.01);
}


/* no bound is guaranteed for these; any policy that learns must reach it */

static void
test_others(void **state)
{
    simulation_t  sim;

    simulate("epsilon_greedy", "epsilon=0.1 half_life=850s", &sim);
    assert_true(sim.first <= GOOD + 0.03);
    assert_true(sim.broken <= SECOND + 0.04);
    assert_true(sim.healed <= GOOD + 0.06);

    simulate("ucb", "half_life=850s", &sim);
    assert_true(sim.first <= GOOD + 0.04);
    assert_true(sim.broken <= SECOND + 0.04);
    assert_true(sim.healed <= GOOD + 0.04);
}


/*
 * Two models: the first is the better one for so long that only a policy that
 * forgets notices LATER feedbacks after it broke.  The error of that window.
 */

static double
after_long(const char *policy, const char *half_life)
{
    char              params[32];
    double            error, loss, losses[2];
    uint64_t          seed;
    ngx_uint_t        run, t;
    policy_fixture_t  f;

    error = 0;
    (void) snprintf(params, sizeof(params), "half_life=%s", half_life);

    for (run = 0; run < FEW; run++) {
        fixture_init(&f, policy, 2, params);
        seed = run;

        for (t = 0; t < LONG + LATER; t++) {
            f.now = 1.7e9 + t;
            losses[0] = uniform(&seed) < (t < LONG ? GOOD : BROKEN);
            losses[1] = uniform(&seed) < 0.3;

            loss = step(&f, losses, &seed);

            if (t >= LONG + LATER - WINDOW) {
                error += loss / WINDOW / FEW;
            }
        }
    }

    print_message("%-15s half_life=%-4s error %.4f\n", policy, half_life,
                  error);

    return error;
}


/*
 * Catches a policy that does not forget: with implicit exploration exp3 needs
 * more experience than the above to be held up by it.
 */

static void
test_long_experience(void **state)
{
    ngx_uint_t  i;

    static const char  *policies[] = {
        "exp3", "exp4", "thompson", "epsilon_greedy", "ucb"
    };

    for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        assert_true(after_long(policies[i], "850s") < 0.4);
        assert_true(after_long(policies[i], "off") > 0.5);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_exp3),
        cmocka_unit_test(test_thompson),
        cmocka_unit_test(test_exp4),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_long_experience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * The batch control in virtual time, compared to the best fixed size of a sweep
 * and to its own goodput before a disturbance.  Catches: a batch size that does
 * not reach the limit of the SLO, that collapses under overload, or that stays
 * small after an overload, a cold start or a slow batch.
 *
 * The simulations are the same in every run.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "batch_sim.h"


typedef struct {
    const char     *name;
    sim_law_pt      law;
    double          top;        /* tasks/s with batches of half the SLO, or
                                   with the most efficient ones */
} sim_case_t;


static const sim_case_t  cases[] = {
    { "no-op",      sim_law_noop,       180000 },
    { "linear",     sim_law_linear,      10000 },
    { "fixed",      sim_law_fixed_small, 24800 },
    { "mixed",      sim_law_mixed,       17900 },
    { "sublinear",  sim_law_sublinear,   14500 },
    { "jitter",     sim_law_jitter,      47800 },
    { "noisy",      sim_law_noisy,       17500 },
    { "superlinear", sim_law_superlinear, 33000 },
    { "power",      sim_law_power,        7180 },
    { "square",     sim_law_square,      31600 },
};


static sim_t *
new_sim(sim_law_pt law, double rate, ngx_uint_t clients, u_char seed)
{
    u_char  bytes[CLIPPER_RANDOM_SEED];
    sim_t  *sim;

    sim = malloc(sizeof(sim_t));
    assert_non_null(sim);
    sim_init(sim, law, rate, clients);

    memset(bytes, seed, sizeof(bytes));
    clipper_random_init(&sim->random, bytes);

    return sim;
}


static double
goodput(sim_law_pt law, double rate, ngx_uint_t fixed, u_char seed,
    double from_s, double to_s, double *late)
{
    sim_t   *sim;
    double   good;

    sim = new_sim(law, rate, 0, seed);
    sim->conf.fixed = fixed;
    sim_start(sim);
    sim_run(sim, to_s * 1e6);
    good = sim_goodput(sim, from_s, to_s);

    if (late) {
        *late = (double) sim->late / (double) (sim->on_time + sim->late);
    }

    sim_free(sim);
    free(sim);

    return good;
}


static double
best_fixed(sim_law_pt law, double rate, ngx_uint_t *size)
{
    double      best, good;
    ngx_uint_t  n;

    best = 0;

    for (n = 1; n < 12000; n += n / 3 + 1) {
        good = goodput(law, rate, n, 77, 1, 3, NULL);

        if (good > best) {
            best = good;
            *size = n;
        }
    }

    return best;
}


/* from the second second on as good as the best size of a sweep */

static void
test_finds_the_best_size(void **state)
{
    u_char             seed;
    double             best, good, worst, late, latest;
    ngx_uint_t         i, k, size;
    const sim_case_t  *c;

    static const double  loads[] = { 0.6, 0.9, 1.2, 3 };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        for (k = 0; k < 4; k++) {
            size = 0;
            best = best_fixed(c->law, c->top * loads[k], &size);
            worst = 2;
            latest = 0;

            for (seed = 1; seed <= 3; seed++) {
                good = goodput(c->law, c->top * loads[k], 0, seed, 2, 4,
                               &late);
                worst = ngx_min(worst, good / best);
                latest = ngx_max(latest, late);
            }

            printf("    %-11s load %.1f: best fixed %5d, %8.0f/s, adaptive"
                   " %.3f, late %.4f\n", c->name, loads[k], (int) size, best,
                   worst, latest);

            assert_true(worst >= 0.95);
            assert_true(latest < 0.03);
        }
    }
}


static void
test_best_size_within_two_seconds(void **state)
{
    u_char             seed;
    double             steady, early;
    ngx_uint_t         i;
    const sim_case_t  *c;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        steady = 0;
        early = 0;

        for (seed = 1; seed <= 4; seed++) {
            steady += goodput(c->law, c->top * 1.5, 0, seed, 3, 5, NULL);
            early += goodput(c->law, c->top * 1.5, 0, seed, 1, 2, NULL);
        }

        printf("    %-11s second second %.3f of the fourth and fifth\n",
               c->name, early / steady);
        assert_true(early >= 0.95 * steady);
    }
}


/* overload: goodput does not fall, no answer is late */

static void
test_goodput_under_overload(void **state)
{
    double             base, late;
    ngx_uint_t         i;
    const sim_case_t  *c;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        base = goodput(c->law, c->top, 0, 1, 1, 4, NULL);
        assert_true(goodput(c->law, c->top * 3, 0, 1, 1, 4, &late)
                    >= 0.95 * base);
        assert_true(late < 0.03);
    }
}


/* 5 ms per batch, 2 us per input: at least 26 times as good as batches of 1 */

static void
test_fixed_cost_model(void **state)
{
    double  one, many;

    one = goodput(sim_law_fixed, 250000, 1, 1, 2, 3, NULL);
    many = goodput(sim_law_fixed, 250000, 0, 1, 2, 3, NULL);

    printf("    %.0f/s with batches of 1, %.0f/s adaptive\n", one, many);
    assert_true(one > 150 && many > 26 * one);
    assert_true(many > 235000);
}


/* goodput in the second after "after_s", relative to that before "before_s" */

static void
assert_recovers(const char *name, sim_law_pt law, double rate, double before_s,
    double after_s)
{
    u_char   seed;
    sim_t   *sim;
    double   before, after;

    before = 0;
    after = 0;

    for (seed = 1; seed <= 4; seed++) {
        sim = new_sim(law, rate, 0, seed);
        sim_start(sim);
        sim_run(sim, (after_s + 1) * 1e6);
        before += sim_goodput(sim, before_s - 2, before_s);
        after += sim_goodput(sim, after_s, after_s + 1);
        sim_free(sim);
        free(sim);
    }

    printf("    %-28s %.3f\n", name, after / before);
    assert_true(after >= 0.95 * before);
}


static void
test_recovers(void **state)
{
    assert_recovers("three times slower for 8 s", sim_law_step, 14000, 4,
                    13);
    assert_recovers("the same, overloaded", sim_law_step, 30000, 4, 13);
    assert_recovers("hopeless for 8 s", sim_law_blocked, 14000, 4, 13);
    assert_recovers("the same, overloaded", sim_law_blocked, 30000, 4, 13);
    assert_recovers("one batch of 500 ms", sim_law_outlier, 14000, 4, 5.5);
    assert_recovers("the same, overloaded", sim_law_outlier, 30000, 4, 5.5);
}


/* 20 tasks per second are a light load; a controller locked out refuses them */

static void
test_recovers_at_low_load(void **state)
{
    sim_t  *sim;

    sim = new_sim(sim_law_blocked, 20, 0, 3);
    sim_start(sim);
    sim_run(sim, 18e6);
    assert_true(sim_goodput(sim, 14, 18) > 15);
    sim_free(sim);
    free(sim);

    /* after 8 s of five times the capacity, too */

    sim = new_sim(sim_law_mixed, 90000, 0, 3);
    sim->change_us = 8e6;
    sim->rate_after = 20;
    sim_start(sim);
    sim_run(sim, 9e6);
    sim->dropped = 0;
    sim_run(sim, 14e6);
    assert_int_equal(sim->dropped, 0);
    sim_free(sim);
    free(sim);
}


/* the first batch takes 800 ms and the whole load is there from the start */

static void
test_cold_start_under_load(void **state)
{
    sim_t  *sim;
    double  good;

    sim = new_sim(sim_law_cold, 14000, 0, 3);
    sim_start(sim);
    sim_run(sim, 4e6);
    good = sim_goodput(sim, 2, 3);
    printf("    third second: %.0f of 14000/s\n", good);
    assert_true(good > 13300);
    sim_free(sim);
    free(sim);
}


/* waiting clients: a batch has the inputs of all, and no answer is late */

static void
test_closed_loop(void **state)
{
    sim_t  *sim;

    sim = new_sim(sim_law_mixed, 0, 32, 3);
    sim_start(sim);
    sim_run(sim, 3e6);

    /* 32 in 2600 us and 100 us of thinking: half of it hides the other half */
    assert_true(sim_goodput(sim, 1, 3) > 8000);
    assert_int_equal(sim->late + sim->dropped, 0);
    sim_free(sim);
    free(sim);
}


static void
test_two_replicas(void **state)
{
    sim_t  *sim;
    double  one, two;

    one = goodput(sim_law_mixed, 30000, 0, 3, 1, 4, NULL);

    sim = new_sim(sim_law_mixed, 60000, 0, 3);
    sim->replicas = 2;
    sim_start(sim);
    sim_run(sim, 4e6);
    two = sim_goodput(sim, 1, 4);
    sim_free(sim);
    free(sim);

    printf("    two replicas: %.2f of one\n", two / one);
    assert_true(two > 1.9 * one);
}


/* a model with a fixed cost needs fewer batches when they may wait */

static void
test_delayed_batching(void **state)
{
    sim_t     *sim;
    uint64_t   batches[2];
    ngx_uint_t i;

    for (i = 0; i < 2; i++) {
        sim = new_sim(sim_law_mixed, 2000, 0, 3);
        sim->conf.wait_us = i ? 4000 : 0;
        sim_start(sim);
        sim_run(sim, 4e6);
        batches[i] = sim->batches;
        assert_true(sim_goodput(sim, 1, 4) > 1900);
        assert_int_equal(sim->late + sim->dropped, 0);
        sim_free(sim);
        free(sim);
    }

    printf("    %d batches at once, %d delayed\n", (int) batches[0],
           (int) batches[1]);
    assert_true(batches[1] * 2 < batches[0]);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_best_size),
        cmocka_unit_test(test_best_size_within_two_seconds),
        cmocka_unit_test(test_goodput_under_overload),
        cmocka_unit_test(test_fixed_cost_model),
        cmocka_unit_test(test_recovers),
        cmocka_unit_test(test_recovers_at_low_load),
        cmocka_unit_test(test_cold_start_under_load),
        cmocka_unit_test(test_closed_loop),
        cmocka_unit_test(test_two_replicas),
        cmocka_unit_test(test_delayed_batching),
    };

    return cmocka_run_group_tests_name("batch_sim", tests, NULL, NULL);
}

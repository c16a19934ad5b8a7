
/*
 * Catches: a memory of feedbacks that is longer or shorter than its half-life,
 * that depends on the order of deltas or on the instance that added them, that
 * one of two instances shortens for the other, or that jumps when the
 * configuration changes; a store whose clock was ahead, after which nothing
 * counts.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy_draw.h"


#define STEPS      4000
#define SOURCES    4
#define SIZE       (CLIPPER_POLICY_ROWS + 2 * 2)


static uint64_t  seed = 3;


static double
uniform(void)
{
    return clipper_policy_draw_uniform(clipper_policy_draw_mix(&seed));
}


static void
feed(policy_fixture_t *f, ngx_uint_t n, ngx_int_t member)
{
    while (n--) {
        assert_int_equal(fixture_served(f, member, 1, 1), NGX_OK);
        fixture_learn(f);
    }

    fixture_read(f, 0);
}


static void
test_half_life_of_feedbacks(void **state)
{
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=off|100");

    feed(&f, 1, 0);
    assert_close(f.app_rows[0], exp2(-0.01), 1e-12);
    feed(&f, 100, 1);
    assert_close(f.app_rows[0], exp2(-1.01), 1e-12);
    feed(&f, 100, 1);
    assert_close(f.app_rows[0], exp2(-2.01), 1e-12);

    /* never more than 1 / mu of them in all */

    feed(&f, 100000, 1);
    assert_close(f.app_rows[2], 1 / expm1(M_LN2 / 100), 1e-6);
    assert_true(f.app_rows[0] < 1e-100);
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_OK);

    /* independent of time */

    f.now += 1e9;
    fixture_read(&f, 0);
    assert_close(f.app_rows[2], 1 / expm1(M_LN2 / 100), 1e-6);
}


/* both together: a feedback loses by its age and by those that came later */

static void
test_both_clocks(void **state)
{
    ngx_uint_t        i;
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=10m|1000");
    f.now = 1.7e9;
    feed(&f, 1, 0);

    for (i = 0; i < 500; i++) {
        f.now += 0.6;
        feed(&f, 1, 1);
    }

    assert_close(f.app_rows[0], exp2(-0.501 - 0.5), 1e-6);

    f.now += 600;
    fixture_read(&f, 0);
    assert_close(f.app_rows[0], exp2(-0.501 - 1.5), 1e-6);
}


/* the state in each of some instances: own deltas and received ones */

static void
sources_run(double d[][SIZE], ngx_uint_t every)
{
    double            whole[SOURCES][CLIPPER_POLICY_STATE_MAX];
    ngx_uint_t        i, k, told, who;
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=100s|300");
    memset(whole, 0, sizeof(whole));
    told = 0;

    for (i = 0; i < STEPS; i++) {
        f.now = 1.7e9 + i * 0.2;
        who = clipper_policy_draw_mix(&seed) % SOURCES;

        assert_int_equal(fixture_served(&f, i % 3 == 0, 1, uniform()),
                         NGX_OK);

        f.delta[CLIPPER_POLICY_U0] = clipper_policy_state_clock(whole[who]);
        clipper_policy_state_add(whole[who], f.delta, f.size);
        memcpy(d[i], f.delta, f.size * sizeof(double));

        if (i % every != every - 1) {
            continue;
        }

        memset(whole, 0, sizeof(whole));

        for (told = i + 1, k = 0; k < told; k++) {
            clipper_policy_state_add(whole[0], d[k], f.size);
        }

        for (who = 1; who < SOURCES; who++) {
            memcpy(whole[who], whole[0], sizeof(whole[0]));
        }
    }
}


/*
 * Deltas of four instances, in any order and added up in any groups, reach the
 * same final state.
 */

static void
test_any_order_and_any_split(void **state)
{
    double      rows[2][SIZE], part[SOURCES][SIZE], swap[SIZE], whole[SIZE];
    ngx_uint_t  i, j, round, who;

    static double  d[STEPS][SIZE];

    sources_run(d, 100);

    for (round = 0; round < 20; round++) {
        memset(whole, 0, sizeof(whole));
        memset(part, 0, sizeof(part));

        for (i = STEPS - 1; round && i > 0; i--) {
            j = (ngx_uint_t) (uniform() * (i + 1));
            memcpy(swap, d[i], sizeof(swap));
            memcpy(d[i], d[j], sizeof(swap));
            memcpy(d[j], swap, sizeof(swap));
        }

        for (i = 0; i < STEPS; i++) {

            if (round == 0) {
                clipper_policy_state_add(whole, d[i], SIZE);
                continue;
            }

            who = clipper_policy_draw_mix(&seed) % SOURCES;
            clipper_policy_state_join(part[who], d[i], SIZE);

            if (clipper_policy_draw_mix(&seed) % 10 == 0) {
                clipper_policy_state_add(whole, part[who], SIZE);
                memset(part[who], 0, sizeof(part[who]));
            }
        }

        for (who = 0; round && who < SOURCES; who++) {
            if (part[who][CLIPPER_POLICY_V] > 0) {
                clipper_policy_state_add(whole, part[who], SIZE);
            }
        }

        clipper_policy_state_read(whole, SIZE, 1.7e9 + STEPS * 0.2,
                                  rows[round > 0]);

        for (i = 0; i < SIZE - CLIPPER_POLICY_ROWS; i++) {
            assert_true(rows[0][i] > 1);
            assert_close(rows[round > 0][i] / rows[0][i], 1, 1e-10);
        }
    }
}


/* the effect of instances that learn of each other only now and then */

static void
test_instances_that_hear_late(void **state)
{
    double      rows[SIZE], whole[SIZE], known;
    ngx_uint_t  i, k;

    static double            d[STEPS][SIZE];
    static const ngx_uint_t  every[] = { 1, 30, STEPS };

    known = 0;

    for (k = 0; k < 3; k++) {
        seed = 3;
        sources_run(d, every[k]);
        memset(whole, 0, sizeof(whole));

        for (i = 0; i < STEPS; i++) {
            clipper_policy_state_add(whole, d[i], SIZE);
        }

        clipper_policy_state_read(whole, SIZE, 1.7e9 + STEPS * 0.2, rows);

        /* 5 a second: 1 / (ln 2 / 300 + ln 2 / 500) */

        if (k == 0) {
            known = rows[0] + rows[2];
            assert_close(known, 1 / (M_LN2 / 300 + M_LN2 / 500), 1);
        }

        /*
         * A tenth of a half-life late: the same.  Never: each instance has its
         * share of the memory, so it counts for less, but it is neither lost
         * nor longer than a single count allows.
         */

        if (k == 1) {
            assert_close((rows[0] + rows[2]) / known, 1, 0.03);
        }

        if (k == 2) {
            assert_true(rows[0] + rows[2] > known / SOURCES);
            assert_true(rows[0] + rows[2] < 300 / M_LN2);
        }
    }
}


/* a state does not jump when the half-life changes, and then fades by it */

static void
test_configured_anew(void **state)
{
    double            before;
    ngx_uint_t        i;
    policy_fixture_t  f, g;

    static const char  *lives[] = {
        "half_life=off", "half_life=off|300", "half_life=off|3000",
        "half_life=off", "half_life=1h|20", "half_life=off|20",
        "half_life=1h", "half_life=1h|50"
    };

    fixture_init(&f, "ucb", 2, "half_life=off|1000");
    f.now = 1.7e9;
    feed(&f, 5000, 1);

    for (i = 0; i < sizeof(lives) / sizeof(char *); i++) {
        fixture_init(&g, "ucb", 2, lives[i]);
        f.conf = g.conf;
        before = f.app_rows[2];

        feed(&f, 1, 1);
        assert_close(f.app_rows[2] / ((before + 1) / (1 + f.conf.mu)), 1,
                     1e-9);

        before = f.app_rows[2];
        feed(&f, 60, 0);
        assert_close(f.app_rows[2] / before, pow(1 + f.conf.mu, -60), 1e-9);
        assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_OK);
    }
}


/* the store's clock is ahead and is set back: 500 feedbacks teach a swap */

static void
test_clock_of_a_store(void **state)
{
    double            stored[SIZE], here, there, t1;
    ngx_uint_t        i, k;
    policy_fixture_t  f;

    static const double  ahead[] = { 0, 59, 61, 3600, 86400, 30 * 86400.0 };

    for (k = 0; k < sizeof(ahead) / sizeof(double); k++) {
        fixture_init(&f, "ucb", 2, "half_life=1h|300");
        here = 5000;
        there = 1.7e9;

        /* one model is right in nine of ten, the other never */

        for (i = 0; i < 1000; i++) {
            f.now = there + ahead[k] - 1000 + i;
            assert_int_equal(fixture_served(&f, i % 2, 1, i % 2 || i % 20 == 0),
                             NGX_OK);
            fixture_learn(&f);
        }

        t1 = f.now;
        memcpy(stored, f.app, sizeof(stored));

        f.app[CLIPPER_POLICY_T0] = clipper_policy_state_here(
                              stored[CLIPPER_POLICY_T0], t1, there, here);
        f.now = here;
        fixture_read(&f, 0);
        assert_true(f.app_rows[1] / f.app_rows[0] < 0.2);
        assert_close(f.app_rows[3] / f.app_rows[2], 1, 1e-9);
        assert_true(f.app_rows[0] > 100);

        for (i = 0; i < 500; i++) {
            f.now = here + i;
            assert_int_equal(fixture_served(&f, i % 2, 1, i % 2 == 0),
                             NGX_OK);
            fixture_learn(&f);
        }

        fixture_read(&f, 0);
        assert_true(f.app_rows[1] / f.app_rows[0] > 0.6);
        assert_true(f.app_rows[3] / f.app_rows[2] < 0.4);
    }

    /* nothing is stored; the store keeps no time of the last addition */

    assert_close(clipper_policy_state_here(0, 0, 1.7e9, 5), 0, 0);
    assert_close(clipper_policy_state_here(1.7e9 - 8, 0, 1.7e9, 5), -3, 0);
    assert_close(clipper_policy_state_here(1.8e9, 0, 1.7e9, 5), 5, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_half_life_of_feedbacks),
        cmocka_unit_test(test_both_clocks),
        cmocka_unit_test(test_any_order_and_any_split),
        cmocka_unit_test(test_instances_that_hear_late),
        cmocka_unit_test(test_configured_anew),
        cmocka_unit_test(test_clock_of_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: a state that depends on the order of its deltas or on their worker,
 * loses one of two concurrent updates, decays in place, overflows after years,
 * or accepts rubbish from a store; parameters that are out of range, malformed,
 * or change another one.
 */

#include "policy_fixture.h"
#include "learn/clipper_policy_table.h"
#include "learn/clipper_policy_param.h"
#include "learn/clipper_policy_draw.h"
#include "learn/clipper_policy.h"


#define FEEDBACKS  100
#define SIZE       32


static uint64_t  seed;


static double
uniform(void)
{
    return clipper_policy_draw_uniform(clipper_policy_draw_mix(&seed));
}


/* FEEDBACKS deltas of exp3 over the given time */

static void
deltas(policy_fixture_t *f, double seconds, double d[][SIZE])
{
    ngx_uint_t  i;

    seed = 42;

    for (i = 0; i < FEEDBACKS; i++) {
        f->now = 1.7e9 + seconds * i / FEEDBACKS;
        assert_int_equal(fixture_served(f, i % 3, 0.2 + 0.5 * uniform(),
                                        uniform()),
                         NGX_OK);
        memcpy(d[i], f->delta, f->size * sizeof(double));
    }
}


static void
test_add_commutes(void **state)
{
    double            d[FEEDBACKS][SIZE], rows[2][SIZE];
    ngx_uint_t        i, j, order[FEEDBACKS], round, swap;
    policy_fixture_t  f;

    fixture_init(&f, "exp3", 3, "half_life=30s");
    deltas(&f, 1000, d);

    for (round = 0; round < 50; round++) {
        memset(f.app, 0, sizeof(f.app));

        for (i = 0; i < FEEDBACKS; i++) {
            order[i] = i;
        }

        for (i = FEEDBACKS - 1; round && i > 0; i--) {
            j = (ngx_uint_t) (uniform() * (i + 1));
            swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }

        for (i = 0; i < FEEDBACKS; i++) {
            clipper_policy_state_add(f.app, d[order[i]], f.size);
        }

        clipper_policy_state_read(f.app, f.size, 1.7e9 + 1000,
                                  rows[round > 0]);

        for (i = 0; i < f.size - CLIPPER_POLICY_ROWS; i++) {
            assert_true(rows[0][i] > 0);
            assert_close(rows[round > 0][i] / rows[0][i], 1, 1e-12);
        }
    }
}


/* two workers read the same state, then both write: nothing may be lost */

static void
test_concurrent_deltas_add_up(void **state)
{
    double            one[SIZE], rows[SIZE];
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=off");

    fixture_read(&f, 0);
    fixture_served(&f, 0, 1, 1);
    memcpy(one, f.delta, f.size * sizeof(double));
    fixture_served(&f, 0, 1, 0.5);

    clipper_policy_state_add(f.app, one, f.size);
    fixture_learn(&f);

    clipper_policy_state_read(f.app, f.size, f.now, rows);
    assert_close(rows[0], 2, 0);
    assert_close(rows[1], 1.5, 0);
}


/* waiting deltas are added to each other first */

static void
test_coalesced_deltas_are_the_same(void **state)
{
    double            d[FEEDBACKS][SIZE], half[2][SIZE], rows[2][SIZE];
    ngx_uint_t        i;
    policy_fixture_t  f;

    fixture_init(&f, "exp3", 3, "half_life=30s");
    deltas(&f, 100, d);
    memset(half, 0, sizeof(half));

    for (i = 0; i < FEEDBACKS; i++) {
        clipper_policy_state_add(f.app, d[i], f.size);
        clipper_policy_state_add(half[i % 2], d[i], f.size);
    }

    clipper_policy_state_add(half[0], half[1], f.size);

    clipper_policy_state_read(f.app, f.size, f.now, rows[0]);
    clipper_policy_state_read(half[0], f.size, f.now, rows[1]);

    for (i = 0; i < 6; i++) {
        assert_close(rows[1][i] / rows[0][i], 1, 1e-12);
    }
}


static void
test_half_life(void **state)
{
    double            rows[SIZE];
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=10m");

    f.now = 1.7e9;
    fixture_served(&f, 1, 1, 1);
    fixture_learn(&f);

    clipper_policy_state_read(f.app, f.size, f.now + 600, rows);
    assert_close(rows[2], 0.5, 1e-12);
    assert_close(rows[3], 0.5, 1e-12);

    /* older than the state, in whatever order */

    f.now -= 600;
    fixture_served(&f, 1, 1, 1);
    fixture_learn(&f);

    clipper_policy_state_read(f.app, f.size, 1.7e9, rows);
    assert_close(rows[2], 1.5, 1e-12);

    /* the clock of another machine is behind: no growth */

    clipper_policy_state_read(f.app, f.size, 1.7e9 - 6000, rows);
    assert_close(rows[2], 1.5, 1e-12);
}


/* exp(lambda * (t - t0)) of a year in half-lives of a second is infinite */

static void
test_t0_moves_before_overflow(void **state)
{
    double            rows[SIZE];
    ngx_uint_t        i;
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=1s");

    for (i = 0; i < 365 * 24; i++) {
        f.now = 1.7e9 + i * 3600.0;
        fixture_served(&f, 0, 1, 1);
        fixture_learn(&f);
        fixture_served(&f, 0, 1, 0);
        fixture_learn(&f);

        assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_OK);
    }

    clipper_policy_state_read(f.app, f.size, f.now, rows);
    assert_close(rows[0], 2, 1e-9);
    assert_close(rows[1], 1, 1e-9);
}


static void
test_half_life_may_change(void **state)
{
    double            rows[SIZE];
    policy_fixture_t  f;

    fixture_init(&f, "ucb", 2, "half_life=100s");
    f.now = 1000;
    fixture_served(&f, 0, 1, 1);
    fixture_learn(&f);

    /* 100 s with the old half-life, then 100 s with the new one */

    f.conf.lambda = M_LN2 / 50;
    f.now = 1100;
    fixture_served(&f, 0, 1, 1);
    fixture_learn(&f);

    clipper_policy_state_read(f.app, f.size, 1200, rows);
    assert_close(rows[0], (0.5 + 1) * 0.25, 1e-12);
}


static void
test_check_refuses_rubbish(void **state)
{
    policy_fixture_t  f;

    fixture_init(&f, "exp4", 3, "");
    assert_int_equal(f.size, CLIPPER_POLICY_ROWS + (3 + 10) * 4);
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_OK);

    f.app[5] = NAN;
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_ERROR);
    f.app[5] = INFINITY;
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_ERROR);
    f.app[5] = -1;
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_ERROR);
    f.app[5] = 1;
    assert_int_equal(clipper_policy_state_check(f.app, f.size), NGX_OK);
    assert_int_equal(clipper_policy_state_check(f.app, 1), NGX_ERROR);
    assert_int_equal(clipper_policy_state_check(f.app, 1 << 20), NGX_ERROR);
}


static ngx_int_t
set(clipper_policy_conf_t *conf, const char *name, const char *value,
    const char *text)
{
    char       err[CLIPPER_POLICY_ERR_LEN] = "";
    ngx_int_t  rc;
    ngx_str_t  n, v;

    n.data = (u_char *) name;
    n.len = strlen(name);
    v.data = (u_char *) value;
    v.len = strlen(value);

    rc = clipper_policy_param_set(conf, &n, &v, err);

    if (text) {
        assert_int_equal(rc, NGX_ERROR);
        assert_string_equal(err, text);
    }

    return rc;
}


static void
test_parameters(void **state)
{
    ngx_uint_t             i;
    clipper_policy_conf_t  before;
    policy_fixture_t       f;

    static const char  *bad[] = {
        "", "x", "0.1x", "1e", "nan", "inf", "0x1", "-0.1", "+1", "0", "10.1",
        "1e300", " 1", "1 ", "1,5", "0.000000000000000000000000000000001"
    };

    fixture_init(&f, "exp3", 2, "");
    assert_close(f.conf.param[0], 0.1, 0);
    assert_close(f.conf.param[1], 0.03, 0);
    assert_close(f.conf.lambda, M_LN2 / 86400, 0);
    assert_close(f.conf.mu, expm1(M_LN2 / 1000), 0);

    assert_int_equal(set(&f.conf, "eta", "0.25", NULL), NGX_OK);
    assert_close(f.conf.param[0], 0.25, 0);
    assert_close(f.conf.param[1], 0.03, 0);
    assert_int_equal(set(&f.conf, "eta", "1e-3", NULL), NGX_OK);
    assert_close(f.conf.param[0], 0.001, 0);
    assert_int_equal(set(&f.conf, "eta", "10", NULL), NGX_OK);
    assert_int_equal(set(&f.conf, "alpha", "0", NULL), NGX_OK);
    assert_int_equal(set(&f.conf, "alpha", "1", NULL), NGX_OK);

    before = f.conf;

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        set(&f.conf, "eta", bad[i], "parameter \"eta\" must be in (0, 10]");
    }

    set(&f.conf, "alpha", "1.01", "parameter \"alpha\" must be in [0, 1]");
    set(&f.conf, "gamma", "1", "policy \"exp3\" has no parameter \"gamma\"");
    set(&f.conf, "", "1", "policy \"exp3\" has no parameter \"\"");

    assert_memory_equal(&before, &f.conf, sizeof(before));

    fixture_init(&f, "first", 2, "");
    set(&f.conf, "eta", "1", "policy \"first\" has no parameter \"eta\"");
}


static void
test_half_life_values(void **state)
{
    ngx_uint_t        i;
    policy_fixture_t  f;

    static const struct { const char *text; double seconds; }  good[] = {
        { "90", 90 }, { "90s", 90 }, { "500ms", 0.5 }, { "10m", 600 },
        { "1h30m", 5400 }, { "1d", 86400 }, { "2w", 1209600 }, { "1h5", 3605 }
    };

    static const char  *bad[] = {
        "", "0", "0s", "m", "10x", "1.5h", "-1s", "10 m", "on",
        "99999999999999999999", "|", "|5", "15m|", "15m|0", "15m|0.5",
        "15m|-3", "15m|2e9", "15m|10m", "0|5", "off|", "off|x", "off|nan",
        "1h|2|3"
    };

    fixture_init(&f, "thompson", 2, "");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(set(&f.conf, "half_life", good[i].text, NULL),
                         NGX_OK);
        assert_close(f.conf.lambda * good[i].seconds, M_LN2, 1e-15);
    }

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        set(&f.conf, "half_life", bad[i],
            "parameter \"half_life\" must be in (0, 1e+09] seconds, "
            "or \"off\", with or without \"|\" and 1 to 1e+09 feedbacks");
    }

    assert_int_equal(set(&f.conf, "half_life", "15m|2000", NULL), NGX_OK);
    assert_close(f.conf.lambda, M_LN2 / 900, 0);
    assert_close(pow(1 + f.conf.mu, 2000), 2, 1e-9);

    assert_int_equal(set(&f.conf, "half_life", "off|50", NULL), NGX_OK);
    assert_close(f.conf.lambda, 0, 0);
    assert_close(pow(1 + f.conf.mu, 50), 2, 1e-9);

    assert_int_equal(set(&f.conf, "half_life", "15m", NULL), NGX_OK);
    assert_close(f.conf.lambda, M_LN2 / 900, 0);
    assert_close(f.conf.mu, 0, 0);

    assert_int_equal(set(&f.conf, "half_life", "off", NULL), NGX_OK);
    assert_close(f.conf.lambda, 0, 0);
    assert_close(f.conf.mu, 0, 0);
}


/* every policy in the table is complete and can be found by its name */

static void
test_table(void **state)
{
    ngx_str_t                name;
    ngx_uint_t               i, j;
    const clipper_policy_t  *policy;

    static const char  *names[] = { "first", "split", "epsilon_greedy", "ucb",
                                    "thompson", "exp3", "exp4", "majority",
                                    "mean" };

    for (i = 0; i < sizeof(names) / sizeof(char *); i++) {
        name.data = (u_char *) names[i];
        name.len = strlen(names[i]);

        policy = clipper_policy_table_find(&name);
        assert_non_null(policy);
        assert_ptr_equal(policy, clipper_policy_table_get(i));
        assert_non_null(policy->weights);
        assert_true(policy->links >= 1);
        assert_true((policy->nfields > 0) == (policy->observe != NULL));

        for (j = 0; j < policy->nfields; j++) {
            assert_non_null(policy->fields[j]);
        }

        name.len--;
        assert_null(clipper_policy_table_find(&name));
    }

    assert_null(clipper_policy_table_get(i));
    assert_null(clipper_policy_table_get(i + 100));
}


/*
 * Catches a memo that outlives a feedback, or that does not save the integral
 * while only a little time passes.
 */

static void
test_memo(void **state)
{
    double                 p[K_MAX], q[K_MAX];
    uint64_t               seed;
    ngx_uint_t             i, t, spared;
    policy_fixture_t       f;
    clipper_policy_memo_t  memo, before;

    fixture_init(&f, "thompson", 5, "half_life=1000s");
    memset(&memo, 0, sizeof(memo));
    seed = 7;
    spared = 0;

    for (t = 0; t < 3000; t++) {
        f.now = 1.7e9 + t / 10.0;
        fixture_read(&f, 0);

        if (t % 10 == 0) {
            i = clipper_policy_draw_mix(&seed) % 5;
            assert_int_equal(fixture_served(&f, i, NONE, t % 7 < i), NGX_OK);
            fixture_learn(&f);
            fixture_read(&f, 0);
        }

        f.view.memo = NULL;
        clipper_policy_weights(&f.conf, &f.view, p);

        before = memo;
        f.view.memo = &memo;
        clipper_policy_weights(&f.conf, &f.view, q);

        for (i = 0; i < 5; i++) {
            assert_close(p[i], q[i], 1e-3);
        }

        if (memcmp(&before, &memo, sizeof(memo)) == 0) {
            spared++;
            assert_true(t % 10);
        }
    }

    assert_true(spared > 1000);

    /* a member goes */

    f.view.up = 0x1e;
    clipper_policy_weights(&f.conf, &f.view, q);
    assert_close(q[0], 0, 0);
    assert_close(q[1] + q[2] + q[3] + q[4], 1, 1e-12);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_half_life_values),
        cmocka_unit_test(test_add_commutes),
        cmocka_unit_test(test_concurrent_deltas_add_up),
        cmocka_unit_test(test_coalesced_deltas_are_the_same),
        cmocka_unit_test(test_half_life),
        cmocka_unit_test(test_t0_moves_before_overflow),
        cmocka_unit_test(test_half_life_may_change),
        cmocka_unit_test(test_check_refuses_rubbish),
        cmocka_unit_test(test_memo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

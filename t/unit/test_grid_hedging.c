
/*
 * Copies of late batches, in cells of docs/scheduling.md and others.  Catches:
 * copies in an overload, answers that they cost, and batches of a replica that
 * is always slow, which are never late by its own profile.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched_grid.h"


#define QUERIES  1500


/* the sums of so many lives */

static sched_score_t
lives(const sched_cell_t *cell, const sched_way_t *way, uint32_t n)
{
    uint64_t       seed;
    sched_score_t  score, sum;

    memset(&sum, 0, sizeof(sum));

    for (seed = 1; seed <= n; seed++) {
        sched_grid_run(cell, way, seed, QUERIES, &score);
        sum.asked += score.asked;
        sum.on_time += score.on_time;
        sum.hedges += score.hedges;
        sum.sent += score.sent;
    }

    return sum;
}


/* hedging takes nobody's answer, and copies nearly nothing in an overload */

static void
assert_costs_nothing(const sched_cell_t *cell)
{
    sched_way_t    way;
    sched_score_t  with, without;

    memset(&way, 0, sizeof(way));
    with = lives(cell, &way, 4);
    way.no_hedge = 1;
    without = lives(cell, &way, 4);

    printf("    %u replicas, SLO %4.1f, load %.1f, noise %.1f: %.4f, off %.4f,"
           " %.0f copies of %.0f\n", cell->replicas, cell->slo, cell->load,
           cell->noise, with.on_time / with.asked,
           without.on_time / without.asked, with.hedges, with.sent);

    assert_true(with.asked == without.asked);
    assert_true(with.on_time >= 0.99 * without.on_time);
    assert_true(with.hedges <= (cell->load > 1 ? 0.001 : 0.05) * with.sent);
}


/* several replicas, some of them with much and some with little to do */

static void
test_copies_cost_nothing(void **state)
{
    uint32_t      i, k;
    sched_cell_t  cell;

    static const sched_cell_t  cells[] = {
        { .a_us = 4000, .b_us = 1000, .replicas = 3, .slo = 8, .load = 0.7 },
        { .a_us = 4000, .b_us = 1000, .replicas = 3, .slo = 8, .load = 0.9 },
        { .a_us = 4000, .b_us = 1000, .replicas = 3, .slo = 8, .load = 2 },
        { .a_us = 4000, .b_us = 1000, .replicas = 2, .slo = 20, .load = 1.5 },
        { .a_us = 20, .b_us = 1980, .replicas = 2, .slo = 2.5, .load = 0.1 },
        { .a_us = 20, .b_us = 9980, .replicas = 4, .slo = 1.9, .load = 0.6 },
        { .a_us = 20, .b_us = 9980, .replicas = 4, .slo = 4, .load = 0.6 },
    };

    for (i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        for (k = 0; k < 3; k++) {
            cell = cells[i];
            cell.noise = 0.1 * k;
            assert_costs_nothing(&cell);
        }
    }
}


/*
 * A replica that stops half of the time has a slow profile, so its batches are
 * late by that of the other one.
 */

static void
test_slow_one_is_late(void **state)
{
    uint32_t       i;
    sched_way_t    way;
    sched_cell_t   cell;
    sched_score_t  by_profile, by_time;

    static const double  loads[] = { 0.3, 0.6, 0.9 };

    for (i = 0; i < 3; i++) {
        memset(&cell, 0, sizeof(cell));
        cell.a_us = 4000;
        cell.b_us = 1000;
        cell.replicas = 2;
        cell.slo = 2.5;
        cell.load = loads[i];
        cell.trouble = SCHED_PULSED;

        memset(&way, 0, sizeof(way));
        by_profile = lives(&cell, &way, 16);
        way.hedge_us = 6000;
        by_time = lives(&cell, &way, 16);

        printf("    load %.1f: %.4f, after 6 ms %.4f\n", loads[i],
               by_profile.on_time / by_profile.asked,
               by_time.on_time / by_time.asked);

        assert_true(by_profile.on_time >= 0.99 * by_time.on_time);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_copies_cost_nothing),
        cmocka_unit_test(test_slow_one_is_late),
    };

    return cmocka_run_group_tests_name("grid_hedging", tests, NULL, NULL);
}


/*
 * A short form of docs/scheduling.md.  Catches: hedging that costs answers at
 * some load, replicas that take from others what they cannot answer, and
 * stragglers that cost more than they must.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched_grid.h"


#define QUERIES  1000


static sched_cell_t
cell_of(uint32_t replicas, double slo, double load, sched_trouble_e trouble)
{
    sched_cell_t  cell;

    memset(&cell, 0, sizeof(cell));
    cell.a_us = 4000;
    cell.b_us = 1000;
    cell.replicas = replicas;
    cell.slo = slo;
    cell.load = load;
    cell.trouble = trouble;

    return cell;
}


static void
assert_hedges_well(sched_cell_t cell)
{
    double  ratio, with, best;

    ratio = sched_grid_hedging(&cell, QUERIES, &with, &best);

    printf("    %2u replicas, SLO %4.1f, load %.1f, trouble %d: %.3f, ratio"
           " %.3f\n", cell.replicas, cell.slo, cell.load, cell.trouble, with,
           ratio);

    assert_true(ratio >= 0.99);
}


static void
test_hedging_costs_nothing(void **state)
{
    uint32_t  i, s, l;

    static const uint32_t  replicas[] = { 1, 2, 4 };
    static const double    slos[] = { 2.5, 8 };
    static const double    loads[] = { 0.1, 0.6, 0.9, 2, 4 };

    for (i = 0; i < 3; i++) {
        for (s = 0; s < 2; s++) {
            for (l = 0; l < 5; l++) {
                assert_hedges_well(cell_of(replicas[i], slos[s], loads[l],
                                           SCHED_NO_TROUBLE));
            }
        }
    }

    assert_hedges_well(cell_of(16, 8, 2, SCHED_NO_TROUBLE));
}


static double
answered(sched_cell_t cell)
{
    sched_way_t    way;
    sched_score_t  score;

    memset(&way, 0, sizeof(way));
    sched_grid_run(&cell, &way, 1, QUERIES, &score);

    printf("    %2u replicas, SLO %4.1f, load %.1f, trouble %d: %.3f\n",
           cell.replicas, cell.slo, cell.load, cell.trouble,
           score.on_time / score.asked);

    return score.on_time / score.asked;
}


/* the others can serve the load, so hardly anybody notices */

static void
test_stragglers(void **state)
{
    uint32_t  i, l;

    static const uint32_t  replicas[] = { 2, 4, 16 };
    static const double    loads[] = { 0.1, 0.3 };

    for (i = 0; i < 3; i++) {
        for (l = 0; l < 2; l++) {
            assert_true(answered(cell_of(replicas[i], 8, loads[l],
                                         SCHED_STOPPED))
                        == 1);
            assert_true(answered(cell_of(replicas[i], 8, loads[l],
                                         SCHED_KILLED))
                        == 1);
            assert_true(answered(cell_of(replicas[i], 8, loads[l],
                                         SCHED_SLOWER))
                        >= 0.985);
        }
    }
}


/*
 * One that cannot answer anything on time for two seconds leaves the queue to
 * those who can: it would drop two thirds of what comes.
 */

static void
test_slow_replica_takes_nothing_away(void **state)
{
    assert_true(answered(cell_of(2, 2.5, 0.3, SCHED_SLOWER)) >= 0.93);
    assert_true(answered(cell_of(4, 2.5, 0.6, SCHED_SLOWER)) >= 0.93);
    assert_true(answered(cell_of(16, 4, 0.6, SCHED_SLOWER)) >= 0.98);
    assert_true(answered(cell_of(16, 2.5, 2, SCHED_SLOWER)) >= 0.7);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hedging_costs_nothing),
        cmocka_unit_test(test_stragglers),
        cmocka_unit_test(test_slow_replica_takes_nothing_away),
    };

    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}

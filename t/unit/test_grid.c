
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
#include "splitmix.h"


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
    sched_hedging_t  h;

    h.queries = QUERIES;
    sched_grid_hedging(&cell, &h);

    printf("    %2u replicas, SLO %4.1f, load %.1f, trouble %d: %.3f, ratio"
           " %.3f\n", cell.replicas, cell.slo, cell.load, cell.trouble,
           h.with, h.ratio);

    assert_true(h.ratio >= 0.99);
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


/* the others can serve the load, so hardly any answer is late */

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


/* the part that is answered in several lives with 10 % of noise */

static double
answered_so(sched_cell_t cell, const clipper_batch_conf_t *conf)
{
    double         asked, on_time;
    uint64_t       seed;
    sched_way_t    way;
    sched_score_t  score;

    memset(&way, 0, sizeof(way));
    way.conf = *conf;
    cell.noise = 0.1;
    asked = 0;
    on_time = 0;

    for (seed = 1; seed <= 4; seed++) {
        sched_grid_run(&cell, &way, seed, QUERIES, &score);
        asked += score.asked;
        on_time += score.on_time;
    }

    printf("    %2u replicas, SLO %4.1f, load %.1f, %s, waits %d us: %.4f\n",
           cell.replicas, cell.slo, cell.load,
           conf->keep ? "all kept" : "as it is", (int) conf->wait_us,
           on_time / asked);

    return on_time / asked;
}


/*
 * Heads are given up for others only where that wins something: below the
 * capacity nobody is.
 */

static void
test_giving_up_costs_nothing(void **state)
{
    double                with, without;
    uint32_t              i, s, l;
    sched_cell_t          cell;
    clipper_batch_conf_t  conf;

    static const uint32_t  replicas[] = { 1, 2, 4, 16 };
    static const double    slos[] = { 2.5, 4, 8 };
    static const double    loads[] = { 0.3, 0.6, 0.9, 2 };

    for (i = 0; i < 4; i++) {
        for (s = 0; s < 3; s++) {
            for (l = 0; l < 4; l++) {
                cell = cell_of(replicas[i], slos[s], loads[l],
                               SCHED_NO_TROUBLE);
                memset(&conf, 0, sizeof(conf));
                with = answered_so(cell, &conf);
                conf.keep = 1;
                without = answered_so(cell, &conf);

                assert_true(with >= (loads[l] < 1 ? 0.99 : 1.2) * without);
            }
        }
    }
}


/*
 * A slow replica is learned although its batches have copies, which answer
 * first: else it gets every sixteenth input, and the copies have no credit.
 * One that stops now and then stays known as fast, so that copies come early.
 */

static void
test_copies_hide_nothing(void **state)
{
    clipper_batch_conf_t  conf;

    memset(&conf, 0, sizeof(conf));

    assert_true(answered_so(cell_of(16, 2.5, 0.1, SCHED_SLOWER), &conf)
                >= 0.99);
    assert_true(answered_so(cell_of(4, 8, 0.1, SCHED_PULSED), &conf)
                >= 0.998);
}


/* the part that is answered in eight lives with 20 % of noise */

static double
answered_noisily(sched_cell_t cell, uint32_t no_risk)
{
    double         asked, on_time;
    uint64_t       seed;
    sched_way_t    way;
    sched_score_t  score;

    memset(&way, 0, sizeof(way));
    way.conf.no_risk = no_risk;
    cell.noise = 0.2;
    asked = 0;
    on_time = 0;

    for (seed = 1; seed <= 8; seed++) {
        sched_grid_run(&cell, &way, seed, QUERIES, &score);
        asked += score.asked;
        on_time += score.on_time;
    }

    return on_time / asked;
}


/*
 * A batch that is larger than is safe takes nobody's answer, however many
 * replicas could take what it leaves.
 */

static void
test_risk_costs_nothing(void **state)
{
    double        with, without;
    uint32_t      i, s, l;
    sched_cell_t  cell;

    static const uint32_t  replicas[] = { 1, 2, 4, 16 };
    static const double    slos[] = { 2.5, 4 };
    static const double    loads[] = { 0.3, 0.6, 0.9, 1.2, 2, 4 };

    for (i = 0; i < 4; i++) {
        for (s = 0; s < 2; s++) {
            for (l = 0; l < 6; l++) {
                cell = cell_of(replicas[i], slos[s], loads[l],
                               SCHED_NO_TROUBLE);
                with = answered_noisily(cell, 0);
                without = answered_noisily(cell, 1);

                printf("    %2u replicas, SLO %.1f, load %.1f: %.4f, without"
                       " risk %.4f\n", replicas[i], slos[s], loads[l], with,
                       without);
                assert_true(with >= without - 0.003);
            }
        }
    }
}


/* half a batch of "batch_wait" takes nobody's answer */

static void
test_waiting_costs_nothing(void **state)
{
    double                at_once, later;
    uint32_t              i, l;
    sched_cell_t          cell;
    clipper_batch_conf_t  conf;

    static const uint32_t  replicas[] = { 1, 2, 4, 16 };
    static const double    loads[] = { 0.1, 0.3, 0.6, 0.9, 2 };

    for (i = 0; i < 4; i++) {
        for (l = 0; l < 5; l++) {
            cell = cell_of(replicas[i], 2.5, loads[l], SCHED_NO_TROUBLE);
            memset(&conf, 0, sizeof(conf));
            at_once = answered_so(cell, &conf);
            conf.wait_us = 2500;
            later = answered_so(cell, &conf);

            assert_true(later >= 0.99 * at_once);
        }
    }
}


/*
 * One by one, each as soon as the one before is done, if it can be on time
 * then: with equal SLOs and times nobody can answer more.
 */

static double
best_schedule(double rate, double each_us, double slo_us, double seconds,
    double margin_us)
{
    double    now_us, free_us, asked, answered;
    uint64_t  arrivals;

    arrivals = splitmix(1);            /* those of the simulation */
    now_us = 1;
    free_us = 0;
    asked = 0;
    answered = 0;

    while (now_us < SCHED_GRID_WARM_US + seconds * 1e6) {
        asked += now_us >= SCHED_GRID_WARM_US;

        if (ngx_max(now_us, free_us) + each_us + margin_us
            <= now_us + slo_us)
        {
            free_us = ngx_max(now_us, free_us) + each_us;
            answered += now_us >= SCHED_GRID_WARM_US;
        }

        now_us = floor(now_us + sched_exponential(&arrivals, rate));
    }

    return answered / asked;
}


/* 2 ms each, an SLO of 5 ms: no room for two that come together */

static void
test_near_the_best_schedule(void **state)
{
    double         best, bound, share;
    uint32_t       i, k;
    sched_way_t    way;
    sched_cell_t   cell;
    sched_score_t  score;

    static const double  loads[] = { 0.5, 0.8, 1, 1.5, 2 };

    memset(&way, 0, sizeof(way));

    for (i = 0; i < 5; i++) {
        for (k = 0; k < 2; k++) {
            cell = cell_of(1, 2.5, loads[i], SCHED_NO_TROUBLE);
            cell.a_us = 20;
            cell.b_us = 1980;
            cell.noise = k ? 0.05 : 0;

            sched_grid_run(&cell, &way, 1, 10000, &score);
            best = best_schedule(sched_grid_capacity(&cell) * loads[i], 2000,
                                 5000, score.seconds, SCHED_MARGIN_US);
            bound = best_schedule(sched_grid_capacity(&cell) * loads[i], 2000,
                                  5000, score.seconds, 0);
            share = score.on_time / score.asked;

            printf("    load %.1f: %.3f, the best schedule %.3f, and %.3f if an"
                   " answer took no time to deliver\n", loads[i], share, best,
                   bound);
            assert_true(share >= 0.95 * best);
            assert_true(share >= 0.94 * bound);
        }
    }
}


/*
 * The part that one replica answers which sends, as soon as it is idle, as many
 * as take a fixed part of the time of the first on average, and gives up what
 * has not even that for itself.
 */

static double
threshold(const sched_cell_t *cell, double part, uint64_t seed, double seconds)
{
    double    now_us, free_us, next_us, slo_us, us, n, asked, answered, *queue;
    uint32_t  head, tail, i;
    sched_t   chance;

    memset(&chance, 0, sizeof(chance));
    chance.arrivals = splitmix(seed);
    chance.random = seed;
    queue = calloc(1 << 16, sizeof(double));
    slo_us = cell->slo * (cell->a_us + cell->b_us);
    head = tail = 0;
    next_us = 1;
    free_us = asked = answered = 0;

    for ( ;; ) {
        if (head < tail && free_us <= next_us) {
            now_us = free_us;

        } else if (next_us < SCHED_GRID_WARM_US + seconds * 1e6) {
            now_us = next_us;
            assert_true(tail < 1 << 16);
            queue[tail++] = now_us + slo_us - SCHED_MARGIN_US;
            asked += now_us >= SCHED_GRID_WARM_US;
            next_us = floor(now_us + sched_exponential(&chance.arrivals,
                                sched_grid_capacity(cell) * cell->load));

        } else {
            break;
        }

        while (head < tail && free_us <= now_us) {
            n = floor(((queue[head] - now_us) / part - cell->a_us)
                      / cell->b_us);
            n = ngx_min(n, tail - head);

            if (n < 1) {
                head++;
                continue;
            }

            us = (cell->a_us + cell->b_us * n)
                 * exp(cell->noise * sched_normal(&chance));
            free_us = now_us + us;

            for (i = 0; i < (uint32_t) n; i++, head++) {
                answered += queue[head] >= free_us
                            && queue[head] - slo_us >= SCHED_GRID_WARM_US;
            }
        }
    }

    free(queue);

    return answered / asked;
}


/*
 * Where few inputs fit into the time, a batch as large as is safe is too small:
 * with 20 % of noise an eighth of the answers is lost.
 */

static void
test_calculated_risk(void **state)
{
    double         part, best, sum, share, asked, on_time;
    uint32_t       i, k;
    uint64_t       seed;
    sched_way_t    way;
    sched_cell_t   cell;
    sched_score_t  score;

    static const double  loads[] = { 0.6, 0.9, 1.2, 2 };

    memset(&way, 0, sizeof(way));

    for (i = 0; i < 4; i++) {
        for (k = 0; k < 3; k++) {
            cell = cell_of(1, 2.5, loads[i], SCHED_NO_TROUBLE);
            cell.noise = 0.1 * k;
            asked = 0;
            on_time = 0;
            best = 0;

            for (seed = 1; seed <= 4; seed++) {
                sched_grid_run(&cell, &way, seed, 1500, &score);
                asked += score.asked;
                on_time += score.on_time;
            }

            for (part = 0.7; part < 1.3; part += 0.05) {
                for (seed = 1, sum = 0; seed <= 4; seed++) {
                    sum += threshold(&cell, part, seed, score.seconds);
                }

                best = ngx_max(best, sum / 4);
            }

            share = on_time / asked;
            printf("    load %.1f, noise %.1f: %.3f, the best threshold"
                   " %.3f\n", loads[i], cell.noise, share, best);
            assert_true(share >= 0.97 * best);
        }
    }
}


/*
 * Five times slower for two seconds, so that nothing can be on time: when that
 * is over it is noticed at once.
 */

static void
test_recovers_at_once(void **state)
{
    double        before, after;
    sched_t       sim;
    uint32_t      i, seed;
    sched_cell_t  cell;

    before = 0;
    after = 0;

    for (seed = 1; seed <= 5; seed++) {
        cell = cell_of(1, 2.5, 1, SCHED_SLOWER);
        cell.all = 1;
        cell.noise = 0.03;
        sched_grid_live(&cell, &(sched_way_t) { 0 }, seed, 0, &sim);

        for (i = 5; i < 10; i++) {
            before += sim.good[i] / 5.0;
        }

        after += (sim.good[30] + sim.good[31]) / 2.0;
        sched_finish(&sim);
    }

    printf("    %.2f in the first 0.2 s after it\n", after / before);
    assert_true(after >= 0.6 * before);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hedging_costs_nothing),
        cmocka_unit_test(test_stragglers),
        cmocka_unit_test(test_slow_replica_takes_nothing_away),
        cmocka_unit_test(test_giving_up_costs_nothing),
        cmocka_unit_test(test_copies_hide_nothing),
        cmocka_unit_test(test_risk_costs_nothing),
        cmocka_unit_test(test_waiting_costs_nothing),
        cmocka_unit_test(test_near_the_best_schedule),
        cmocka_unit_test(test_calculated_risk),
        cmocka_unit_test(test_recovers_at_once),
    };

    return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}

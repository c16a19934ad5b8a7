
/*
 * Cells of a grid in virtual time, see the header.
 */


#include "sched_grid.h"


#define SECONDS_MIN  1.0
#define SECONDS_MAX  60.0

/* that wait at once: a small zone, which is made and checked sooner */
#define SCHED_GRID_FEW    1000

#define SCHED_GRID_WAYS   7
#define SCHED_GRID_LIVES  16


static double
sched_grid_slo_us(const sched_cell_t *cell)
{
    return cell->slo * (cell->a_us + cell->b_us);
}


/* batches of half the SLO, or of one */

double
sched_grid_capacity(const sched_cell_t *cell)
{
    double  n;

    n = floor((sched_grid_slo_us(cell) / 2 - cell->a_us) / cell->b_us);
    n = ngx_max(n, 1);

    return cell->replicas * n / (cell->a_us + cell->b_us * n) * 1e6;
}


static void
sched_grid_trouble(const sched_cell_t *cell, sched_t *sim)
{
    sim->trouble.kind = cell->trouble;
    sim->trouble.replica = cell->all ? SCHED_ALL : 0;
    sim->trouble.from_us = SCHED_GRID_WARM_US;
    sim->trouble.to_us = SCHED_GRID_WARM_US + SCHED_GRID_TROUBLE_US;
    sim->trouble.factor = 5;
}


double
sched_grid_live(const sched_cell_t *cell, const sched_way_t *way,
    uint64_t seed, double queries, sched_t *sim)
{
    double  rate, seconds;

    rate = sched_grid_capacity(cell) * cell->load;

    seconds = cell->trouble ? SCHED_GRID_TROUBLE_US / 1e6 + 0.5
                            : ngx_max(queries / rate, SECONDS_MIN);
    seconds = ngx_min(ceil(seconds * 10) / 10, SECONDS_MAX);

    sched_init(sim, seed);
    sim->zone_size = rate * sched_grid_slo_us(cell) < SCHED_GRID_FEW * 1e6
                     ? 8 << 20 : 32 << 20;
    sim->queue_max = 10000;
    sim->no_hedge = way->no_hedge;
    sim->hedge_us = way->hedge_us;
    sim->no_halves = way->no_halves;
    sim->no_suspects = way->no_suspects;
    sim->conf = way->conf;
    sim->until_us = (uint64_t) (SCHED_GRID_WARM_US + seconds * 1e6);
    sim->counted_us = (uint64_t) SCHED_GRID_WARM_US;
    sched_grid_trouble(cell, sim);

    sim->nmodels = 1;
    sim->models[0].a_us = cell->a_us;
    sim->models[0].b_us = cell->b_us;
    sim->models[0].noise = cell->noise;
    sim->models[0].stuck = cell->stuck;
    sim->models[0].stuck_us = 9 * (cell->a_us + cell->b_us);
    sim->models[0].replicas = cell->replicas;
    sim->napps = 1;
    sim->apps[0].slo_us = (uint64_t) sched_grid_slo_us(cell);
    sim->apps[0].rate = rate;
    sim->apps[0].names = cell->names;
    sim->poison = cell->names != 0;

    sched_start(sim);
    sched_run(sim, 0);

    return seconds;
}


void
sched_grid_run(const sched_cell_t *cell, const sched_way_t *way,
    uint64_t seed, double queries, sched_score_t *score)
{
    sched_t  sim;

    score->seconds = sched_grid_live(cell, way, seed, queries, &sim);
    score->asked = (double) sim.counted;
    score->on_time = (double) sim.counted_good;
    score->hedges = (double) sim.hedges;
    score->sent = (double) sim.sent;

    sched_finish(&sim);
}


/* auto, off, and after a time */

static void
sched_grid_ways(const sched_cell_t *cell, sched_way_t *ways)
{
    double  one_us;

    one_us = cell->a_us + cell->b_us;

    memset(ways, 0, SCHED_GRID_WAYS * sizeof(sched_way_t));
    ways[1].no_hedge = 1;
    ways[2].hedge_us = (uint64_t) (0.3 * one_us);
    ways[3].hedge_us = (uint64_t) (0.8 * one_us);
    ways[4].hedge_us = (uint64_t) (1.2 * one_us);
    ways[5].hedge_us = (uint64_t) (2 * one_us);
    ways[6].hedge_us = (uint64_t) (cell->slo * one_us / 2);
}


/*
 * Compares auto to the best other way, or to one of them.  Gives the best one,
 * by the sums of some lives.
 */

static uint32_t
sched_grid_compare(const sched_cell_t *cell, uint64_t seed, uint32_t lives,
    uint32_t only, sched_hedging_t *h)
{
    double         sum[SCHED_GRID_WAYS], asked;
    uint32_t       w, n, best;
    uint64_t       end;
    sched_way_t    ways[SCHED_GRID_WAYS];
    sched_score_t  score;

    sched_grid_ways(cell, ways);
    memset(sum, 0, sizeof(sum));
    asked = 0;
    n = cell->replicas == 1 ? 2 : SCHED_GRID_WAYS;

    for (end = seed + lives; seed < end; seed++) {
        for (w = 0; w < n; w++) {
            if (w && only && w != only) {
                continue;
            }

            sched_grid_run(cell, &ways[w], seed, h->queries, &score);
            sum[w] += score.on_time;
        }

        asked += score.asked;
    }

    best = only ? only : 1;

    for (w = 1; w < n && !only; w++) {
        best = sum[w] > sum[best] ? w : best;
    }

    h->with = sum[0] / asked;
    h->best = sum[best] / asked;
    h->best_us = ways[best].hedge_us;
    h->ratio = sum[best] > 0 ? sum[0] / sum[best] : 1;

    return best;
}


void
sched_grid_hedging(const sched_cell_t *cell, sched_hedging_t *h)
{
    uint32_t  best;

    (void) sched_grid_compare(cell, 1, 1, 0, h);

    if (h->ratio >= 0.99) {
        return;
    }

    best = sched_grid_compare(cell, 2, SCHED_GRID_LIVES, 0, h);

    /* the best of several is better by chance: it is compared once more */

    if (h->ratio < 0.99) {
        (void) sched_grid_compare(cell, 2 + SCHED_GRID_LIVES,
                                  2 * SCHED_GRID_LIVES, best, h);
    }
}

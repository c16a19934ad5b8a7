
/*
 * The scheduler's mechanisms over a grid of models, replicas, SLOs, loads and
 * troubles, in virtual time: the tables of docs/scheduling.md, as Markdown.
 *
 *     bench_grid [QUERIES]     queries in each cell, about; default 1500
 */

#include "../unit/sched_grid.h"


#define ROWS(a)  (sizeof(a) / sizeof((a)[0]))

#define LIVES       4u
#define RISK_LIVES  12u     /* the differences are small */


static const double    loads[] = { 0.1, 0.3, 0.6, 0.9, 1.2, 2, 4 };
static const double    slos[] = { 2.5, 4, 8, 20 };
static const uint32_t  replicas[] = { 1, 2, 4, 16 };

static double    queries;
static double    worst, least[2];
static uint32_t  cells, below;


static void
head(const char *first)
{
    uint32_t  i;

    printf("| %s | SLO", first);

    for (i = 0; i < ROWS(loads); i++) {
        printf(" | %.1f", loads[i]);
    }

    printf(" |\n|---|---");

    for (i = 0; i < ROWS(loads); i++) {
        printf("|---");
    }

    printf("|\n");
}


/* "auto" compared to the best of "off" and of some times */

static void
hedging_cell(const sched_cell_t *cell)
{
    double  ratio, best, with;

    ratio = sched_grid_hedging(cell, queries, &with, &best);

    printf(" | %.1f (%.3f)", 100 * with, ratio);
    fflush(stdout);

    cells++;
    below += ratio < 0.99;

    if (ratio < worst) {
        worst = ratio;
        least[0] = with;
        least[1] = best;
    }
}


static void
hedging(const char *title, sched_cell_t cell)
{
    uint32_t  i, s, l;

    printf("\n### %s\n\n", title);
    head("replicas");

    for (i = 0; i < ROWS(replicas); i++) {
        for (s = 0; s < ROWS(slos); s++) {
            cell.replicas = replicas[i];
            cell.slo = slos[s];
            printf("| %u | %.1f", cell.replicas, cell.slo);

            for (l = 0; l < ROWS(loads); l++) {
                cell.load = loads[l];
                hedging_cell(&cell);
            }

            printf(" |\n");
        }
    }
}


/* the part that is answered in some lives, in percent */

static double
answered(const sched_cell_t *cell, const sched_way_t *way, uint32_t lives)
{
    double         asked, on_time;
    uint64_t       seed;
    sched_score_t  score;

    asked = 0;
    on_time = 0;

    for (seed = 1; seed <= lives; seed++) {
        sched_grid_run(cell, way, seed, queries, &score);
        asked += score.asked;
        on_time += score.on_time;
    }

    return 100 * on_time / asked;
}


/* batches as large as is safe, and as they are */

static void
risk(sched_cell_t cell)
{
    uint32_t  i, s, l;

    static const sched_way_t  with, without = { .conf = { .no_risk = 1 } };

    head("replicas");

    for (i = 0; i < ROWS(replicas); i++) {
        for (s = 0; s < 2; s++) {
            cell.replicas = replicas[i];
            cell.slo = slos[s];
            printf("| %u | %.1f", cell.replicas, cell.slo);

            for (l = 0; l < ROWS(loads); l++) {
                cell.load = loads[l];
                printf(" | %.1f, %.1f", answered(&cell, &without, RISK_LIVES),
                       answered(&cell, &with, RISK_LIVES));
                fflush(stdout);
            }

            printf(" |\n");
        }
    }
}


static void
mechanisms(const char *title, sched_cell_t cell)
{
    uint32_t  i, s, l, w;

    static const sched_way_t  ways[] = {
        { .name = "as it is" },
        { .name = "no hedging", .no_hedge = 1 },
        { .name = "nothing given up for others", .conf = { .keep = 1 } },
        { .name = "`batch_wait` of half a batch", .conf = { .wait_us = 2500 } },
        { .name = "no calculated risk", .conf = { .no_risk = 1 } },
        { .name = "no probes", .conf = { .no_probe = 1 } },
        { .name = "what was lost asked again at once", .no_halves = 1 },
        { .name = "no suspects", .no_suspects = 1 },
        { .name = "no profile (`batch aimd`)", .conf = { .plain = 1 } },
    };

    cell.a_us = 4000;
    cell.b_us = 1000;
    cell.noise = 0.1;

    for (i = 0; i < 2; i++) {
        cell.replicas = i ? 4 : 1;
        printf("\n### %s, %u replica%s\n\n", title, cell.replicas,
               i ? "s" : "");
        head("mechanisms");

        for (s = 0; s < 2; s++) {
            cell.slo = s ? 8 : 2.5;

            for (w = 0; w < ROWS(ways); w++) {

                if ((ways[w].no_halves || ways[w].no_suspects)
                    && cell.names == 0)
                {
                    continue;           /* nothing is lost */
                }

                printf("| %s | %.1f", ways[w].name, cell.slo);

                for (l = 0; l < ROWS(loads); l++) {
                    cell.load = loads[l];
                    printf(" | %.1f", answered(&cell, &ways[w], LIVES));
                    fflush(stdout);
                }

                printf(" |\n");
            }
        }
    }
}


int
main(int argc, char **argv)
{
    sched_cell_t  cell;

    queries = argc > 1 ? atof(argv[1]) : 1500;
    worst = 1e9;

    printf("# The scheduler over a grid\n\nMade by `make grid`: the real "
           "queue, leases and batch control in virtual time\n"
           "(`t/unit/sched.h`). A load of 1 is the throughput of batches that "
           "take half the SLO; the SLO is in times of a batch of one.\n"
           "The [architecture](architecture.md#deadlines-and-batches) "
           "describes how the scheduler decides.\n\n"
           "## Hedging\n\nInputs answered on time, in percent of all, with "
           "`hedge auto`; in brackets the ratio to the best\n"
           "of `hedge off` and fixed times of 1.2 and 2 batches and of half "
           "the SLO. A trouble lasts two seconds; these\nand the half second "
           "after them count. A cell below 0.99 in its first life is lived\n"
           "through 16 more times, and these are shown.\n");

    memset(&cell, 0, sizeof(cell));
    cell.a_us = 4000;
    cell.b_us = 1000;
    hedging("4 ms and 1 ms per input", cell);

    cell.noise = 0.2;
    cell.stuck = 0.01;
    hedging("The same, 20 % of noise, one batch in a hundred ten times as long",
            cell);

    cell.noise = 0;
    cell.stuck = 0;
    cell.trouble = SCHED_STOPPED;
    hedging("4 ms and 1 ms per input, one replica stopped", cell);
    cell.trouble = SCHED_KILLED;
    hedging("One replica killed", cell);
    cell.trouble = SCHED_SLOWER;
    hedging("One replica five times slower", cell);
    cell.trouble = SCHED_PULSED;
    hedging("One replica stopped for 50 ms of every 100", cell);

    cell.trouble = SCHED_NO_TROUBLE;
    cell.a_us = 100;
    cell.b_us = 10000;
    hedging("10 ms per input", cell);

    printf("\nOf %u cells %u are below 0.99; the least is %.3f (%.1f to "
           "%.1f).\n", cells, below, worst, 100 * least[0], 100 * least[1]);

    memset(&cell, 0, sizeof(cell));
    cell.a_us = 4000;
    cell.b_us = 1000;
    cell.noise = 0.2;
    printf("\n## Calculated risk\n\nWhere few inputs fit into the time, a "
           "batch may be larger than is safe. Answered on time with\n"
           "20 %% of noise, in percent, in %u lives: without the risk, and "
           "with it.\n\n", RISK_LIVES);
    risk(cell);

    printf("\n## Mechanisms on and off\n\n4 ms and 1 ms per input, 10 %% of "
           "noise; answered on time, in percent, in %u lives. What\n"
           "differs by less than one is chance; where replicas are killed, "
           "less than five.\n", LIVES);

    memset(&cell, 0, sizeof(cell));
    mechanisms("No trouble", cell);

    cell.all = 1;
    cell.trouble = SCHED_SLOWER;
    mechanisms("Five times slower for two seconds", cell);

    cell.all = 0;
    cell.trouble = SCHED_NO_TROUBLE;
    cell.names = 5000;
    mechanisms("Five of 5000 inputs kill their replica", cell);

    return 0;
}

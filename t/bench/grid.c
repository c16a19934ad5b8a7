
/*
 * The scheduler's mechanisms over a grid of models, replicas, SLOs, loads and
 * troubles, in virtual time: the tables of docs/scheduling.md, as Markdown.
 *
 *     bench_grid [QUERIES [PART]]
 *
 * About 1500 queries in each cell by default.  Parts, to make them side by
 * side: hedging, risk, mechanisms; each is the text that the whole has of it.
 */

#include "../unit/sched_grid.h"


#define ROWS(a)  (sizeof(a) / sizeof((a)[0]))

#define LIVES       4u
#define RISK_LIVES  12u     /* the differences are small */
#define MORE_LIVES  16u     /* where another way seems to be better */


static const double    loads[] = { 0.1, 0.3, 0.6, 0.9, 1.2, 2, 4 };
static const double    slos[] = { 2.5, 4, 8, 20 };
static const uint32_t  replicas[] = { 1, 2, 4, 16 };

static double    queries;
static uint32_t  cells, below;

/* what is told of the cells below 0.99 */
static char      told[100 * 160];

/* and of those where another way is better than how it is */
static uint32_t  tried, better;
static char      bettered[1000 * 160];


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
hedging_cell(const char *title, const sched_cell_t *cell)
{
    char             way[16];
    size_t           len;
    sched_hedging_t  h;

    h.queries = queries;
    sched_grid_hedging(cell, &h);

    printf(" | %.1f (%.3f)", 100 * h.with, h.ratio);
    fflush(stdout);

    cells++;

    if (h.ratio >= 0.99) {
        return;
    }

    snprintf(way, sizeof(way), h.best_us ? "%.1f ms" : "off",
             (double) h.best_us / 1000);

    below++;
    len = strlen(told);
    snprintf(told + len, sizeof(told) - len,
             "| %s | %u | %.1f | %.1f | %.3f | %.1f | %.1f (%s) |\n",
             title, cell->replicas, cell->slo, cell->load, h.ratio,
             100 * h.with, 100 * h.best, way);
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
                hedging_cell(title, &cell);
            }

            printf(" |\n");
        }
    }
}


/* the part that is answered in some lives, in percent */

static double
answered(const sched_cell_t *cell, const sched_way_t *way, uint64_t seed,
    uint32_t lives)
{
    double         asked, on_time;
    uint64_t       end;
    sched_score_t  score;

    asked = 0;
    on_time = 0;

    for (end = seed + lives; seed < end; seed++) {
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
                printf(" | %.1f, %.1f",
                       answered(&cell, &without, 1, RISK_LIVES),
                       answered(&cell, &with, 1, RISK_LIVES));
                fflush(stdout);
            }

            printf(" |\n");
        }
    }
}


/* the first is as it is */

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


/* where another way seems to be better, in other lives */

static void
mechanism_looks(const char *title, const sched_cell_t *cell,
    const sched_way_t *way)
{
    double  as_is, other;
    size_t  len;

    as_is = answered(cell, &ways[0], 1 + LIVES, MORE_LIVES);
    other = answered(cell, way, 1 + LIVES, MORE_LIVES);

    if (other <= as_is + 1) {
        return;
    }

    better++;
    len = strlen(bettered);
    snprintf(bettered + len, sizeof(bettered) - len,
             "| %s | %u | %.1f | %.1f | %s | %.1f | %.1f |\n", title,
             cell->replicas, cell->slo, cell->load, way->name, as_is, other);
}


/* one row; as_is: of each load */

static void
mechanism(const char *title, sched_cell_t cell, const sched_way_t *way,
    double *as_is)
{
    double    percent;
    uint32_t  l;

    printf("| %s | %.1f", way->name, cell.slo);

    for (l = 0; l < ROWS(loads); l++) {
        cell.load = loads[l];
        percent = answered(&cell, way, 1, LIVES);
        printf(" | %.1f", percent);
        fflush(stdout);

        if (way == &ways[0]) {
            as_is[l] = percent;
            continue;
        }

        tried++;

        if (percent > as_is[l] + 1) {
            mechanism_looks(title, &cell, way);
        }
    }

    printf(" |\n");
}


static void
mechanisms(const char *title, sched_cell_t cell)
{
    double    as_is[ROWS(loads)];
    uint32_t  i, s, w;

    cell.a_us = 4000;
    cell.b_us = 1000;
    cell.noise = 0.1;

    for (i = 0; i < ROWS(replicas); i++) {
        cell.replicas = replicas[i];
        printf("\n### %s, %u replica%s\n\n", title, cell.replicas,
               i ? "s" : "");
        head("mechanisms");

        for (s = 0; s < 3; s++) {
            cell.slo = slos[s];

            for (w = 0; w < ROWS(ways); w++) {

                if ((ways[w].no_halves || ways[w].no_suspects)
                    && cell.names == 0)
                {
                    continue;           /* nothing is lost */
                }

                mechanism(title, cell, &ways[w], as_is);
            }
        }
    }
}


static void
part_hedging(void)
{
    sched_cell_t  cell;

    printf("# The scheduler over a grid\n\nMade by `make grid`: the real "
           "queue, leases and batch control in virtual time\n"
           "(`t/unit/sched.h`). A load of 1 is the throughput of batches that "
           "take half the SLO; the SLO is in times of a batch of one.\n"
           "The [architecture](architecture.md#deadlines-and-batches) "
           "describes how the scheduler decides.\n\n"
           "## Hedging\n\nInputs answered on time, in percent of all, with "
           "`hedge auto`; in brackets the ratio to the best\n"
           "of `hedge off` and fixed times of 0.3, 0.8, 1.2 and 2 batches and "
           "of half the SLO. A trouble lasts two seconds; these\nand the half "
           "second after them count. A cell below 0.99 in its first life is "
           "lived\nthrough 16 more times; one that is still below, 32 more "
           "times with the way that was the best, since the\nbest of several "
           "is better by chance. The last lives are shown.\n\n"
           "A batch is late by its own replica's profile or by that of the "
           "model's fastest, whichever is earlier. By its own alone\n"
           "one that stops half of the time is never late: with two replicas, "
           "an SLO of 2.5 and a load of 0.6 that gave 0.984 and\n"
           "0.981 of the best in twice 16 lives, and gives 1.000 and 0.994 "
           "now.\n");

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

    printf("\n### Cells below 0.99\n\n%u of %u cells.\n\n"
           "| cells | replicas | SLO | load | ratio | `hedge auto` | the best "
           "way |\n|---|---|---|---|---|---|---|\n%s", below, cells, told);
}


static void
part_risk(void)
{
    sched_cell_t  cell;

    memset(&cell, 0, sizeof(cell));
    cell.a_us = 4000;
    cell.b_us = 1000;
    cell.noise = 0.2;
    printf("\n## Calculated risk\n\nWhere few inputs fit into the time, a "
           "batch may be larger than is safe. Answered on time with\n"
           "20 %% of noise, in percent, in %u lives: without the risk, and "
           "with it.\n\n", RISK_LIVES);
    risk(cell);
}


static void
part_mechanisms(void)
{
    sched_cell_t  cell;

    printf("\n## Mechanisms on and off\n\n4 ms and 1 ms per input, 10 %% of "
           "noise; answered on time, in percent, in %u lives. What\n"
           "differs by less than one is chance; where replicas are killed, "
           "less than five. Where something was better by\none, both ways "
           "are compared in %u other lives: see the end.\n", LIVES,
           MORE_LIVES);

    memset(&cell, 0, sizeof(cell));
    mechanisms("No trouble", cell);

    cell.all = 1;
    cell.trouble = SCHED_SLOWER;
    mechanisms("Five times slower for two seconds", cell);

    cell.all = 0;
    cell.trouble = SCHED_NO_TROUBLE;
    cell.names = 5000;
    mechanisms("Five of 5000 inputs kill their replica", cell);

    printf("\n### Better by one in the other lives\n\n%u of %u "
           "comparisons.\n\n"
           "| cells | replicas | SLO | load | way | as it is | so |\n"
           "|---|---|---|---|---|---|---|\n%s", better, tried, bettered);
}


static int
wanted(int argc, char **argv, const char *part)
{
    return argc < 3 || strcmp(argv[2], part) == 0;
}


int
main(int argc, char **argv)
{
    queries = argc > 1 ? atof(argv[1]) : 1500;

    if (wanted(argc, argv, "hedging")) {
        part_hedging();
    }

    if (wanted(argc, argv, "risk")) {
        part_risk();
    }

    if (wanted(argc, argv, "mechanisms")) {
        part_mechanisms();
    }

    return 0;
}

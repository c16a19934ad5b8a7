
/*
 * The scheduler in virtual time: what it makes of recorded arrivals beside
 * the most that is possible, and of overload beside first come, first served.
 *
 *     bench_scheduler                  both, as text
 *     bench_scheduler replay FILE...   traces; the format and the bound's
 *                                      formula are in t/unit/sched_trace.h
 *     bench_scheduler csv              goodput by load, and over the time of
 *                                      the recorded trace, for a plot
 *     bench_scheduler generate SEED    a trace of bursts
 *
 * "first come, first served" is the same core that is told no deadlines, with
 * batches of the best fixed size, or sized by additive increase and
 * multiplicative decrease alone.
 */

#include "../unit/sched.h"
#include "../unit/sched_trace.h"
#include "../unit/splitmix.h"


#define TRACE    "t/bench/traces/bursty.txt"
#define A_US     1000.0
#define B_US     50.0
#define SLO_US   20000
#define BEST     180                    /* half the SLO */
#define CAPACITY (BEST / (A_US + B_US * BEST) * 1e6)
#define SECONDS  6


typedef struct {
    const char  *name;
    uint32_t     fifo;
    ngx_uint_t   fixed;
} policy_t;


static const policy_t  policies[] = {
    { "deadlines and profile", 0, 0 },
    { "first in first out, best size", 1, BEST },
    { "first in first out, AIMD", 1, 0 },
};

#define POLICIES  (sizeof(policies) / sizeof(policies[0]))


static void
generate(unsigned seed)
{
    double    now, rate;
    sched_t   sim;
    uint64_t  us, last;

    static const double  rates[] = { 200, 900, 1500, 2200, 3000, 5000 };

    sched_init(&sim, seed);

    printf("# bursts: every 100 ms another rate; bench_scheduler generate %u\n"
           "model 1000 500 1\napp 100000\napp 300000\n", seed);

    last = 0;
    now = 0;

    while (now < 12e6) {
        rate = rates[splitmix(seed + (uint64_t) now / 100000) % 6];
        now += sched_exponential(&sim.arrivals, rate);
        us = (uint64_t) now;
        printf("%llu %d\n", (unsigned long long) (us - last),
               sched_random(&sim) < 0.3);
        last = us;
    }
}


static void
replay(const char *path)
{
    double         bound;
    sched_t        sim;
    sched_trace_t  trace;

    if (!sched_trace_read(&trace, path)) {
        fprintf(stderr, "no trace: %s\n", path);
        exit(1);
    }

    bound = sched_trace_bound(&trace);

    sched_trace_run(&trace, &sim, 0);
    printf("%s: %u arrivals, %.0f on time at most, %llu on time: %.3f of the "
           "bound", path, trace.n, bound, (unsigned long long) sim.on_time,
           (double) sim.on_time / bound);
    sched_finish(&sim);

    sched_trace_run(&trace, &sim, 1);
    printf("; first in first out %llu\n", (unsigned long long) sim.on_time);
    sched_finish(&sim);

    sched_trace_free(&trace);
}


/* answers on time and late ones per second at this many times the capacity */

static void
overload(const policy_t *policy, double load, double *good, double *late)
{
    sched_t   sim;
    uint32_t  i, sum;

    sched_init(&sim, 3);
    sim.fifo = policy->fifo;
    sim.no_hedge = 1;
    sim.conf.plain = policy->fifo;
    sim.conf.fixed = policy->fixed;
    sim.queue_max = 10000;
    sim.until_us = SECONDS * 1000000;
    sim.nmodels = 1;
    sim.models[0].a_us = A_US;
    sim.models[0].b_us = B_US;
    sim.models[0].replicas = 1;
    sim.napps = 1;
    sim.apps[0].slo_us = SLO_US;
    sim.apps[0].rate = CAPACITY * load;

    sched_start(&sim);
    sched_run(&sim, 0);

    for (i = 10, sum = 0; i < SECONDS * 10; i++) {
        sum += sim.good[i];
    }

    *good = (double) sum / (SECONDS - 1);
    *late = (double) sim.late / SECONDS;

    sched_finish(&sim);
}


static void
overloads(int csv)
{
    double    good, late;
    uint32_t  i, k;

    static const double  loads[] = { 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5,
                                     2, 3, 4 };

    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        for (k = 0; k < POLICIES; k++) {
            overload(&policies[k], loads[i], &good, &late);
            printf(csv ? "load,\"%s\",%.2f,%.4f,%.4f\n"
                       : "%-32s load %.2f: goodput %.3f late %.3f\n",
                   csv ? policies[k].name : policies[k].name, loads[i],
                   good / CAPACITY, late / CAPACITY);
        }
    }
}


/* answers on time in each 100 ms of the trace, and what was asked */

static void
timeline(void)
{
    sched_t        sim;
    uint32_t       i, fifo;
    sched_trace_t  trace;

    if (!sched_trace_read(&trace, TRACE)) {
        fprintf(stderr, "no trace: %s\n", TRACE);
        exit(1);
    }

    for (fifo = 0; fifo <= 1; fifo++) {
        sched_trace_run(&trace, &sim, fifo);

        for (i = 0; i < sim.until_us / SCHED_TICK_US; i++) {
            if (!fifo) {
                printf("time,\"asked\",%.1f,%u,0\n", i / 10.0,
                       sim.offered[i] * 10);
            }
            printf("time,\"%s\",%.1f,%u,0\n", policies[fifo ? 2 : 0].name,
                   i / 10.0, sim.good[i] * 10);
        }

        sched_finish(&sim);
    }

    sched_trace_free(&trace);
}


int
main(int argc, char **argv)
{
    int  i;

    if (argc > 2 && strcmp(argv[1], "generate") == 0) {
        generate((unsigned) atoi(argv[2]));
        return 0;
    }

    if (argc > 2 && strcmp(argv[1], "replay") == 0) {
        for (i = 2; i < argc; i++) {
            replay(argv[i]);
        }
        return 0;
    }

    if (argc > 1 && strcmp(argv[1], "csv") == 0) {
        printf("kind,policy,x,y,late\n");
        overloads(1);
        timeline();
        return 0;
    }

    replay(TRACE);
    overloads(0);

    return 0;
}


/*
 * The scheduler's core under a virtual clock.  sched.h requires at
 * every step what must always hold; here are the lives it is put through, and
 * what has to come of them.  The simulations are the same in every run.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched.h"
#include "sched_trace.h"


static void
print_sim(const sched_t *sim)
{
    printf("    %llu steps: asked %llu, joined %llu, refused %llu, on time"
           " %llu, dropped %llu, expired %llu, errors %llu, gone %llu;"
           " %llu batches of %.1f, probes %llu, hedges %llu, losses %llu,"
           " again %llu\n",
           (unsigned long long) sim->steps, (unsigned long long) sim->asked,
           (unsigned long long) sim->joined,
           (unsigned long long) sim->refused,
           (unsigned long long) sim->on_time,
           (unsigned long long) sim->dropped,
           (unsigned long long) sim->expired,
           (unsigned long long) sim->errors, (unsigned long long) sim->gone,
           (unsigned long long) sim->batches,
           (double) sim->sent / (double) ngx_max(sim->batches, 1),
           (unsigned long long) sim->probes,
           (unsigned long long) sim->hedges,
           (unsigned long long) sim->losses,
           (unsigned long long) sim->again);
}


static void
add_model(sched_t *sim, double a_us, double b_us, double noise,
    uint32_t replicas)
{
    sched_model_t  *m;

    m = &sim->models[sim->nmodels++];
    m->a_us = a_us;
    m->b_us = b_us;
    m->noise = noise;
    m->replicas = replicas;
}


static void
add_app(sched_t *sim, uint32_t model, uint64_t slo_us, double rate,
    uint32_t names)
{
    sched_app_t  *app;

    app = &sim->apps[sim->napps++];
    app->model = model;
    app->slo_us = slo_us;
    app->rate = rate;
    app->names = names;
}


/*
 * Everything at once: bursts, duplicates, stuck batches, losses, aborts; load
 * 1 leaves no replica idle.
 */

static void
hard_life(uint64_t seed, size_t zone_size, double load)
{
    uint32_t  i;
    sched_t   sim;

    sched_init(&sim, seed);
    sim.workers = 4;
    sim.zone_size = zone_size;
    sim.queue_max = 1200;
    sim.failures = 0.7;
    sim.deaths = 0.5;
    sim.aborts = 0.05;
    sim.poison = 1;
    sim.until_us = (uint64_t) (25000000 / load);

    add_model(&sim, 1000, 50, 0.2, 3);
    add_model(&sim, 100, 300, 0.5, 2);
    add_model(&sim, 5000, 20, 0.1, 3);

    for (i = 0; i < 3; i++) {
        sim.models[i].stuck = 0.01;
        sim.models[i].stuck_us = 60000;
    }

    add_app(&sim, 0, 20000, 6000 * load, 0);
    add_app(&sim, 0, 100000, 4000 * load, 3000);
    add_app(&sim, 1, 5000, 2000 * load, 0);
    add_app(&sim, 1, 50000, 2000 * load, 200);
    add_app(&sim, 2, 30000, 9000 * load, 0);
    add_app(&sim, 2, 300000, 3000 * load, 100);

    for (i = 0; i < sim.napps; i++) {
        sim.apps[i].bursts = 1;
    }

    sched_start(&sim);
    sched_run(&sim, 5000);
    print_sim(&sim);

    assert_true(sim.steps >= 1000000);
    assert_true(sim.on_time > sim.asked / 3);
    assert_true(sim.joined > 100 && sim.losses > 100);
    assert_true(sim.hedges > (load < 1 ? 500 : 10));
    assert_true(sim.again > 10 && sim.errors > 10 && sim.dropped > 100);
    assert_true(sim.refused > 0 && sim.gone > 100 && sim.again_rc > 0);

    sched_finish(&sim);
}


static void
test_nothing_is_lost(void **state)
{
    hard_life(1, 64 << 20, 1);
    hard_life(2, 64 << 20, 1);
    hard_life(4, 64 << 20, 0.2);
}


/* the same where memory runs out all the time */

static void
test_nothing_is_lost_without_room(void **state)
{
    hard_life(3, 2 << 20, 1);
}


/* a load that can be served without effort is served: not one default */

static void
test_light_load(void **state)
{
    sched_t  sim;

    sched_init(&sim, 5);
    sim.workers = 3;
    sim.until_us = 20000000;
    add_model(&sim, 1000, 50, 0, 2);
    add_app(&sim, 0, 20000, 2000, 0);
    add_app(&sim, 0, 50000, 2000, 0);

    sched_start(&sim);
    sched_run(&sim, 10000);
    print_sim(&sim);

    assert_true(sim.asked > 70000);
    assert_int_equal(sim.on_time + sim.refused, sim.asked);
    assert_true(sim.refused < 10);      /* before there is a replica */

    sched_finish(&sim);
}


/* one of two replicas is lost again and again: the other one has its work */

static void
test_losses_cost_nothing(void **state)
{
    sched_t  sim;

    sched_init(&sim, 6);
    sim.workers = 2;
    sim.until_us = 20000000;
    sim.failures = 0.2;
    add_model(&sim, 1000, 50, 0.1, 4);
    add_app(&sim, 0, 100000, 6000, 0);

    sched_start(&sim);
    sched_run(&sim, 10000);
    print_sim(&sim);

    assert_true(sim.losses > 8 && sim.again > 20);
    assert_true(sim.asked - sim.on_time <= sim.asked / 1000);

    sched_finish(&sim);
}


/* batches wait for more, but nobody is late for it */

static void
test_batch_wait(void **state)
{
    sched_t  sim;
    double   eager;

    sched_init(&sim, 7);
    sim.until_us = 5000000;
    add_model(&sim, 2000, 1, 0, 1);
    add_app(&sim, 0, 20000, 1000, 0);
    sched_start(&sim);
    sched_run(&sim, 10000);
    eager = (double) sim.sent / (double) sim.batches;
    sched_finish(&sim);

    sched_init(&sim, 7);
    sim.until_us = 5000000;
    sim.conf.wait_us = 5000;
    add_model(&sim, 2000, 1, 0, 1);
    add_app(&sim, 0, 20000, 1000, 0);
    sched_start(&sim);
    sched_run(&sim, 10000);
    print_sim(&sim);

    assert_true((double) sim.sent / (double) sim.batches > 1.5 * eager);
    assert_true(sim.asked - sim.on_time <= 5);
    sched_finish(&sim);
}


/* a bursty trace, overloaded half of the time: near what is possible at all */

static void
test_near_the_bound(void **state)
{
    double         bound, ratio;
    sched_t        sim;
    sched_trace_t  trace;

    assert_true(sched_trace_read(&trace, "t/bench/traces/bursty.txt"));
    bound = sched_trace_bound(&trace);

    sched_trace_run(&trace, &sim, 0);
    ratio = (double) sim.on_time / bound;
    print_sim(&sim);
    sched_finish(&sim);

    printf("    %.0f at most, %.3f of it\n", bound, ratio);
    assert_true(bound < 0.95 * trace.n);
    assert_true(ratio >= 0.9 && ratio <= 1);

    sched_trace_free(&trace);
}


/* the bound itself, where it can be said by hand */

static void
test_bound_of_small_traces(void **state)
{
    sched_trace_t    trace;
    sched_arrival_t  arrivals[40];
    uint32_t         i;

    memset(&trace, 0, sizeof(trace));
    trace.a_us = 0;
    trace.b_us = 1000;
    trace.replicas = 1;
    trace.slo_us[0] = 10000;
    trace.slo_us[1] = 20000;
    trace.napps = 2;
    trace.arrivals = arrivals;

    /* at the same time: 10 of one, and 20 of both if the later ones wait */

    for (i = 0; i < 40; i++) {
        arrivals[i].time_us = 0;
        arrivals[i].app = 0;
    }

    trace.n = 5;
    assert_true(fabs(sched_trace_bound(&trace) - 5) < 1e-6);
    trace.n = 40;
    assert_true(fabs(sched_trace_bound(&trace) - 10) < 1e-6);

    for (i = 0; i < 20; i++) {
        arrivals[i].app = 1;
    }

    assert_true(fabs(sched_trace_bound(&trace) - 20) < 1e-6);
    trace.replicas = 2;
    assert_true(fabs(sched_trace_bound(&trace) - 40) < 1e-6);

    /* a fixed cost: at most 19 in a batch of 20 ms */

    trace.a_us = 1000;
    trace.replicas = 1;
    assert_true(fabs(sched_trace_bound(&trace) - 19) < 1e-6);
}


/*
 * The first batch of each replica takes seconds, and those after it are fast
 * enough.  Once it is over hardly anyone is refused, nor late for its sake.
 */

static void
cold_life(double first_us, double each_us, uint64_t slo_us, double every_us,
    uint32_t replicas)
{
    sched_t           sim;
    uint32_t          i, n;
    sched_arrival_t  *arrivals;

    n = (uint32_t) ((first_us + 10e6) / every_us);
    arrivals = calloc(n, sizeof(sched_arrival_t));

    for (i = 0; i < n; i++) {
        arrivals[i].time_us = 1 + (uint64_t) (i * every_us);
    }

    sched_init(&sim, 8);
    add_model(&sim, each_us, 0, 0.05, replicas);
    add_app(&sim, 0, slo_us, 0, 0);
    sim.models[0].first_us = first_us;
    sim.trace = arrivals;
    sim.ntrace = n;
    sim.until_us = (uint64_t) (first_us + 10e6);
    sim.counted_us = (uint64_t) (first_us + each_us + 2 * every_us);

    sched_start(&sim);
    sched_run(&sim, 0);
    print_sim(&sim);

    assert_true(sim.counted > 90);
    assert_true(sim.dropped <= 2);
    assert_true(sim.counted - sim.counted_good <= 2);

    sched_finish(&sim);
    free(arrivals);
}


static void
test_slow_first_batch(void **state)
{
    cold_life(8e6, 70e3, 100000, 100e3, 1);
    cold_life(8e6, 70e3, 100000, 100e3, 2);
    cold_life(2e6, 20e3, 100000, 50e3, 1);
    cold_life(4e6, 5e3, 2000000, 100e3, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_nothing_is_lost_without_room),
        cmocka_unit_test(test_light_load),
        cmocka_unit_test(test_losses_cost_nothing),
        cmocka_unit_test(test_batch_wait),
        cmocka_unit_test(test_slow_first_batch),
        cmocka_unit_test(test_near_the_bound),
        cmocka_unit_test(test_bound_of_small_traces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

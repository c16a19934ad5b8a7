
/*
 * See the header.
 */


#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batch_sim.h"


static double
sim_random(sim_t *sim)
{
    return clipper_random_double(&sim->random);
}


static double
sim_normal(sim_t *sim)
{
    return sqrt(-2 * log(1 - sim_random(sim)))
           * cos(2 * M_PI * sim_random(sim));
}


void
sim_init(sim_t *sim, sim_law_pt law, double rate, ngx_uint_t clients)
{
    u_char  seed[CLIPPER_RANDOM_SEED];

    memset(sim, 0, sizeof(*sim));
    memset(seed, 42, sizeof(seed));
    clipper_random_init(&sim->random, seed);

    sim->law = law;
    sim->rate = rate;
    sim->clients = clients;
    sim->slo_us = 20000;
    sim->replicas = 1;
    sim->change_us = INFINITY;
    sim->wake_us = INFINITY;

    sim->queue = calloc(SIM_QUEUE, sizeof(double));
    sim->back = calloc(SIM_QUEUE, sizeof(double));
    sim->replica = calloc(SIM_REPLICAS, sizeof(sim_replica_t));

    if (!sim->queue || !sim->back || !sim->replica) {
        abort();
    }
}


void
sim_free(sim_t *sim)
{
    free(sim->queue);
    free(sim->back);
    free(sim->replica);
}


static ngx_uint_t
sim_tick(sim_t *sim)
{
    ngx_uint_t  tick = (ngx_uint_t) (sim->now_us / SIM_TICK_US);

    return ngx_min(tick, SIM_TICKS - 1);
}


/* answered, late or dropped: its client asks again */

static void
sim_settle(sim_t *sim)
{
    if (sim->clients == 0) {
        return;
    }

    sim->back[(sim->back_head + sim->back_count++) % SIM_QUEUE] =
                                             sim->now_us + SIM_THINK_US;
}


static double
sim_next_arrival(sim_t *sim)
{
    if (sim->clients) {
        return sim->back_count ? sim->back[sim->back_head] : INFINITY;
    }

    return sim->arrival_us;
}


static void
sim_arrive(sim_t *sim)
{
    double  rate;

    if (sim->clients) {
        sim->back_head = (sim->back_head + 1) % SIM_QUEUE;
        sim->back_count--;

    } else {
        rate = (sim->now_us >= sim->change_us) ? sim->rate_after : sim->rate;
        sim->arrival_us += -log(1 - sim_random(sim)) / rate * 1e6;
    }

    sim->arrived++;

    if (sim->queued == SIM_QUEUE) {
        sim->dropped++;
        sim_settle(sim);
        return;
    }

    sim->queue[(sim->head + sim->queued++) % SIM_QUEUE] =
                                             sim->now_us + sim->slo_us;
}


static double
sim_pop(sim_t *sim)
{
    double  deadline = sim->queue[sim->head];

    sim->head = (sim->head + 1) % SIM_QUEUE;
    sim->queued--;

    return deadline;
}


static void
sim_rate(sim_t *sim)
{
    sim->tasks_per_us = clipper_batch_demand(sim->tasks_per_us,
                                     (ngx_uint_t) (sim->arrived - sim->rated),
                                     (uint64_t) (sim->now_us
                                                 - sim->rated_us));
    sim->rated = sim->arrived;
    sim->rated_us = sim->now_us;
}


/* as the server does: ask, drop, ask again, take */

static void
sim_dispatch(sim_t *sim, sim_replica_t *r)
{
    ngx_uint_t            i;
    clipper_batch_load_t  load;
    clipper_batch_plan_t  plan;

    sim_rate(sim);

    while (sim->queued) {
        load.now_us = (uint64_t) sim->now_us;
        load.queued = sim->queued;
        load.replicas = sim->replicas;
        load.rate = sim->tasks_per_us;
        load.head_us = (int64_t) (sim->queue[sim->head] - sim->now_us);
        load.tail_us = (int64_t)
            (sim->queue[(sim->head + sim->queued - 1) % SIM_QUEUE]
             - sim->now_us);
        load.waited_us = (uint64_t) ngx_max(sim->slo_us - load.head_us, 0);
        load.dear = 0;
        load.slower = 0;

        sim->plans++;

        switch (clipper_batch_plan(&r->batch, &sim->conf, &load, &plan))
        {
        case NGX_AGAIN:
            sim->wake_us = ngx_min(sim->wake_us, sim->now_us + plan.wait_us);
            return;

        case NGX_DECLINED:
            if (plan.need_us <= load.head_us) {
                abort();
            }

            while (sim->queued
                   && sim->queue[sim->head] - sim->now_us < plan.need_us)
            {
                (void) sim_pop(sim);
                sim->dropped++;
                sim_settle(sim);
            }

            continue;

        default:
            if (plan.take == 0 || plan.take > sim->queued) {
                abort();
            }

            for (i = 0; i < plan.take; i++) {
                r->deadlines[i] = sim_pop(sim);
            }

            r->n = plan.take;
            r->sent_us = sim->now_us;
            r->done_us = sim->now_us
                         + ceil(sim->law(sim, (double) r->n, sim->now_us));
            sim->batches++;
            sim->sent += r->n;
            sim->size[sim_tick(sim)] = (uint32_t) r->n;
            return;
        }
    }
}


static void
sim_reply(sim_t *sim, sim_replica_t *r)
{
    ngx_uint_t  i, good;

    good = 0;

    for (i = 0; i < r->n; i++) {
        good += (r->deadlines[i] >= sim->now_us);
        sim_settle(sim);
    }

    sim->on_time += good;
    sim->late += r->n - good;
    sim->good[sim_tick(sim)] += (uint32_t) good;

    clipper_batch_observe(&r->batch, &sim->conf, (uint64_t) sim->now_us, r->n,
                          (uint64_t) (sim->now_us - r->sent_us), good == r->n);
    r->done_us = INFINITY;
}


void
sim_start(sim_t *sim)
{
    ngx_uint_t  i;

    for (i = 0; i < sim->replicas; i++) {
        clipper_batch_init(&sim->replica[i].batch, NULL, 0);
        sim->replica[i].done_us = INFINITY;
    }

    for (i = 0; i < sim->clients; i++) {
        sim->back[i] = (double) i;
        sim->back_count++;
    }
}


void
sim_run(sim_t *sim, double until_us)
{
    double          next;
    ngx_uint_t      i;
    sim_replica_t  *r;

    for ( ;; ) {
        r = NULL;
        next = ngx_min(sim_next_arrival(sim), sim->wake_us);

        for (i = 0; i < sim->replicas; i++) {
            if (sim->replica[i].done_us <= next) {
                r = &sim->replica[i];
                next = r->done_us;
            }
        }

        if (next > until_us) {
            sim->now_us = until_us;
            return;
        }

        sim->now_us = ngx_max(next, sim->now_us);

        if (r) {
            sim_reply(sim, r);

        } else if (next == sim->wake_us) {
            sim->wake_us = INFINITY;

        } else {
            sim_arrive(sim);
        }

        for (i = 0; i < sim->replicas && sim->queued; i++) {
            if (sim->replica[i].done_us == INFINITY) {
                sim_dispatch(sim, &sim->replica[i]);
            }
        }
    }
}


/* answers on time per second between two times */

double
sim_goodput(sim_t *sim, double from_s, double to_s)
{
    double      sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = (ngx_uint_t) (from_s * 1e6 / SIM_TICK_US);
         i < (ngx_uint_t) (to_s * 1e6 / SIM_TICK_US);
         i++)
    {
        sum += sim->good[i];
    }

    return sum / (to_s - from_s);
}


/* --- laws of service time --- */

double
sim_law_noop(sim_t *sim, double n, double now_us)
{
    return 100 + 5 * n;
}


double
sim_law_linear(sim_t *sim, double n, double now_us)
{
    return 100 * n;
}


double
sim_law_fixed(sim_t *sim, double n, double now_us)
{
    return 5000 + 2 * n;
}


double
sim_law_fixed_small(sim_t *sim, double n, double now_us)
{
    return 5000 + 20 * n;
}


double
sim_law_mixed(sim_t *sim, double n, double now_us)
{
    return 1000 + 50 * n;
}


double
sim_law_sublinear(sim_t *sim, double n, double now_us)
{
    return 500 * pow(n, 0.6);
}


double
sim_law_superlinear(sim_t *sim, double n, double now_us)
{
    return 2000 + 10 * n + 0.05 * n * n;
}


double
sim_law_power(sim_t *sim, double n, double now_us)
{
    return 1000 + 20 * n * sqrt(n);
}


double
sim_law_square(sim_t *sim, double n, double now_us)
{
    return 500 + 0.5 * n * n;
}


/* 20 % of noise, and one batch in a hundred takes three times as long */

double
sim_law_noisy(sim_t *sim, double n, double now_us)
{
    double  x = (1000 + 50 * n) * exp(0.2 * sim_normal(sim));

    return sim_random(sim) < 0.01 ? 3 * x : x;
}


/* the delays of a busy machine: up to 3 ms now and then */

double
sim_law_jitter(sim_t *sim, double n, double now_us)
{
    double  x = 300 + 20 * n;

    return sim_random(sim) < 0.05 ? x + 3000 * sim_random(sim) : x;
}


/* three times as slow from the fourth to the twelfth second */

double
sim_law_step(sim_t *sim, double n, double now_us)
{
    double  x = 1000 + 50 * n;

    return now_us >= 4e6 && now_us < 12e6 ? 3 * x : x;
}


/* from the fourth to the twelfth second even a batch of one is late */

double
sim_law_blocked(sim_t *sim, double n, double now_us)
{
    double  x = 1000 + 50 * n;

    return now_us >= 4e6 && now_us < 12e6 ? 30000 + x : x;
}


/* one batch takes 500 ms after 4 s */

double
sim_law_outlier(sim_t *sim, double n, double now_us)
{
    double  x = 1000 + 50 * n;

    if (now_us >= 4e6 && !sim->happened) {
        sim->happened = 1;
        return 500000;
    }

    return x;
}


/* the first batch takes 800 ms */

double
sim_law_cold(sim_t *sim, double n, double now_us)
{
    return sim->batches == 0 ? 800000 : 1000 + 50 * n;
}


/*
 * The simulation: clients, workers, the loop, and the checks at the end.
 */


#include "sched.h"


/* --- clients --- */

static sched_query_t *
sched_query(sched_t *sim)
{
    if (sim->nqueries == sim->queries_size) {
        sim->queries_size = sim->queries_size ? sim->queries_size * 2 : 4096;
        sim->queries = realloc(sim->queries,
                               sim->queries_size * sizeof(sched_query_t));
        SCHED_REQUIRE(sim, sim->queries != NULL);
    }

    return &sim->queries[sim->nqueries++];
}


static void
sched_ask(sched_t *sim, const sched_app_t *app)
{
    uint32_t         query;
    ngx_int_t        rc;
    sched_query_t   *q;
    clipper_task_t   task;
    clipper_zone_t  *v;

    query = sim->nqueries;
    q = sched_query(sim);
    q->open = 0;
    q->worker = (uint32_t) (sched_random(sim) * sim->workers);
    q->model = app->model;
    q->name = app->names ? (uint32_t) (sched_random(sim) * app->names) : query;
    q->asked_us = sim->now_us;
    q->deadline_us = sim->now_us + app->slo_us;
    v = &sim->views[q->worker];

    memset(&task, 0, sizeof(task));
    task.model = sim->models[app->model].row;
    task.key[0] = splitmix(q->name);
    task.key[1] = q->name;
    task.shared = app->names != 0;
    task.deadline_us = sim->fifo ? sim->now_us + SCHED_HOUR_US
                                 : q->deadline_us;
    task.len = sched_input(sim, q->name);
    task.data = sim->bytes;
    task.queue_max = sim->queue_max;
    task.queue_size_max = sim->zone_size / 4;

    /* now and then a flight ends while the cache is asked */

    task.settled = clipper_queue_settled(v, task.key)
                   - (splitmix(query) % 64 == 0);

    sched_lock(sim, q->worker);
    rc = clipper_queue_submit_locked(v, &task, sim->now_us);

    if (rc == NGX_BUSY) {
        sim->again_rc++;
        task.settled = clipper_queue_settled(v, task.key);
        rc = clipper_queue_submit_locked(v, &task, sim->now_us);
        SCHED_REQUIRE(sim, rc != NGX_BUSY);
    }

    sched_unlock(sim, q->worker);

    sim->steps++;
    sim->asked++;
    sim->offered[sched_tick(sim)]++;
    sim->counted += (sim->now_us >= sim->counted_us);

    if (rc != NGX_OK) {
        sim->refused++;
        return;
    }

    SCHED_REQUIRE(sim, sim->by_waiter[task.waiter] == 0);
    sim->by_waiter[task.waiter] = query;
    sim->joined += task.joined;
    q->waiter = task.waiter;
    q->gen = task.gen;
    q->open = 1;
    q->flight = v->waiters[q->waiter].flight;
    q->flight_gen = v->flights[q->flight].gen;

    if (!sim->fifo) {
        sched_at(sim, (double) (q->deadline_us - SCHED_MARGIN_US),
                 SCHED_ON_DEADLINE, query, 0);
    }

    if (sched_random(sim) < sim->aborts) {
        sched_at(sim, (double) sim->now_us + sched_random(sim)
                      * (double) app->slo_us, SCHED_ON_ABORT, query, 0);
    }
}


/* index: of the app, or with a trace of the arrival */

static void
sched_arrive(sched_t *sim, uint32_t index)
{
    double              rate;
    const sched_app_t  *app;

    static const double  bursts[] = { 0.1, 0.3, 0.8, 3 };

    if (sim->trace) {
        sched_ask(sim, &sim->apps[sim->trace[index].app]);

        if (index + 1 < sim->ntrace) {
            sched_at(sim, (double) sim->trace[index + 1].time_us,
                     SCHED_ON_ARRIVE, index + 1, 0);
        }

        return;
    }

    app = &sim->apps[index];
    rate = app->rate;

    if (app->bursts) {
        rate *= bursts[splitmix(index + sim->now_us / 50000 * 977) % 4];
    }

    if (sim->now_us < sim->until_us) {
        sched_at(sim, (double) sim->now_us
                      + sched_exponential(&sim->arrivals, rate),
                 SCHED_ON_ARRIVE, index, 0);
        sched_ask(sim, app);
    }
}


/* the ask ends without a letter */

static void
sched_leave(sched_t *sim, uint32_t query, uint64_t *count)
{
    sched_query_t  *q;

    q = &sim->queries[query];

    if (!q->open) {
        return;
    }

    sched_lock(sim, q->worker);
    clipper_queue_leave_locked(&sim->views[q->worker], q->waiter, q->gen);
    sched_unlock(sim, q->worker);

    q->open = 0;
    sim->by_waiter[q->waiter] = 0;
    sim->steps++;
    (*count)++;
}


static void
sched_letter(sched_t *sim, uint32_t worker, clipper_mail_t *mail)
{
    u_char           output[512];
    uint32_t         name;
    sched_query_t   *q;
    clipper_zone_t  *v;

    v = &sim->views[worker];
    q = &sim->queries[sim->by_waiter[mail->waiter]];

    SCHED_REQUIRE(sim, sim->by_waiter[mail->waiter] != 0);
    SCHED_REQUIRE(sim, q->open && q->gen == mail->gen && q->worker == worker);

    q->open = 0;
    sim->by_waiter[mail->waiter] = 0;

    if (mail->result == CLIPPER_RESULT_OUTPUT) {
        SCHED_REQUIRE(sim, mail->len == sched_output_len(q->name));

        if (mail->held) {
            clipper_chunk_read(v, mail->chunk, output, mail->len);
        } else {
            memcpy(output, mail->data, mail->len);
        }

        memcpy(&name, output + 1, 4);
        SCHED_REQUIRE(sim, output[0] == 'y' && name == q->name);
    }

    if (mail->held) {
        sched_lock(sim, worker);
        clipper_queue_leave_locked(v, mail->waiter, mail->gen);
        sched_unlock(sim, worker);
    }

    if (mail->result == CLIPPER_RESULT_ERROR) {
        sim->errors++;

    } else if (mail->result != CLIPPER_RESULT_OUTPUT) {
        sched_check_given_up(sim, q);
        sim->dropped++;

    } else if (sim->now_us <= q->deadline_us) {
        sim->on_time++;
        sim->good[sched_tick(sim)]++;
        sim->counted_good += (q->asked_us >= sim->counted_us);

    } else {
        SCHED_REQUIRE(sim, sim->fifo);
        sim->late++;
    }
}


/* the work of a worker after its doorbell rang */

static void
sched_wake(sched_t *sim, uint32_t worker)
{
    ngx_uint_t       n, k;
    clipper_mail_t   mail[64];
    clipper_zone_t  *v;

    v = &sim->views[worker];
    sim->woken[worker] = 0;

    do {
        sched_lock(sim, worker);
        sched_dispatch(sim, worker);
        n = clipper_letter_take_locked(v, mail, 64);

        if (n < 64) {
            v->workers[v->slot].armed = 1;
        }

        sched_unlock(sim, worker);

        for (k = 0; k < n; k++) {
            sched_letter(sim, worker, &mail[k]);
        }

    } while (n == 64);

    sim->steps++;
}


/* a worker's row is for a process that lives */

static void
sched_spawn(sched_t *sim, uint32_t worker)
{
    pid_t  pid, parent;

    parent = getpid();
    pid = fork();
    SCHED_REQUIRE(sim, pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

        while (getppid() == parent) {
            (void) pause();
        }

        _exit(0);
    }

    sim->pids[worker] = pid;
    SCHED_REQUIRE(sim, clipper_zone_attach(&sim->views[worker], sim->addr,
                                           sim->zone_size, (uint32_t) pid)
                       == NGX_OK);
}


static void
sched_kill(sched_t *sim, uint32_t worker)
{
    (void) kill(sim->pids[worker], SIGKILL);
    SCHED_REQUIRE(sim, waitpid(sim->pids[worker], NULL, 0)
                       == sim->pids[worker]);
}


static void
sched_claim(sched_t *sim, uint32_t worker)
{
    ngx_str_t  generation = ngx_string("g");

    sched_spawn(sim, worker);

    sched_lock(sim, worker);
    SCHED_REQUIRE(sim, clipper_registry_enter_locked(
                           &sim->views[worker], (u_char *) "door", 4,
                           &generation, 1)
                       != 0);
    sim->views[worker].workers[sim->views[worker].slot].armed = 1;
    sched_unlock(sim, worker);
}


/* its clients and replicas are lost, and nothing else */

static void
sched_death(sched_t *sim, uint32_t worker)
{
    uint32_t  i, other;

    other = (worker + 1) % sim->workers;

    for (i = 0; i < sim->nqueries; i++) {
        if (sim->queries[i].open && sim->queries[i].worker == worker) {
            sim->queries[i].open = 0;
            sim->by_waiter[sim->queries[i].waiter] = 0;
            sim->gone++;
        }
    }

    sched_kill(sim, worker);

    SCHED_REQUIRE(sim, clipper_zone_leave_dead(&sim->views[other]) == 1);

    /* the unlock knows the workers to ring */

    sched_lock(sim, other);
    sched_unlock(sim, other);

    for (i = 0; i < sim->nreplicas; i++) {
        if (sim->replicas[i].in && sim->replicas[i].worker == worker) {
            sim->losses++;
            sched_out(sim, i);
        }
    }

    sched_claim(sim, worker);

    if (sim->now_us < sim->until_us) {
        sched_at(sim, (double) sim->now_us
                      + sched_exponential(&sim->random, sim->deaths),
                 SCHED_ON_DEATH, (uint32_t) (sched_random(sim) * sim->workers),
                 0);
    }
}


/* --- the whole --- */


void
sched_init(sched_t *sim, uint64_t seed)
{
    memset(sim, 0, sizeof(sched_t));
    sim->random = seed * 1000003;
    sim->arrivals = splitmix(seed);
    sim->workers = 1;
    sim->queue_max = 1000000;
    sim->zone_size = 64 << 20;
}


void
sched_start(sched_t *sim)
{
    char       name[8];
    uint32_t   i, k;
    ngx_str_t  n, version = ngx_string("1");

    static const u_char  seed[32] = { 1, 2, 3 };

    sim->addr = mmap(NULL, sim->zone_size, PROT_READ|PROT_WRITE,
                     MAP_ANONYMOUS|MAP_PRIVATE, -1, 0);
    SCHED_REQUIRE(sim, sim->addr != MAP_FAILED);
    SCHED_REQUIRE(sim, clipper_zone_create(sim->addr, sim->zone_size, seed, 1)
                       == NGX_OK);

    for (i = 0; i < sim->workers; i++) {
        sched_claim(sim, i);
    }

    sim->by_waiter = calloc(sim->views[0].header->waiters.n, 4);
    sim->settled = calloc(sim->views[0].header->flights.n, 8);
    sim->killed = calloc(sim->views[0].header->flights.n, 8);
    SCHED_REQUIRE(sim, sim->by_waiter && sim->settled && sim->killed);

    (void) sched_query(sim);        /* query 0 is none */
    sim->queries[0].open = 0;

    for (i = 0; i < sim->nmodels; i++) {
        n.len = (size_t) snprintf(name, sizeof(name), "m%u", i);
        n.data = (u_char *) name;

        sched_lock(sim, 0);
        sim->models[i].row = clipper_registry_model_locked(
                                 &sim->views[0], &n, &version);
        sched_unlock(sim, 0);

        for (k = 0; k < sim->models[i].replicas; k++) {
            sim->replicas[sim->nreplicas].model = i;
            sim->replicas[sim->nreplicas].leases =
                calloc(SCHED_LEASES, sizeof(clipper_lease_t));
            sched_at(sim, 0, SCHED_ON_JOIN, sim->nreplicas++, 0);
        }
    }

    for (i = 0; i < (sim->trace ? 1 : sim->napps); i++) {
        sched_at(sim, sim->trace ? (double) sim->trace[0].time_us : 1,
                 SCHED_ON_ARRIVE, i, 0);
    }

    if (sim->deaths > 0) {
        sched_at(sim, sched_exponential(&sim->random, sim->deaths),
                 SCHED_ON_DEATH, 0, 0);
    }

    if (sim->trouble.kind == SCHED_KILLED) {
        sched_at(sim, sim->trouble.from_us, SCHED_ON_FAIL,
                 sim->trouble.replica, 0);
    }
}


static void
sched_event(sched_t *sim, const sched_event_t *event)
{
    sched_replica_t  *r;

    r = &sim->replicas[event->a % SCHED_REPLICAS];

    switch (event->kind) {

    case SCHED_ON_ARRIVE:
        sched_arrive(sim, event->a);
        return;

    case SCHED_ON_DEADLINE:
        sched_leave(sim, event->a, &sim->expired);
        return;

    case SCHED_ON_ABORT:
        sched_leave(sim, event->a, &sim->gone);
        return;

    case SCHED_ON_DONE:
        if (r->in && r->busy && r->serial == event->b) {
            sched_reply(sim, event->a);
        }
        return;

    case SCHED_ON_HEDGE:
        if (r->in && r->busy && r->serial == event->b) {
            sched_hedge(sim, event->a);
        }
        return;

    case SCHED_ON_WAIT:
        if (r->in && r->waits && r->serial == event->b) {
            sched_lock(sim, r->worker);
            sched_take_locked(sim, event->a);
            sched_unlock(sim, r->worker);
        }
        return;

    case SCHED_ON_JOIN:
        sched_join(sim, event->a);
        return;

    case SCHED_ON_FAIL:
        sched_lose(sim, event->a);
        return;

    case SCHED_ON_WAKE:
        sched_wake(sim, event->a);
        return;

    default: /* SCHED_ON_DEATH */
        sched_death(sim, event->a);
        return;
    }
}


/* of the idle replicas of a queue with work one is about to look */

static void
sched_check_idle(sched_t *sim)
{
    uint32_t          i, idle[SCHED_MODELS];
    sched_replica_t  *r;
    clipper_zone_t   *v;

    memset(idle, 0, sizeof(idle));
    v = &sim->views[0];

    for (i = 0; i < sim->nreplicas; i++) {
        r = &sim->replicas[i];

        if (r->in && !r->busy) {
            SCHED_REQUIRE(sim, v->replicas[r->row].idle);
            idle[r->model] |= (r->waits || sim->woken[r->worker]) ? 2 : 1;
        }
    }

    for (i = 0; i < sim->nmodels; i++) {
        if (v->models[sim->models[i].row].root) {
            SCHED_REQUIRE(sim, idle[i] != 1);
        }
    }
}


static void
sched_check_zone(sched_t *sim)
{
    const char  *text;

    sched_lock(sim, 0);
    text = zone_check_locked(&sim->views[0]);
    sched_unlock(sim, 0);

    if (text) {
        fprintf(stderr, "zone: %s\n", text);
    }

    SCHED_REQUIRE(sim, text == NULL);
}


/* until nothing can happen any more; checks the zone every so many events */

void
sched_run(sched_t *sim, uint64_t check)
{
    uint64_t       n;
    sched_event_t  event;

    for (n = 1; sim->nevents; n++) {
        event = sched_next(sim);
        sim->now_us = event.time_us;
        sched_event(sim, &event);
        sched_check_idle(sim);

        if (check && n % check == 0) {
            sched_check_zone(sim);
        }
    }
}


/* nothing waits, nothing is kept, and each query ended in exactly one way */

void
sched_finish(sched_t *sim)
{
    uint32_t           i;
    clipper_header_t  *header;

    header = sim->views[0].header;
    sim->failures = 0;

    for (i = 0; i < sim->nreplicas; i++) {
        sched_lose(sim, i);
    }

    for (i = 1; i < sim->nqueries; i++) {
        SCHED_REQUIRE(sim, !sim->queries[i].open);
    }

    SCHED_REQUIRE(sim, sim->asked == sim->refused + sim->on_time + sim->late
                       + sim->dropped + sim->errors + sim->expired
                       + sim->gone);

    sched_check_zone(sim);

    SCHED_REQUIRE(sim, header->flights.used == 0);
    SCHED_REQUIRE(sim, header->waiters.used == 0);
    SCHED_REQUIRE(sim, header->chunks.used == 0);
    SCHED_REQUIRE(sim, header->replicas.used == 0);
    SCHED_REQUIRE(sim, header->rebuilds <= 1);

    for (i = 0; i < sim->nreplicas; i++) {
        free(sim->replicas[i].leases);
    }

    for (i = 0; i < sim->workers; i++) {
        sched_kill(sim, i);
    }

    free(sim->events);
    free(sim->queries);
    free(sim->by_waiter);
    free(sim->settled);
    free(sim->killed);
    (void) munmap(sim->addr, sim->zone_size);
}

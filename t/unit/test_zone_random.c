
/*
 * Catches: whatever a long random life of several workers brings out: it is
 * followed by a plain model of who waits for what, and the zone is checked
 * after each few steps.  Then the same life with real deaths: processes that
 * are killed wherever they are.
 */

#include "zone_fixture.h"


#define STEPS     400000
#define WORKERS   3
#define REPLICAS  6
#define ASKERS    64                /* at one time */
#define NAMES     24                /* of inputs that may be shared */
#define BATCH     6


typedef struct {
    unsigned    used;
    uint32_t    model;
    uint32_t    name;
    size_t      len;
    unsigned    shared;
    unsigned    queued;
    unsigned    done;               /* has its result */
    unsigned    result;
    unsigned    leases;
    unsigned    waiters;
    unsigned    attempts;
} flight_t;


typedef struct {
    unsigned    used;
    unsigned    worker;
    unsigned    dropped;
    unsigned    held;               /* letter read, output kept */
    uint32_t    waiter;
    uint32_t    gen;
    uint64_t    deadline;
    flight_t   *flight;
} asker_t;


typedef struct {
    unsigned                  row;  /* 0: none */
    unsigned                  worker;
    uint32_t                  model;
    ngx_uint_t                n;    /* of its batch */
    ngx_http_clipper_lease_t  leases[BATCH];
    flight_t                 *flights[BATCH];
} replica_t;


static void       *addr;
static view_t      workers[WORKERS];
static uint32_t    models[2];
static flight_t    flights[ASKERS + REPLICAS * BATCH + 1];
static asker_t     askers[ASKERS];
static replica_t   replicas[REPLICAS];
static uint64_t    now;
static uint32_t    unique = 1000;
static unsigned    step, counts[10];

static const char * const  count_names[] = {
    "submitted", "joined", "busy", "full", "answered", "late", "failed",
    "hedged", "deaths", "rebuilds"
};


static void
check(const char *what, unsigned yes)
{
    if (!yes) {
        print_error("step %u: %s\n", step, what);
        abort();
    }
}


static void
flight_gc(flight_t *f)
{
    if (f->waiters == 0) {
        f->queued = 0;
        f->used = (f->leases != 0);
    }
}


static flight_t *
flight_shared(uint32_t m, uint32_t name)
{
    flight_t  *f;

    for (f = flights; f < flights + sizeof(flights) / sizeof(flights[0]); f++)
    {
        if (f->used && f->shared && !f->done && f->model == m
            && f->name == name)
        {
            return f;
        }
    }

    return NULL;
}


static unsigned
queued_of(uint32_t m)
{
    unsigned   n;
    flight_t  *f;

    n = 0;

    for (f = flights; f < flights + sizeof(flights) / sizeof(flights[0]); f++)
    {
        n += (f->used && f->queued && f->model == m);
    }

    return n;
}


static void
step_submit(void)
{
    view_t                   *v;
    asker_t                  *a;
    unsigned                  w, full;
    flight_t                 *f;
    ngx_int_t                 rc;
    ngx_http_clipper_task_t   task;

    for (a = askers; a->used; a++) {
        if (a == askers + ASKERS - 1) {
            return;
        }
    }

    w = zone_chance(WORKERS);
    v = &workers[w];

    task = task_make(v, models[zone_chance(2)], zone_chance(NAMES),
                     zone_chance(3) ? 4 + zone_chance(90)
                                    : 4 + zone_chance(1500), 0);

    task.shared = (zone_chance(4) != 0);

    if (!task.shared) {
        task.key[1] = ++unique;
    }

    /* one length for each name, or it would not be the same input */

    if (task.shared) {
        task.len = 4 + task.key[1] * task.key[1] * 3;
    }

    task.data = input_of((uint32_t) task.key[1], task.len);

    /* odd, and now is even: never the same */

    task.deadline_us = now + 1 + (zone_chance(8) ? 500 + zone_chance(1000) * 2
                                                 : zone_chance(40) * 2);
    task.queue_max = zone_chance(10) ? 1000 : 1 + zone_chance(4);
    task.settled = ngx_http_clipper_queue_settled(v, task.key);

    if (zone_chance(3) == 0) {
        task.chunk = borrow(v, task.data, task.len);
    }

    f = task.shared ? flight_shared(task.model, (uint32_t) task.key[1])
                    : NULL;
    full = (v->header->waiters.free == 0 || v->header->flights.free == 0
            || v->header->chunks.n - 1 - v->header->chunks.used < 12);

    rc = submit(v, &task, now);

    if (rc != NGX_OK && task.chunk) {
        give_back(v, task.chunk);
    }

    switch (rc) {

    case NGX_DECLINED:
        check("declined with replicas", v->models[task.model].replicas == 0);
        return;

    case NGX_BUSY:
        check("busy with room", f == NULL
                                && queued_of(task.model) >= task.queue_max);
        counts[2]++;
        return;

    case NGX_ERROR:
        check("full with room", full);
        counts[3]++;
        return;
    }

    check("submitted", rc == NGX_OK);
    check("joined", task.joined == (f != NULL));
    counts[f != NULL]++;

    if (f == NULL) {
        for (f = flights; f->used; f++) { /* void */ }

        memset(f, 0, sizeof(flight_t));
        f->used = 1;
        f->queued = 1;
        f->model = task.model;
        f->name = (uint32_t) task.key[1];
        f->len = task.len;
        f->shared = task.shared;

        /* 1 if replicas died of this input before */

        f->attempts = v->flights[v->waiters[task.waiter].flight].attempts;
        check("attempts", f->attempts <= 1);
    }

    f->waiters++;

    memset(a, 0, sizeof(asker_t));
    a->used = 1;
    a->worker = w;
    a->waiter = task.waiter;
    a->gen = task.gen;
    a->deadline = task.deadline_us;
    a->flight = f;
}


static void
asker_ends(asker_t *a)
{
    if (!a->dropped) {
        a->flight->waiters--;
        flight_gc(a->flight);
    }

    a->used = 0;
}


static void
step_leave(void)
{
    asker_t  *a;

    a = &askers[zone_chance(ASKERS)];

    if (a->used && (a->held || zone_chance(8) == 0)) {
        leave(&workers[a->worker], a->waiter, a->gen);
        asker_ends(a);
    }
}


static void
step_mail(void)
{
    view_t                   *v;
    asker_t                  *a;
    unsigned                  w;
    ngx_http_clipper_mail_t   mail;

    w = zone_chance(WORKERS);
    v = &workers[w];

    if (mail_take(v, &mail, 1) == 0) {
        return;
    }

    for (a = askers; a < askers + ASKERS; a++) {
        if (a->used && a->worker == w && a->waiter == mail.waiter
            && a->gen == mail.gen)
        {
            break;
        }
    }

    check("a letter for somebody", a < askers + ASKERS);

    if (a->dropped) {
        check("a late one", mail.result == NGX_HTTP_CLIPPER_RESULT_LATE
                            && !mail.held);
        counts[5]++;
        asker_ends(a);
        return;
    }

    check("an answer that came", a->flight->done
                                 && mail.result == a->flight->result);

    if (mail.result == NGX_HTTP_CLIPPER_RESULT_ERROR) {
        counts[6]++;
        asker_ends(a);
        return;
    }

    /* once more only after a rebuild, and only if it was kept */

    if (mail.held && zone_chance(4) == 0) {
        a->held = 1;
        return;
    }

    check("the right answer", mail_says(v, &mail, a->flight->name,
                                        a->flight->len));
    counts[4]++;
    asker_ends(a);
}


/* those who cannot wait until now are told */

static void
drop_late(uint32_t m)
{
    asker_t  *a;

    for (a = askers; a < askers + ASKERS; a++) {
        if (a->used && !a->dropped && a->flight->queued
            && a->flight->model == m && a->deadline < now)
        {
            a->dropped = 1;
            a->flight->waiters--;
            flight_gc(a->flight);
        }
    }
}


static flight_t *
flight_of(view_t *v, const ngx_http_clipper_lease_t *lease)
{
    u_char      output[ZONE_LONGEST + 1];
    size_t      len;
    uint32_t    name, m;
    flight_t   *f;

    len = output_of(v, lease, output);
    memcpy(&name, output + 1, 4);
    m = v->flights[lease->flight].model;

    for (f = flights; f < flights + sizeof(flights) / sizeof(flights[0]); f++)
    {
        if (f->used && f->queued && f->model == m && f->name == name
            && f->len == len - 1)
        {
            return f;
        }
    }

    return NULL;
}


static void
step_take(void)
{
    view_t      *v;
    uint64_t     last;
    replica_t   *r;
    ngx_uint_t   i, queued;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->row == 0 || r->n) {
        return;
    }

    v = &workers[r->worker];
    r->n = take(v, r->row, BATCH, now, r->leases);

    if (v->replicas[r->row].state != NGX_HTTP_CLIPPER_READY) {
        check("work for one that leaves", r->n == 0);
        return;
    }

    drop_late(r->model);

    queued = queued_of(r->model);
    check("nothing taken", r->n || queued == 0);
    check("too many taken", r->n <= queued);

    for (i = 0, last = 0; i < r->n; i++) {
        r->flights[i] = flight_of(v, &r->leases[i]);
        check("what was taken waits", r->flights[i] != NULL);
        check("in order", v->flights[r->leases[i].flight].deadline_us
                          >= last);

        last = v->flights[r->leases[i].flight].deadline_us;
        r->flights[i]->queued = 0;
        r->flights[i]->leases++;
        check("leases", r->flights[i]->leases <= 2);
    }
}


static void
flight_ends(flight_t *f, unsigned result)
{
    f->done = 1;
    f->queued = 0;
    f->result = result;
    flight_gc(f);
}


static void
lease_lost(view_t *v, replica_t *r, ngx_uint_t i)
{
    flight_t  *f;

    ngx_http_clipper_zone_lock(v);
    (void) ngx_http_clipper_queue_lost_locked(v, r->row, &r->leases[i], now);
    ngx_http_clipper_zone_unlock(v);

    f = r->flights[i];
    f->leases--;
    f->attempts++;

    if (f->done || f->queued || f->waiters == 0 || f->leases) {
        flight_gc(f);
        return;
    }

    if (f->attempts > 1) {
        flight_ends(f, NGX_HTTP_CLIPPER_RESULT_ERROR);

    } else {
        f->queued = 1;
    }
}


static void
step_settle(void)
{
    view_t      *v;
    flight_t    *f;
    replica_t   *r;
    ngx_uint_t   i, first;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->n == 0) {
        return;
    }

    v = &workers[r->worker];
    i = --r->n;
    f = r->flights[i];

    switch (zone_chance(12)) {

    case 0:
        lease_lost(v, r, i);
        break;

    case 1:
        first = settle_with(v, r->row, &r->leases[i],
                            NGX_HTTP_CLIPPER_RESULT_ERROR, (u_char *) "bad",
                            3, now);
        check("who is first", first == !f->done);
        f->leases--;

        if (first) {
            flight_ends(f, NGX_HTTP_CLIPPER_RESULT_ERROR);

        } else {
            flight_gc(f);
        }

        break;

    default:
        if (v->header->chunks.n - 1 - v->header->chunks.used < 12) {
            r->n++;
            return;
        }

        first = settle(v, r->row, &r->leases[i], now);
        check("who is first", first == !f->done);
        f->leases--;

        if (first) {
            flight_ends(f, NGX_HTTP_CLIPPER_RESULT_OUTPUT);

        } else {
            flight_gc(f);
        }
    }

    if (r->n == 0) {
        replica_idle(v, r->row);
    }
}


static void
step_hedge(void)
{
    view_t      *v;
    flight_t    *f;
    replica_t   *r;
    ngx_uint_t   i, n;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->n == 0) {
        return;
    }

    for (n = 0, i = 0; i < r->n; i++) {
        f = r->flights[i];

        if (!f->done && !f->queued && f->waiters && f->leases < 2
            && f->attempts == 0)
        {
            f->queued = 1;
            n++;
        }
    }

    v = &workers[r->worker];

    ngx_http_clipper_zone_lock(v);
    check("hedged", ngx_http_clipper_queue_hedge_locked(v, r->row, r->leases,
                                                        r->n) == n);
    ngx_http_clipper_zone_unlock(v);
    counts[7] += n;
}


static void
step_replica(void)
{
    view_t     *v;
    replica_t  *r;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->row == 0) {
        r->worker = zone_chance(WORKERS);
        r->model = models[zone_chance(2)];
        r->row = replica_make(&workers[r->worker], r->model,
                              zone_chance(3) ? 0 : 1 + zone_chance(3));
        r->n = 0;
        return;
    }

    if (zone_chance(3)) {
        return;
    }

    v = &workers[r->worker];

    while (r->n) {
        lease_lost(v, r, --r->n);
    }

    replica_gone(v, r->row);
    r->row = 0;
}


/* a worker dies between two sections; another finds out */

static void
step_death(void)
{
    view_t      *v;
    asker_t     *a;
    unsigned     w;
    flight_t    *f;
    replica_t   *r;

    w = zone_chance(WORKERS);

    for (r = replicas; r < replicas + REPLICAS; r++) {
        if (r->row == 0 || r->worker != w) {
            continue;
        }

        while (r->n) {
            r->flights[--r->n]->leases--;
        }

        r->row = 0;
    }

    for (a = askers; a < askers + ASKERS; a++) {
        if (a->used && a->worker == w) {
            asker_ends(a);
        }
    }

    for (f = flights; f < flights + sizeof(flights) / sizeof(flights[0]); f++)
    {
        if (f->used) {
            f->queued = (f->waiters && !f->done
                         && (f->queued || f->leases == 0));
            flight_gc(f);
        }
    }

    zone_kill(workers[w].pid);

    v = &workers[(w + 1) % WORKERS];
    ngx_http_clipper_zone_lock(v);
    check("buried", ngx_http_clipper_registry_bury_locked(v) == 1);
    ngx_http_clipper_zone_unlock(v);

    workers[w] = worker_make(addr);
    counts[8]++;
}


static void
step_rebuild(void)
{
    workers[0].header->lock.dirty = 1;
    zone_check(&workers[zone_chance(WORKERS)], "rebuilt");
    counts[9]++;
}


static void
check_all(void)
{
    asker_t                    *a;
    unsigned                    w, f;
    flight_t                   *p;
    ngx_http_clipper_header_t  *h;

    for (w = 0, a = askers; a < askers + ASKERS; a++) {
        w += a->used;
    }

    for (f = 0, p = flights;
         p < flights + sizeof(flights) / sizeof(flights[0]);
         p++)
    {
        f += p->used;
    }

    h = workers[0].header;
    check("waiters in use", h->waiters.used == w);
    check("flights in use", h->flights.used == f);
    zone_check(&workers[zone_chance(WORKERS)], "at random");
}


static void
zone_start(void)
{
    unsigned                    i;
    ngx_http_clipper_header_t  *h;

    (void) alarm(600);

    addr = zone_make();
    h = addr;
    h->workers.n = 8;
    h->apps.n = 4;
    h->models.n = 4;
    h->replicas.n = 12;
    h->flights.n = 40;
    h->waiters.n = 60;
    h->chunks.n = 120;
    h->buckets.n = 16;

    for (i = 0; i < WORKERS; i++) {
        workers[i] = worker_make(addr);
    }

    models[0] = model_make(&workers[0], "m", "1");
    models[1] = model_make(&workers[0], "m", "2");

    ngx_http_clipper_zone_lock(&workers[0]);
    memset(askers, 0, sizeof(askers));
    memset(flights, 0, sizeof(flights));
    memset(replicas, 0, sizeof(replicas));
    ngx_http_clipper_zone_unlock(&workers[0]);
}


static void
zone_stop(void)
{
    unsigned                    i;
    ngx_http_clipper_header_t  *h;

    h = addr;
    assert_int_equal(h->flights.used, 0);
    assert_int_equal(h->waiters.used, 0);
    assert_int_equal(h->replicas.used, 0);
    assert_int_equal(h->chunks.used, 0);

    for (i = 0; i < WORKERS; i++) {
        zone_kill(workers[i].pid);
    }

    zone_drop(addr);
}


static void
test_random_life(void **state)
{
    unsigned  i;
    asker_t  *a;

    zone_start();
    now = 1000;

    for (step = 0; step < STEPS; step++) {
        now += zone_chance(10) * 2;

        switch (zone_chance(100)) {
        case 0:
            step_replica();
            break;
        case 1:
            step_hedge();
            break;
        case 2:
            if (zone_chance(20) == 0) {
                step_rebuild();
            }
            break;
        case 3:
            if (zone_chance(20) == 0) {
                step_death();
            }
            break;
        default:
            switch (zone_chance(10)) {
            case 0: case 1:
                step_submit();
                break;
            case 2:
                step_leave();
                break;
            case 3: case 4:
                step_take();
                break;
            case 5: case 6: case 7:
                step_settle();
                break;
            default:
                step_mail();
            }
        }

        if (step % 8 == 0) {
            check_all();
        }
    }

    for (a = askers; a < askers + ASKERS; a++) {
        if (a->used) {
            leave(&workers[a->worker], a->waiter, a->gen);
            asker_ends(a);
        }
    }

    for (i = 0; i < REPLICAS; i++) {
        while (replicas[i].n) {
            lease_lost(&workers[replicas[i].worker], &replicas[i],
                       --replicas[i].n);
        }

        if (replicas[i].row) {
            replica_gone(&workers[replicas[i].worker], replicas[i].row);
        }
    }

    check_all();
    zone_stop();

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        print_message("%u %s%s", counts[i], count_names[i],
                      i < 9 ? ", " : "\n");
        assert_int_not_equal(counts[i], 0);
    }
}


/* --- processes that are killed --- */

#define LIVES     4                 /* at one time */
#define DEATHS    200
#define OPEN      8                 /* asks of each */


typedef struct {
    uint32_t    waiter;             /* 0: none */
    uint32_t    gen;
    uint32_t    name;
    size_t      len;
} ask_t;


static void
life_ask(view_t *v, ask_t *ask)
{
    ngx_http_clipper_task_t  task;

    ask->name = zone_chance(NAMES);
    ask->len = 4 + ask->name * ask->name * 3;

    task = task_make(v, models[ask->name % 2], ask->name, ask->len, now + 20);

    if (zone_chance(3) == 0) {
        task.chunk = borrow(v, task.data, task.len);
    }

    if (submit(v, &task, now) == NGX_OK) {
        ask->waiter = task.waiter;
        ask->gen = task.gen;

    } else if (task.chunk) {
        give_back(v, task.chunk);
    }
}


static void
life_read(view_t *v, ask_t *asks)
{
    unsigned                  i;
    ngx_http_clipper_mail_t   mail;

    while (mail_take(v, &mail, 1)) {

        for (i = 0; i < OPEN; i++) {
            if (asks[i].waiter == mail.waiter && asks[i].gen == mail.gen) {
                break;
            }
        }

        check("a letter for nobody", i < OPEN);

        if (mail.result == NGX_HTTP_CLIPPER_RESULT_OUTPUT) {
            check("a wrong answer", mail_says(v, &mail, asks[i].name,
                                              asks[i].len));

        } else if (mail.held) {
            leave(v, mail.waiter, mail.gen);
        }

        asks[i].waiter = 0;
    }
}


/* one worker's life, without an end of its own */

static void
life(pid_t parent)
{
    view_t                     v;
    ask_t                      asks[OPEN];
    unsigned                   i;
    uint32_t                   replica;
    ngx_str_t                  generation = ngx_string("g");
    ngx_uint_t                 n;
    ngx_http_clipper_lease_t   leases[BATCH];

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    zone_random = zone_mix(getpid() + zone_random);

    (void) ngx_http_clipper_zone_attach(&v, addr, ZONE_SIZE, getpid());

    ngx_http_clipper_zone_lock(&v);
    check("a row", ngx_http_clipper_registry_claim_locked(&v,
                                        (u_char *) "door", 4, &generation, 1));
    ngx_http_clipper_zone_unlock(&v);

    memset(asks, 0, sizeof(asks));
    replica = replica_make(&v, models[zone_chance(2)], 0);

    for (now = 1000; getppid() == parent; now++) {
        i = zone_chance(OPEN);

        if (asks[i].waiter == 0) {
            life_ask(&v, &asks[i]);

        } else if (zone_chance(20) == 0) {
            leave(&v, asks[i].waiter, asks[i].gen);
            asks[i].waiter = 0;
        }

        n = take(&v, replica, 1 + zone_chance(BATCH), now, leases);

        if (n) {
            while (n--) {
                (void) settle(&v, replica, &leases[n], now);
            }

            replica_idle(&v, replica);
        }

        life_read(&v, asks);

        if (zone_chance(200) == 0) {
            replica_gone(&v, replica);
            replica = replica_make(&v, models[zone_chance(2)], 0);
        }

        if (zone_chance(50) == 0) {
            ngx_http_clipper_zone_lock(&v);
            (void) ngx_http_clipper_registry_bury_locked(&v);
            zone_check_locked(&v, "buried");
            ngx_http_clipper_zone_unlock(&v);
        }
    }

    _exit(0);
}


static void
test_killed_lives(void **state)
{
    int       status;
    pid_t     pids[LIVES], self;
    unsigned  i, n, rebuilt;

    zone_start();

    self = getpid();
    rebuilt = workers[0].header->rebuilds;
    memset(pids, 0, sizeof(pids));

    for (n = 0; n < DEATHS + LIVES; n++) {
        i = n % LIVES;

        if (pids[i]) {
            (void) usleep(zone_chance(8000));
            (void) kill(pids[i], SIGKILL);
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }

        if (n < DEATHS) {
            zone_random++;
            pids[i] = fork();
            assert_true(pids[i] >= 0);

            if (pids[i] == 0) {
                life(self);
            }
        }
    }

    ngx_http_clipper_zone_lock(&workers[0]);
    (void) ngx_http_clipper_registry_bury_locked(&workers[0]);
    zone_check_locked(&workers[0], "after all deaths");
    ngx_http_clipper_zone_unlock(&workers[0]);

    rebuilt = workers[0].header->rebuilds - rebuilt;
    print_message("%u killed, %u of them with the lock held\n", DEATHS,
                  rebuilt);
    assert_true(rebuilt > 0);

    zone_stop();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_life),
        cmocka_unit_test(test_killed_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

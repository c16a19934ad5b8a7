
/*
 * Catches: errors that only a long random run of several workers shows: a plain
 * model follows the waiters and their flights, and the zone is checked every
 * few steps.
 */

#include "zone_model.h"


/* waiters whose time is over are told */

static void
drop_late(uint32_t m)
{
    asker_t  *a;

    for (a = askers; a < askers + ASKERS; a++) {
        if (a->used && !a->dropped && a->flight->queued
            && a->flight->leases == 0
            && a->flight->model == m && a->deadline < now)
        {
            a->dropped = 1;
            a->flight->waiters--;
            flight_gc(a->flight);
        }
    }
}


static flight_t *
flight_of(view_t *v, const clipper_lease_t *lease)
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


/* late or old copies leave the queue, and their waiters stay */

static void
copies_gone(view_t *v, uint32_t m)
{
    flight_t          *f;
    clipper_flight_t  *row;

    for (f = flights; f < flights + sizeof(flights) / sizeof(flights[0]); f++)
    {
        row = &v->flights[f->row];

        if (f->used && f->queued && f->leases && f->model == m
            && row->state == CLIPPER_LEASED)
        {
            check("a copy in time", row->deadline_us < now
                                    || now > row->hedged_us + 5000);
            f->queued = 0;
        }
    }
}


static void
step_take(void)
{
    view_t      *v;
    uint64_t     last;
    replica_t   *r;
    ngx_uint_t   i;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->row == 0 || r->n) {
        return;
    }

    v = &workers[r->worker];
    r->n = take(v, r->row, BATCH, now, r->leases);

    if (v->replicas[r->row].state != CLIPPER_READY) {
        check("work for one that leaves", r->n == 0);
        return;
    }

    drop_late(r->model);

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

    copies_gone(v, r->model);
    check("nothing taken", r->n || queued_of(r->model) == 0);
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
    flight_t    *f;
    ngx_uint_t   alone;

    alone = v->flights[r->leases[i].flight].batch_size == 1;

    clipper_zone_lock(v);
    (void) clipper_queue_lease_lost_locked(v, r->row, &r->leases[i], now);
    clipper_zone_unlock(v);

    f = r->flights[i];
    f->leases--;
    f->attempts++;

    if (f->done || f->queued || f->waiters == 0 || f->leases) {
        flight_gc(f);
        return;
    }

    /* a copy that is lost, too, counts like a second try */

    if (f->retried || (f->attempts > 1 && alone)) {
        flight_ends(f, CLIPPER_RESULT_ERROR);

    } else {
        f->retried = 1;
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
        first = settle_with(v, r->row, &r->leases[i], CLIPPER_RESULT_ERROR,
                            (u_char *) "bad",
                            3, now);
        check("who is first", first == !f->done);
        f->leases--;

        if (first) {
            flight_ends(f, CLIPPER_RESULT_ERROR);

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
            flight_ends(f, CLIPPER_RESULT_OUTPUT);

        } else {
            flight_gc(f);
        }
    }

    if (r->n == 0) {
        replica_idle(v, r->row);
    }
}


static ngx_uint_t
hedgeable(view_t *v, replica_t *r, ngx_uint_t i)
{
    flight_t  *f;

    f = r->flights[i];

    return !f->done && !f->queued && f->waiters && f->leases < 2
           && f->attempts == 0
           && v->flights[r->leases[i].flight].deadline_us > now + 1;
}


static void
step_hedge(void)
{
    view_t      *v;
    int32_t      credit;
    uint32_t     idle;
    replica_t   *r;
    ngx_uint_t   i, n;

    r = &replicas[zone_chance(REPLICAS)];

    if (r->n == 0) {
        return;
    }

    v = &workers[r->worker];
    credit = v->models[r->model].credit;
    idle = v->models[r->model].idle;

    while (idle && v->replicas[idle].input_type
                   != v->replicas[r->row].input_type)
    {
        idle = v->replicas[idle].next;
    }

    if (idle == 0 || queued_of(r->model)) {
        credit = 0;
    }

    for (n = 0, i = 0; i < r->n; i++) {
        if (credit > 0 && hedgeable(v, r, i)) {
            credit -= CLIPPER_HEDGE_COST;
            r->flights[i]->queued = 1;
            n++;
        }
    }

    clipper_zone_lock(v);
    check("hedged", hedge_locked(v, r->row, r->leases, r->n, now) == n);
    clipper_zone_unlock(v);
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
    check("buried", clipper_zone_leave_dead(v) == 1);

    workers[w] = worker_make(addr);
    counts[8]++;
}


static void
step_rebuild(void)
{
    workers[0].header->lock.dirty = 1;
    zone_assert(&workers[zone_chance(WORKERS)], "rebuilt");
    counts[9]++;
}


static void
check_all(void)
{
    asker_t           *a;
    unsigned           w, f;
    flight_t          *p;
    clipper_header_t  *h;

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
    zone_assert(&workers[zone_chance(WORKERS)], "at random");
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


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

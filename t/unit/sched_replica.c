
/*
 * The simulation: replicas, their batches, their coming and going.
 */


#include "sched.h"
#include "batch/clipper_batch_profile_risk.h"
#include "batch/clipper_batch_try.h"


/* --- batches --- */


/* on time as by the quantile, or no smaller one has more that should be */

static void
sched_check_size(sched_t *sim, const clipper_batch_t *b, ngx_uint_t n,
    double head_us)
{
    double      expected;
    ngx_uint_t  k;

    if ((double) clipper_batch_latency(b, n) <= head_us) {
        return;
    }

    expected = (double) n * clipper_batch_profile_risk_chance(b, n, head_us);

    for (k = 1; k < n; k++) {
        SCHED_REQUIRE(sim, expected >=
                      (double) k * clipper_batch_profile_risk_chance(b, k,
                                                                     head_us));
    }
}


static void
sched_check_batch(sched_t *sim, sched_replica_t *r, uint64_t seen_us)
{
    int64_t                 head_us;
    ngx_uint_t              i;
    clipper_zone_t         *v;
    clipper_flight_t       *f, *prev;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *row;

    v = &sim->views[r->worker];
    row = &v->replicas[r->row];
    model = &v->models[row->model];
    prev = NULL;

    for (i = 0; i < r->n; i++) {
        f = &v->flights[r->leases[i].flight];
        SCHED_REQUIRE(sim, f->gen == r->leases[i].gen);
        SCHED_REQUIRE(sim, f->state == CLIPPER_LEASED
                           || (r->n == 1 && f->state == CLIPPER_QUEUED));
        SCHED_REQUIRE(sim, prev == NULL || prev->deadline_us < f->deadline_us
                           || (prev->deadline_us == f->deadline_us
                               && prev->seq < f->seq));
        prev = f;
    }

    /* one that is shared is queued again, by what its waiters have left */
    if (model->root && r->n && prev->state == CLIPPER_LEASED) {
        SCHED_REQUIRE(sim, v->flights[model->root].deadline_us
                           >= prev->deadline_us);
    }

    if (sim->fifo) {
        return;
    }

    f = &v->flights[r->leases[0].flight];
    head_us = (int64_t) (f->deadline_us - sim->now_us - SCHED_MARGIN_US);

    SCHED_REQUIRE(sim, head_us > 0);

    if (sim->conf.plain) {
        return;
    }

    if (clipper_batch_profile_risk_least(&row->batch) > (double) head_us) {
        SCHED_REQUIRE(sim, r->n == 1);
        SCHED_REQUIRE(sim, sim->now_us >= seen_us + SCHED_PROBE_US
                           || clipper_batch_try_doubts(&row->batch, head_us));
        sim->probes++;
        return;
    }

    sched_check_size(sim, &row->batch, r->n, (double) head_us);
}


/* how fast the replica works at this time, and until when */

static double
sched_speed(sched_t *sim, uint32_t replica, double now_us, double *until_us)
{
    double                  phase_us;
    const sched_trouble_t  *t;

    t = &sim->trouble;
    *until_us = INFINITY;

    if (t->kind == SCHED_NO_TROUBLE
        || t->kind == SCHED_KILLED
        || (t->replica != SCHED_ALL && t->replica != replica)
        || now_us >= t->to_us)
    {
        return 1;
    }

    if (now_us < t->from_us) {
        *until_us = t->from_us;
        return 1;
    }

    *until_us = t->to_us;

    if (t->kind == SCHED_SLOWER) {
        return 1 / t->factor;
    }

    if (t->kind == SCHED_STOPPED) {
        return 0;
    }

    phase_us = fmod(now_us - t->from_us, 2 * SCHED_PULSE_US);
    *until_us = now_us - phase_us
                + (phase_us < SCHED_PULSE_US ? 1 : 2) * SCHED_PULSE_US;

    return phase_us < SCHED_PULSE_US ? 0 : 1;
}


/* when work of so many us that begins now is done */

static double
sched_done_at(sched_t *sim, uint32_t replica, double us)
{
    double  now_us, until_us, speed;

    now_us = (double) sim->now_us;

    for ( ;; ) {
        speed = sched_speed(sim, replica, now_us, &until_us);

        if (us <= (until_us - now_us) * speed) {
            return now_us + us / speed;
        }

        us -= (until_us - now_us) * speed;
        now_us = until_us;
    }
}


/*
 * A query was told that no replica can answer it on time.  No replica had its
 * input then: a lease that began after the letter was sent is for asks that
 * joined it and have more time.
 */

void
sched_check_given_up(sched_t *sim, const sched_query_t *q)
{
    uint32_t          i;
    ngx_uint_t        k;
    sched_replica_t  *r;

    for (i = 0; i < sim->nreplicas; i++) {
        r = &sim->replicas[i];

        if (!r->in || !r->busy || r->sent_us + SCHED_RING_US >= sim->now_us) {
            continue;
        }

        for (k = 0; k < r->n; k++) {
            SCHED_REQUIRE(sim, r->leases[k].flight != q->flight
                               || r->leases[k].gen != q->flight_gen
                               || q->deadline_us <= sim->now_us);
        }
    }
}


static void
sched_late(sched_t *sim, const sched_replica_t *r, clipper_hedge_t *hedge)
{
    memset(hedge, 0, sizeof(clipper_hedge_t));
    hedge->after_us = sim->hedge_us;
    hedge->margin_us = SCHED_MARGIN_US;
    hedge->sent_us = r->sent_us;
    hedge->now_us = sim->now_us;
}


static void
sched_watch(sched_t *sim, uint32_t replica, const clipper_hedge_t *hedge)
{
    if (hedge->next_us) {
        SCHED_REQUIRE(sim, hedge->next_us > sim->now_us);
        sched_at(sim, (double) hedge->next_us, SCHED_ON_HEDGE, replica,
                 sim->replicas[replica].serial);
    }
}


void
sched_take_locked(sched_t *sim, uint32_t replica)
{
    double            us;
    uint64_t          seen_us;
    sched_model_t    *m;
    sched_replica_t  *r;
    clipper_take_t    take;
    clipper_zone_t   *v;
    clipper_hedge_t   hedge;

    r = &sim->replicas[replica];
    v = &sim->views[r->worker];
    m = &sim->models[r->model];

    take.conf = &sim->conf;
    take.max = SCHED_LEASES;
    take.now_us = sim->now_us;
    take.margin_us = SCHED_MARGIN_US;
    take.once = sim->no_hedge;

    r->waits = 0;
    seen_us = v->replicas[r->row].batch.seen_us;
    r->n = clipper_queue_lease_take_locked(v, r->row, &take, r->leases);
    r->serial++;
    sim->steps++;

    if (r->n == 0) {
        r->waits = take.wait_us != 0;
        if (r->waits) {
            sched_at(sim, (double) sim->now_us + (double) take.wait_us,
                     SCHED_ON_WAIT, replica, r->serial);
        }
        return;
    }

    sched_check_batch(sim, r, seen_us);

    r->busy = 1;
    r->sent_us = sim->now_us;
    sim->batches++;
    sim->sent += r->n;
    sim->hedges += take.copies;

    us = m->a_us + m->b_us * (double) r->n;
    us *= m->noise > 0 ? exp(m->noise * sched_normal(sim)) : 1;
    us += r->cold ? m->first_us : 0;
    r->cold = 0;
    us += m->stuck > 0 && sched_random(sim) < m->stuck ? m->stuck_us : 0;

    sched_at(sim, ceil(sched_done_at(sim, replica, us)), SCHED_ON_DONE,
             replica, r->serial);

    if (!sim->no_hedge) {
        sched_late(sim, r, &hedge);
        hedge.late_us = take.late_us;
        clipper_queue_hedge_begin(v, r->leases, r->n, &hedge);
        sched_watch(sim, replica, &hedge);
    }
}


void
sched_dispatch(sched_t *sim, uint32_t worker)
{
    uint32_t          i;
    sched_replica_t  *r;
    clipper_zone_t   *v;

    v = &sim->views[worker];

    for (i = 0; i < sim->nreplicas; i++) {
        r = &sim->replicas[i];

        if (r->in && r->worker == worker && !r->busy && !r->waits
            && v->models[v->replicas[r->row].model].root)
        {
            sched_take_locked(sim, i);
        }
    }
}


/* a waiting query that a batch's input is for; the first of them */

static uint64_t
sched_deadline(sched_t *sim, clipper_flight_t *f)
{
    if (!sim->fifo) {
        return f->deadline_us;
    }

    return f->waiters ? sim->queries[sim->by_waiter[f->waiters]].deadline_us
                      : sim->now_us;
}


static void
sched_settle_one(sched_t *sim, sched_replica_t *r, ngx_uint_t i)
{
    size_t             len;
    uint32_t           name;
    uint64_t           gen;
    u_char             output[512];
    clipper_zone_t    *v;
    clipper_output_t   o;
    clipper_flight_t  *f;

    v = &sim->views[r->worker];
    f = &v->flights[r->leases[i].flight];
    memset(&o, 0, sizeof(o));

    if (f->gen == r->leases[i].gen) {
        clipper_chunk_read(v, f->input, sim->bytes, f->input_len);
        memcpy(&name, sim->bytes, 4);
        len = sched_output_len(name);
        memset(output, 'z', sizeof(output));
        output[0] = 'y';
        memcpy(output + 1, &name, 4);

        o.data = output;
        o.len = len;

        if (len > CLIPPER_INLINE) {
            o.chunk = clipper_chunk_borrow_locked(v, len);

            if (o.chunk) {
                clipper_chunk_write(v, o.chunk, output, len);
            } else {
                o.result = CLIPPER_RESULT_SHED;
                o.len = 0;
            }
        }
    }

    gen = (uint64_t) r->leases[i].gen + 1;

    if (clipper_queue_lease_settle_locked(v, r->row, &r->leases[i], &o,
                                          sim->now_us))
    {
        SCHED_REQUIRE(sim, sim->settled[r->leases[i].flight] != gen);
        sim->settled[r->leases[i].flight] = gen;
    }

    sim->steps++;
}


static void
sched_settle(sched_t *sim, uint32_t replica)
{
    ngx_uint_t         i, on_time;
    sched_replica_t   *r;
    clipper_zone_t    *v;
    clipper_flight_t  *f;

    r = &sim->replicas[replica];
    v = &sim->views[r->worker];
    on_time = 1;

    sched_lock(sim, r->worker);

    for (i = 0; i < r->n; i++) {
        f = &v->flights[r->leases[i].flight];

        if (f->gen == r->leases[i].gen
            && sched_deadline(sim, f) < sim->now_us)
        {
            on_time = 0;
        }

        sched_settle_one(sim, r, i);
    }

    clipper_queue_peer_observe_locked(v, r->row, &sim->conf, sim->now_us, r->n,
                                      sim->now_us - r->sent_us, on_time);

    r->busy = 0;
    clipper_registry_replica_idle_locked(v, r->row);
    sched_take_locked(sim, replica);

    sched_unlock(sim, r->worker);
}


/* --- coming and going --- */


void
sched_join(sched_t *sim, uint32_t replica)
{
    u_char                  token[16];
    sched_replica_t        *r;
    clipper_zone_t         *v;
    clipper_announcement_t  a;

    r = &sim->replicas[replica];

    if (r->in) {
        return;
    }

    r->worker = (uint32_t) (sched_random(sim) * sim->workers);
    v = &sim->views[r->worker];

    memset(&a, 0, sizeof(a));
    memset(token, (int) replica + 1, sizeof(token));
    a.model = sim->models[r->model].row;
    a.rpc_version = 4;
    a.token.data = token;
    a.token.len = sizeof(token);

    sched_lock(sim, r->worker);

    r->row = clipper_registry_replica_join_locked(v, &a, sim->now_us);
    SCHED_REQUIRE(sim, r->row != 0);
    clipper_registry_replica_ready_locked(v, r->row);
    clipper_registry_replica_idle_locked(v, r->row);

    r->in = 1;
    r->cold = 1;
    r->busy = 0;
    r->waits = 0;
    r->n = 0;
    r->serial++;
    sim->steps++;

    sched_take_locked(sim, replica);
    sched_unlock(sim, r->worker);

    if (sim->failures > 0) {
        sched_at(sim, (double) sim->now_us
                      + sched_exponential(&sim->random, sim->failures),
                 SCHED_ON_FAIL, replica, 0);
    }
}


/* it will come back, unless the simulation ends */

void
sched_out(sched_t *sim, uint32_t replica)
{
    sched_replica_t  *r;

    r = &sim->replicas[replica];
    r->in = 0;
    r->busy = 0;
    r->waits = 0;
    r->n = 0;
    r->serial++;

    if (sim->now_us >= sim->until_us) {
        return;
    }

    sched_at(sim, sim->trouble.kind == SCHED_KILLED
                  ? sim->trouble.to_us
                  : (double) sim->now_us + 1e3 + sched_random(sim) * 300e3,
             SCHED_ON_JOIN, replica, 0);
}


/* an input must not meet more replicas that die of it than the bound */

static void
sched_count_loss(sched_t *sim, const clipper_lease_t *lease,
    clipper_flight_t *f)
{
    uint64_t  *word;

    if (f->gen != lease->gen) {
        return;
    }

    word = &sim->killed[lease->flight];
    *word = (*word >> 32 == f->gen) ? *word + 1
                                    : ((uint64_t) f->gen << 32) + 1;

    SCHED_REQUIRE(sim, (uint32_t) *word <= SCHED_SENDS);
}


static ngx_uint_t
sched_lost_locked(sched_t *sim, sched_replica_t *r,
    const clipper_lease_t *lease)
{
    ngx_uint_t       again;
    clipper_zone_t  *v;

    v = &sim->views[r->worker];
    again = clipper_queue_lease_lost_locked(v, r->row, lease, sim->now_us);

    if (again && sim->no_halves) {
        v->flights[lease->flight].attempts = 0;
    }

    if (sim->no_suspects) {
        v->header->suspect_us = 0;
    }

    return again;
}


void
sched_lose(sched_t *sim, uint32_t replica)
{
    ngx_uint_t        i;
    sched_replica_t  *r;
    clipper_zone_t   *v;

    r = &sim->replicas[replica];

    if (!r->in) {
        return;
    }

    v = &sim->views[r->worker];

    sched_lock(sim, r->worker);

    clipper_registry_replica_leaving_locked(v, r->row);

    for (i = 0; i < r->n; i++) {
        sched_count_loss(sim, &r->leases[i],
                         &v->flights[r->leases[i].flight]);
        sim->again += sched_lost_locked(sim, r, &r->leases[i]);
        sim->steps++;
    }

    clipper_registry_replica_gone_locked(v, r->row, 0);

    sched_unlock(sim, r->worker);

    sim->losses++;
    sched_out(sim, replica);
}


void
sched_reply(sched_t *sim, uint32_t replica)
{
    uint32_t           name;
    ngx_uint_t         i;
    sched_replica_t   *r;
    clipper_zone_t    *v;
    clipper_flight_t  *f;

    r = &sim->replicas[replica];
    v = &sim->views[r->worker];

    for (i = 0; i < r->n && sim->poison; i++) {
        f = &v->flights[r->leases[i].flight];

        if (f->gen != r->leases[i].gen) {
            continue;
        }

        clipper_chunk_read(v, f->input, sim->bytes, f->input_len);
        memcpy(&name, sim->bytes, 4);

        if (sched_poisonous(sim, name)) {
            sched_lose(sim, replica);
            return;
        }
    }

    sched_settle(sim, replica);
}


void
sched_hedge(sched_t *sim, uint32_t replica)
{
    sched_replica_t  *r;
    clipper_zone_t   *v;
    clipper_hedge_t   hedge;

    r = &sim->replicas[replica];
    v = &sim->views[r->worker];

    sched_late(sim, r, &hedge);

    sched_lock(sim, r->worker);
    (void) clipper_queue_hedge_locked(v, r->row, r->leases, r->n, &hedge);
    sched_unlock(sim, r->worker);

    sched_watch(sim, replica, &hedge);
    sim->steps++;
}

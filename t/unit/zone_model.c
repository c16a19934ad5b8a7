
/*
 * See the header.
 */


#include "zone_model.h"


flight_t    flights[ASKERS + REPLICAS * BATCH + 1];
asker_t     askers[ASKERS];
replica_t   replicas[REPLICAS];
static uint32_t    unique = 1000;
unsigned    counts[10];
const char * const  count_names[] = {
    "submitted", "joined", "busy", "full", "answered", "late", "failed",
    "hedged", "deaths", "rebuilds"
};


void
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


unsigned
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


static asker_t *
asker_free(void)
{
    asker_t  *a;

    for (a = askers; a < askers + ASKERS; a++) {
        if (!a->used) {
            return a;
        }
    }

    return NULL;
}


static clipper_task_t
task_random(view_t *v)
{
    clipper_task_t  task;

    task = task_make(v, models[zone_chance(2)], zone_chance(NAMES),
                     zone_chance(3) ? 4 + zone_chance(90)
                                    : 4 + zone_chance(1500), 0);

    task.shared = (zone_chance(4) != 0);

    if (!task.shared) {
        task.key[1] = ++unique;
    }

    /* one length for each name: equal names are equal inputs */

    if (task.shared) {
        task.len = 4 + task.key[1] * task.key[1] * 3;
    }

    task.data = input_of((uint32_t) task.key[1], task.len);

    /* odd, and now is even: never the same */

    task.deadline_us = now + 1 + (zone_chance(8) ? 500 + zone_chance(1000) * 2
                                                 : zone_chance(40) * 2);
    task.queue_max = zone_chance(10) ? 1000 : 1 + zone_chance(4);
    task.settled = clipper_queue_settled(v, task.key);

    if (zone_chance(3) == 0) {
        task.chunk = borrow(v, task.data, task.len);
    }

    return task;
}


/* whether the zone may decline a task with the flight f in the model */

/* replicas have died of the input more than once */

static ngx_uint_t
convicted(view_t *v, clipper_task_t *task)
{
    ngx_uint_t          i;
    clipper_suspect_t  *suspect;

    for (i = 0; i < CLIPPER_SUSPECTS; i++) {
        suspect = &v->header->suspects[i];

        if (suspect->key[0] == task->key[0] && suspect->key[1] == task->key[1]
            && suspect->strikes > 1
            && now < suspect->until_us)
        {
            return 1;
        }
    }

    return 0;
}


static void
check_declined(view_t *v, clipper_task_t *task, flight_t *f, ngx_int_t rc,
    unsigned full)
{
    if (task->chunk) {
        give_back(v, task->chunk);
    }

    switch (rc) {

    case NGX_DECLINED:
        check("declined with replicas", v->models[task->model].replicas == 0);
        break;

    case NGX_ABORT:
        check("busy with room", f == NULL
                             && queued_of(task->model) >= task->queue_max);
        counts[2]++;
        break;

    case NGX_DONE:
        check("refused without strikes", f == NULL && convicted(v, task));
        break;

    default:
        check("a known result", rc == NGX_ERROR);
        check("full with room", full);
        counts[3]++;
    }
}


static flight_t *
flight_begin(view_t *v, clipper_task_t *task)
{
    flight_t  *f;

    for (f = flights; f->used; f++) { /* void */ }

    memset(f, 0, sizeof(flight_t));
    f->used = 1;
    f->queued = 1;
    f->model = task->model;
    f->name = (uint32_t) task->key[1];
    f->len = task->len;
    f->shared = task->shared;

    /* 1 if replicas died of this input before */

    f->row = v->waiters[task->waiter].flight;
    f->attempts = v->flights[f->row].attempts;
    f->retried = f->attempts;
    check("attempts", f->attempts <= 1);

    return f;
}


void
step_submit(void)
{
    view_t         *v;
    asker_t        *a;
    unsigned        w, full;
    flight_t       *f;
    ngx_int_t       rc;
    clipper_task_t  task;

    a = asker_free();

    if (a == NULL) {
        return;
    }

    w = zone_chance(WORKERS);
    v = &workers[w];
    task = task_random(v);

    f = task.shared ? flight_shared(task.model, (uint32_t) task.key[1])
                    : NULL;
    full = (v->header->waiters.free == 0 || v->header->flights.free == 0
            || v->header->chunks.n - 1 - v->header->chunks.used < 12);

    rc = submit(v, &task, now);

    if (rc != NGX_OK) {
        check_declined(v, &task, f, rc, full);
        return;
    }

    check("joined", task.joined == (f != NULL));
    counts[f != NULL]++;

    if (f == NULL) {
        f = flight_begin(v, &task);
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


void
asker_ends(asker_t *a)
{
    if (!a->dropped) {
        a->flight->waiters--;
        flight_gc(a->flight);
    }

    a->used = 0;
}


void
step_leave(void)
{
    asker_t  *a;

    a = &askers[zone_chance(ASKERS)];

    if (a->used && (a->held || zone_chance(8) == 0)) {
        leave(&workers[a->worker], a->waiter, a->gen);
        asker_ends(a);
    }
}


void
step_mail(void)
{
    view_t         *v;
    asker_t        *a;
    unsigned        w;
    clipper_mail_t  mail;

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
        check("a late one", mail.result == CLIPPER_RESULT_LATE
                            && !mail.held);
        counts[5]++;
        asker_ends(a);
        return;
    }

    check("an answer that came", a->flight->done
                                 && mail.result == a->flight->result);

    if (mail.result == CLIPPER_RESULT_ERROR) {
        counts[6]++;
        asker_ends(a);
        return;
    }

    /* a second time only after a rebuild, and only if it was kept */

    if (mail.held && zone_chance(4) == 0) {
        a->held = 1;
        return;
    }

    check("the right answer", mail_says(v, &mail, a->flight->name,
                                        a->flight->len));
    counts[4]++;
    asker_ends(a);
}


/*
 * Catches: a moment at which the death of a worker would leave a zone that
 * the others cannot repair.
 *
 * The zone is write-protected while a worker (the victim) runs one of its
 * sections, so each instruction that stores to it faults.  The instruction is
 * executed alone; after it, a copy of the zone is as a death at this
 * instruction would leave it.  On the copy a survivor locks, rebuilds, checks,
 * buries the victim, and then answers all waiting inputs: each of its own
 * askers gets one right answer, and in the end nothing is in use.
 */

#include "zone_scene.h"
#include "shm/clipper_registry_turn.h"
#include "stores.h"


/* --- the survivor, on the copy --- */


static void
wrong(const char *what, uint32_t row)
{
    print_error("%s, death at store %u: %s %u\n", section, stores_count, what,
                row);
    abort();
}


static void
intact(view_t *w, const char *when)
{
    const char  *text;

    text = zone_check_locked(w);

    if (text) {
        print_error("%s, death at store %u, %s: %s\n", section, stores_count,
                    when, text);
        abort();
    }
}


/* only the rows in use, and the payload */

static void
copy(void *to, void *from)
{
    view_t  w, f;

    (void) clipper_zone_attach(&w, from, ZONE_SIZE, 1);

    memcpy(to, from, sizeof(clipper_header_t));
    (void) clipper_zone_attach(&f, to, ZONE_SIZE, 1);

#define copy_rows(rows)                                                       \
    memcpy(f.rows, w.rows, w.header->rows.n * sizeof(w.rows[0]))

    copy_rows(workers);
    copy_rows(apps);
    copy_rows(models);
    copy_rows(replicas);
    copy_rows(flights);
    copy_rows(waiters);
    copy_rows(chunks);
    copy_rows(buckets);
    memcpy(f.payload, w.payload, w.header->chunks.n * CLIPPER_CHUNK);
}


static asker_t *
asker_of(uint32_t waiter, uint32_t gen)
{
    unsigned  i;

    for (i = 0; i < naskers; i++) {
        if (askers[i].waiter == waiter && askers[i].gen == gen) {
            return &askers[i];
        }
    }

    wrong("a letter for nobody, waiter", waiter);

    return NULL;
}


static void
read_mail(view_t *w)
{
    asker_t        *a;
    unsigned        got;
    clipper_mail_t  mail;

    while (mail_take(w, &mail, 1)) {
        a = asker_of(mail.waiter, mail.gen);
        a->letters++;

        if (mail.result == CLIPPER_RESULT_OUTPUT) {
            got = ANSWERED;

            if (!mail_says(w, &mail, a->name, a->len)) {
                wrong("a wrong answer to", a->name);
            }

        } else {
            got = (mail.result == CLIPPER_RESULT_ERROR) ? FAILED
                                                        : LATE;
            if (mail.held) {
                leave(w, mail.waiter, mail.gen);
            }
        }

        if (!(got & (a->allowed | allowed))) {
            wrong("an unexpected result for", a->name);
        }
    }
}


/* everything of the dead is gone, everything of the survivor is there */

static void
bury(view_t *w)
{
    uint32_t  i, dead;

    (void) clipper_zone_leave_dead(w);
    clipper_zone_lock(w);
    intact(w, "after the burial");

    for (i = 1; i < w->header->workers.n; i++) {
        if (i != w->slot && w->workers[i].state) {
            wrong("a living dead", i);
        }
    }

    for (i = 1; i < w->header->chunks.n; i++) {
        dead = w->chunks[i].owner;

        if ((dead & CLIPPER_CHUNK_LOAN)
            && dead != (CLIPPER_CHUNK_LOAN | w->slot))
        {
            wrong("a loan to the dead", i);
        }
    }

    for (i = 1; i < w->header->models.n; i++) {
        if (w->models[i].epoch < first.models[i].epoch) {
            wrong("an epoch that was there before, model", i);
        }

        if (w->models[i].turn
            && w->replicas[w->models[i].turn].worker != w->slot)
        {
            wrong("a turn of the dead, model", i);
        }
    }

    if (clipper_registry_turn_take_locked(w, rs, 500 + CLIPPER_TURN_AWAY_US)) {
        wrong("a turn that does not end, model", model);
    }

    for (i = 0; i < naskers; i++) {
        if (w->waiters[askers[i].waiter].state == CLIPPER_FREE
            || w->waiters[askers[i].waiter].gen != askers[i].gen)
        {
            wrong("forgotten:", askers[i].name);
        }

        askers[i].letters = 0;
    }

    clipper_zone_unlock(w);
}


static void
answer_all(view_t *w)
{
    uint32_t         replica;
    ngx_uint_t       i, k;
    clipper_lease_t  leases[8];

    replica = replica_make(w, model, 0);

    (void) settle(w, rs, &leases_s[0], 500);
    (void) settle(w, rs, &leases_s[1], 500);
    replica_gone(w, rs);

    read_mail(w);

    for ( ;; ) {
        k = take(w, replica, 3, 500, leases);

        if (k == 0) {
            break;
        }

        for (i = 0; i < k; i++) {
            if (!settle(w, replica, &leases[i], 510)) {
                wrong("a lease that does not count", leases[i].flight);
            }
        }

        replica_idle(w, replica);
        read_mail(w);
    }

    read_mail(w);
    replica_gone(w, replica);
}


static void
verify(void)
{
    view_t             w;
    unsigned           i;
    clipper_header_t  *h;

    copy(copy_mem, zone_mem);

    (void) clipper_zone_attach(&w, copy_mem, ZONE_SIZE, s.pid);
    w.slot = s.slot;
    h = w.header;

    h->lock.holder = 0;             /* as after a takeover of the lock */

    clipper_zone_lock(&w);
    intact(&w, "rebuilt");
    clipper_zone_unlock(&w);
    bury(&w);

    answer_all(&w);

    for (i = 0; i < naskers; i++) {
        if (askers[i].held && askers[i].letters == 0) {
            leave(&w, askers[i].waiter, askers[i].gen);

        } else if (askers[i].letters != 1) {
            wrong("letters lost or doubled for", askers[i].name);
        }
    }

    give_back(&w, loan_s);

    if (h->flights.used | h->waiters.used | h->chunks.used | h->replicas.used)
    {
        wrong("still in use: chunks", h->chunks.used);
    }

    clipper_zone_lock(&w);
    intact(&w, "emptied");
    clipper_zone_unlock(&w);
}


/* --- one store at a time --- */


typedef struct {
    const section_t  *one;
    view_t           *who;
} death_t;


static void
run(void *data)
{
    death_t  *death;

    death = data;
    death->one->run(death->who);
}


static void
stop(void)
{
    verify();

    if (++since_image >= 61 && nimages < IMAGES) {
        memcpy(images[nimages++], zone_mem, ZONE_SIZE);
        since_image = 0;
    }
}


static unsigned
dies(const section_t *one, view_t *who)
{
    unsigned  n;
    death_t   death;

    death.one = one;
    death.who = who;

    section = one->name;
    allowed = one->allowed;

    n = stores_run(zone_mem, ZONE_SIZE, run, &death, stop);

    verify();

    return n;
}


static const section_t  sections[] = {
    { "submit, short", submit_short, 0 },
    { "submit, long", submit_long, 0 },
    { "submit, joins a queued one", submit_joins_queued, 0 },
    { "submit, joins a leased one", submit_joins_leased, 0 },
    { "leave", leaves, 0 },
    { "take", takes, 0 },
    { "settle", settles, 0 },
    { "settle, hedged and twice", settles_twice, 0 },
    { "settle, errors", settles_errors, FAILED },
    { "settle, skipped", settles_skipped, LATE },
    { "lost", loses, FAILED },
    { "hedge", hedges, 0 },
    { "mailbox", reads_mail, 0 },
    { "replica joins", joins, 0 },
    { "replica has moved", joins_moved, 0 },
    { "replica goes", goes, 0 },
    { "replica moves", moves, 0 },
    { "claim", claims, 0 },
    { "reclaim", reclaims, 0 },
    { "model names", names_models, 0 },
    { "application names", names_apps, 0 },
    { "payload", borrows, 0 },
    { "rebuild", rebuilds, 0 },
};


static void
test_death_at_every_store(void **state)
{
    unsigned   i, k, all;
    section_t  again;

    if (!STORES_CAN_STOP) {
        print_message("one store at a time: only on Linux, x86-64\n");
        skip();
    }

    scene();
    all = 0;

    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        memcpy(zone_mem, first_mem, ZONE_SIZE);

        k = dies(&sections[i], sections[i].run == claims
                               || sections[i].run == rebuilds ? &n : &v);

        print_message("%5u points: %s\n", k, sections[i].name);
        assert_true(k > 0);
        all += k;
    }

    /* a death during the repair after another death */

    again.name = "rebuild after a death";
    again.run = rebuilds;
    again.allowed = FAILED | LATE;

    for (k = 0, i = 0; i < nimages; i++) {
        memcpy(zone_mem, images[i], ZONE_SIZE);
        k += dies(&again, &n);
    }

    print_message("%5u points: %s, %u of them\n", k, again.name, nimages);
    assert_true(k > 0 && nimages == IMAGES);

    print_message("%5u points of death, none harms another worker\n",
                  all + k);

    scene_end();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death_at_every_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

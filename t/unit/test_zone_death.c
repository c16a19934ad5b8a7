
/*
 * Catches: a moment at which the death of a worker would leave a zone that
 * the others cannot repair.
 *
 * The zone is write-protected while a worker (the victim) runs one of its
 * sections, so that each instruction that stores to it faults; it is let
 * through alone, and after it a copy of the zone is what a death at this very
 * instruction would leave.  On the copy a survivor locks, rebuilds, checks,
 * buries the dead, and then answers all that still waits: every asker of its
 * own gets one right answer, and in the end nothing is in use.
 */

#include "zone_fixture.h"
#include "stores.h"


#define IMAGES     24               /* half done, to be repaired half way */

#define ANSWERED   1                /* what an asker may get */
#define FAILED     2
#define LATE       4


typedef struct {
    uint32_t     name;
    size_t       len;
    uint32_t     waiter;
    uint32_t     gen;
    unsigned     allowed;
    unsigned     held;              /* its letter was read before */
    unsigned     letters;
} asker_t;


typedef struct {
    const char  *name;
    void       (*run)(view_t *v);
    unsigned     allowed;           /* besides answers, for what it leases */
} section_t;


static void     *zone_mem, *copy_mem, *first_mem, *images[IMAGES];
static unsigned  nimages, since_image;

/* the survivor, the victim, one that died before, one without a row */

static view_t    s, v, t, n, first;
static uint32_t  model, rs, rv, rv2, rt, loan_s, loan_v, loan_t;

static ngx_http_clipper_lease_t  leases_s[2], leases_v[4], leases_t[1];
static ngx_http_clipper_task_t   tasks[32];
static ngx_http_clipper_mail_t   held_v;

static asker_t   askers[32];
static unsigned  naskers, allowed;
static const char  *section;


/* --- the state in which each section begins --- */


static void
asks(view_t *w, uint32_t name, size_t len, uint64_t deadline_us)
{
    ngx_http_clipper_task_t  task;

    task = task_make(w, model, name, len, deadline_us);
    assert_int_equal(submit(w, &task, 100), NGX_OK);

    if (w != &s) {
        tasks[name] = task;
        return;
    }

    askers[naskers].name = name;
    askers[naskers].len = len;
    askers[naskers].waiter = task.waiter;
    askers[naskers].gen = task.gen;
    askers[naskers].allowed = ANSWERED;
    askers[naskers].held = 0;
    naskers++;
}


/* small tables: a rebuild has fewer stores, and full ones come sooner */

static void
shrink(void *addr)
{
    ngx_http_clipper_header_t  *h;

    h = addr;
    h->workers.n = 7;
    h->apps.n = 4;
    h->models.n = 4;
    h->replicas.n = 9;
    h->flights.n = 28;
    h->waiters.n = 40;
    h->chunks.n = 100;
    h->buckets.n = 16;
}


static void
zombie(pid_t pid)
{
    siginfo_t  info;

    (void) kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, pid, &info, WEXITED|WNOWAIT), 0);
}


static void
scene(void)
{
    uint32_t                  i;
    ngx_http_clipper_mail_t   mail;
    ngx_http_clipper_lease_t  done[4];

    zone_mem = zone_make();
    shrink(zone_mem);

    s = worker_make(zone_mem);
    v = worker_make(zone_mem);
    t = worker_make(zone_mem);
    n = t;
    n.pid = zone_process();
    n.slot = 0;

    model = model_make(&s, "m", "1");

    ngx_http_clipper_zone_lock(&s);
    ngx_http_clipper_registry_pin_locked(&s, s.workers[s.slot].models, model);
    ngx_http_clipper_zone_unlock(&s);

    (void) model_make(&s, "unused", "1");

    rs = replica_make(&s, model, 's');
    rv = replica_make(&v, model, 0);
    rv2 = replica_make(&v, model, 'v');
    rt = replica_make(&t, model, 't');

    /* four are done: a letter each in a box, one each read and kept */

    asks(&s, 10, 600, 200);
    asks(&s, 12, 700, 200);
    asks(&v, 11, 20, 300);
    asks(&v, 13, 600, 300);
    assert_int_equal(take(&s, rs, 4, 150, done), 4);

    for (i = 0; i < 4; i++) {
        assert_int_equal(settle(&s, rs, &done[i], 160), 1);
    }

    replica_idle(&s, rs);

    assert_int_equal(mail_take(&s, &mail, 1), 1);
    assert_true(mail.held);

    for (i = 0; i < naskers; i++) {
        askers[i].held = (askers[i].waiter == mail.waiter);
    }

    assert_int_equal(mail_take(&v, &held_v, 1), 1);

    if (!held_v.held) {
        (void) mail_take(&v, &held_v, 1);
        asks(&v, 11, 20, 170);
        assert_int_equal(take(&s, rs, 1, 165, done), 1);
        assert_int_equal(settle(&s, rs, done, 166), 1);
        replica_idle(&s, rs);
    }

    assert_true(held_v.held);

    /* leased: to the victim, to the survivor, to one that is dead already */

    asks(&s, 4, 20, 1000);
    asks(&s, 5, 600, 1001);
    asks(&v, 5, 600, 1001);
    asks(&v, 6, 600, 1002);
    asks(&s, 9, 20, 1003);
    assert_int_equal(take(&v, rv, 4, 170, leases_v), 4);

    asks(&s, 7, 20, 1010);
    asks(&v, 8, 600, 1011);
    assert_int_equal(take(&s, rs, 2, 170, leases_s), 2);

    asks(&s, 21, 20, 1020);
    assert_int_equal(take(&t, rt, 1, 170, leases_t), 1);

    /* hedged beside the victim's lease */

    ngx_http_clipper_zone_lock(&v);
    assert_int_equal(ngx_http_clipper_queue_hedge_locked(&v, rv, &leases_v[3],
                                                         1), 1);
    ngx_http_clipper_zone_unlock(&v);

    /* told that it is late, and going to be */

    asks(&s, 14, 600, 180);
    askers[naskers - 1].allowed = LATE;
    assert_int_equal(take(&v, rv2, 0, 185, done), 0);
    asks(&s, 15, 600, 190);
    askers[naskers - 1].allowed = LATE;
    asks(&v, 16, 20, 191);

    /* queued */

    asks(&s, 1, 600, 2000);
    asks(&t, 1, 600, 1500);
    asks(&s, 2, 20, 2001);
    asks(&v, 2, 20, 2001);
    asks(&v, 3, 600, 2002);
    asks(&t, 22, 600, 2003);
    asks(&v, 23, 20, 1999);

    loan_s = borrow(&s, NULL, 1000);
    loan_v = borrow(&v, NULL, 1500);
    loan_t = borrow(&t, NULL, 500);

    zone_check(&s, "the scene");

    zombie(v.pid);
    zombie(t.pid);
    zombie(n.pid);

    copy_mem = zone_map();
    first_mem = zone_map();
    memcpy(first_mem, zone_mem, ZONE_SIZE);
    (void) ngx_http_clipper_zone_attach(&first, first_mem, ZONE_SIZE, 1);

    for (i = 0; i < IMAGES; i++) {
        images[i] = zone_map();
    }
}


static void
scene_end(void)
{
    unsigned  i;

    zone_kill(s.pid);
    zone_kill(v.pid);
    zone_kill(t.pid);
    zone_kill(n.pid);

    zone_drop(zone_mem);
    zone_drop(copy_mem);
    zone_drop(first_mem);

    for (i = 0; i < IMAGES; i++) {
        zone_drop(images[i]);
    }
}


/* --- what the survivor does on the copy --- */


static void
wrong(const char *what, uint32_t row)
{
    print_error("%s, death at store %u: %s %u\n", section, stores_count, what, row);
    abort();
}


static void
intact(view_t *w, const char *when)
{
    const char  *text;

    text = ngx_http_clipper_check_locked(w);

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

    (void) ngx_http_clipper_zone_attach(&w, from, ZONE_SIZE, 1);

    memcpy(to, from, sizeof(ngx_http_clipper_header_t));
    (void) ngx_http_clipper_zone_attach(&f, to, ZONE_SIZE, 1);

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
    memcpy(f.payload, w.payload, w.header->chunks.n * NGX_HTTP_CLIPPER_CHUNK);
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
    asker_t                  *a;
    unsigned                  got;
    ngx_http_clipper_mail_t   mail;

    while (mail_take(w, &mail, 1)) {
        a = asker_of(mail.waiter, mail.gen);
        a->letters++;

        if (mail.result == NGX_HTTP_CLIPPER_RESULT_OUTPUT) {
            got = ANSWERED;

            if (!mail_says(w, &mail, a->name, a->len)) {
                wrong("a wrong answer to", a->name);
            }

        } else {
            got = (mail.result == NGX_HTTP_CLIPPER_RESULT_ERROR) ? FAILED
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


/* nothing of the dead is left, everything of the survivor is */

static void
bury(view_t *w)
{
    uint32_t  i, dead;

    (void) ngx_http_clipper_registry_bury_locked(w);
    intact(w, "after the burial");

    for (i = 1; i < w->header->workers.n; i++) {
        if (i != w->slot && w->workers[i].state) {
            wrong("a living dead", i);
        }
    }

    for (i = 1; i < w->header->chunks.n; i++) {
        dead = w->chunks[i].owner;

        if ((dead & NGX_HTTP_CLIPPER_CHUNK_LOAN)
            && dead != (NGX_HTTP_CLIPPER_CHUNK_LOAN | w->slot))
        {
            wrong("a loan to the dead", i);
        }
    }

    for (i = 1; i < w->header->models.n; i++) {
        if (w->models[i].epoch < first.models[i].epoch) {
            wrong("an epoch that was there before, model", i);
        }
    }

    for (i = 0; i < naskers; i++) {
        if (w->waiters[askers[i].waiter].state == NGX_HTTP_CLIPPER_FREE
            || w->waiters[askers[i].waiter].gen != askers[i].gen)
        {
            wrong("forgotten:", askers[i].name);
        }

        askers[i].letters = 0;
    }
}


static void
answer_all(view_t *w)
{
    uint32_t                  replica;
    ngx_uint_t                i, k;
    ngx_http_clipper_lease_t  leases[8];

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
    view_t                      w;
    unsigned                    i;
    ngx_http_clipper_header_t  *h;

    copy(copy_mem, zone_mem);

    (void) ngx_http_clipper_zone_attach(&w, copy_mem, ZONE_SIZE, s.pid);
    w.slot = s.slot;
    h = w.header;

    h->lock.holder = 0;             /* as who took the lock over leaves it */

    ngx_http_clipper_zone_lock(&w);
    intact(&w, "rebuilt");
    bury(&w);
    ngx_http_clipper_zone_unlock(&w);

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

    ngx_http_clipper_zone_lock(&w);
    intact(&w, "emptied");
    ngx_http_clipper_zone_unlock(&w);
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


/* --- the sections --- */


static void
submit_short(view_t *w)
{
    ngx_http_clipper_task_t  task;

    task = task_make(w, model, 30, 40, 1700);
    (void) submit(w, &task, 200);
}


static void
submit_long(view_t *w)
{
    ngx_http_clipper_task_t  task;

    task = task_make(w, model, 30, 1700, 1700);
    task.chunk = borrow(w, NULL, 1700);
    (void) submit(w, &task, 200);
}


static void
submit_joins_queued(view_t *w)
{
    ngx_http_clipper_task_t  task;

    task = task_make(w, model, 1, 600, 700);
    (void) submit(w, &task, 200);
    task = task_make(w, model, 2, 20, 9000);
    (void) submit(w, &task, 200);
}


static void
submit_joins_leased(view_t *w)
{
    ngx_http_clipper_task_t  task;

    task = task_make(w, model, 5, 600, 700);
    task.chunk = borrow(w, NULL, 600);
    (void) submit(w, &task, 200);
}


static void
leaves(view_t *w)
{
    static const uint32_t  names[] = { 3, 2, 6, 11, 5, 8, 16, 23 };

    unsigned  i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        leave(w, tasks[names[i]].waiter, tasks[names[i]].gen);
    }

    leave(w, held_v.waiter, held_v.gen);
}


static void
takes(view_t *w)
{
    ngx_http_clipper_lease_t  leases[3];

    (void) take(w, rv2, 3, 195, leases);
}


static void
settles(view_t *w)
{
    unsigned  i;

    for (i = 0; i < 4; i++) {
        (void) settle(w, rv, &leases_v[i], 400);
    }

    replica_idle(w, rv);
}


/* the second answer to a hedged input, and answers nobody asked for */

static void
settles_twice(view_t *w)
{
    unsigned                  i;
    ngx_http_clipper_lease_t  leases[3];

    (void) take(w, rv2, 3, 195, leases);

    for (i = 0; i < 3; i++) {
        (void) settle(w, rv2, &leases[i], 400);
        (void) settle(w, rv2, &leases[i], 400);
    }

    (void) settle_with(w, rv, &leases_v[3], 0, input_of(1, 600), 600,
                       400);
    replica_idle(w, rv2);
}


static void
settles_errors(view_t *w)
{
    unsigned       i;
    static u_char  text[600];

    for (i = 0; i < 4; i++) {
        (void) settle_with(w, rv, &leases_v[i],
                           NGX_HTTP_CLIPPER_RESULT_ERROR,
                           text, i == 1 ? 600 : 9, 400);
    }
}


static void
loses(view_t *w)
{
    unsigned                  i;
    ngx_http_clipper_lease_t  leases[8];

    /* the whole batch; what is asked again and lost again is an error */

    ngx_http_clipper_zone_lock(w);

    for (i = 0; i < 4; i++) {
        (void) ngx_http_clipper_queue_lost_locked(w, rv, &leases_v[i], 400);
    }

    ngx_http_clipper_registry_gone_locked(w, rv);
    ngx_http_clipper_zone_unlock(w);

    i = take(w, rv2, 8, 400, leases);

    ngx_http_clipper_zone_lock(w);

    while (i--) {
        (void) ngx_http_clipper_queue_lost_locked(w, rv2, &leases[i], 410);
    }

    ngx_http_clipper_registry_gone_locked(w, rv2);
    ngx_http_clipper_zone_unlock(w);
}


static void
hedges(view_t *w)
{
    ngx_http_clipper_zone_lock(w);
    (void) ngx_http_clipper_queue_hedge_locked(w, rv, leases_v, 4);
    ngx_http_clipper_zone_unlock(w);
}


static void
reads_mail(view_t *w)
{
    ngx_http_clipper_mail_t  mail[4];

    (void) mail_take(w, mail, 4);
}


static void
joins(view_t *w)
{
    (void) replica_make(w, model, 'j');
}


static void
joins_moved(view_t *w)
{
    (void) replica_make(w, model, 's');
}


static void
goes(view_t *w)
{
    ngx_http_clipper_zone_lock(w);
    ngx_http_clipper_registry_leaving_locked(w, rv2);
    ngx_http_clipper_registry_gone_locked(w, rv2);
    ngx_http_clipper_zone_unlock(w);
}


static void
claims(view_t *w)
{
    view_t     again;
    ngx_str_t  generation = ngx_string("g2");

    again = *w;
    again.slot = 0;

    ngx_http_clipper_zone_lock(&again);
    (void) ngx_http_clipper_registry_claim_locked(&again, (u_char *) "door",
                                                  4, &generation, 2);
    ngx_http_clipper_zone_unlock(&again);
}


static void
reclaims(view_t *w)
{
    ngx_http_clipper_zone_lock(w);
    ngx_http_clipper_reclaim_locked(w, t.slot);
    ngx_http_clipper_zone_unlock(w);
}


static void
rebuilds(view_t *w)
{
    w->header->lock.holder = 0;
    w->header->lock.dirty = 1;
    ngx_http_clipper_zone_lock(w);
    ngx_http_clipper_zone_unlock(w);
}


static void
names_models(view_t *w)
{
    (void) model_make(w, "new", "1");
    (void) model_make(w, "newer", "1");
    (void) model_make(w, "newest", "1");
}


static void
names_apps(view_t *w)
{
    char       name[2] = "a";
    ngx_str_t  app;

    app.data = (u_char *) name;
    app.len = 1;

    for (name[0] = 'a'; name[0] < 'f'; name[0]++) {
        ngx_http_clipper_zone_lock(w);
        (void) ngx_http_clipper_registry_app_locked(w, &app);
        ngx_http_clipper_zone_unlock(w);
    }
}


static void
borrows(view_t *w)
{
    give_back(w, borrow(w, NULL, 3000));
    give_back(w, loan_v);
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
    { "lost", loses, FAILED },
    { "hedge", hedges, 0 },
    { "mailbox", reads_mail, 0 },
    { "replica joins", joins, 0 },
    { "replica has moved", joins_moved, 0 },
    { "replica goes", goes, 0 },
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

    /* a death while what another death has left is repaired */

    again.name = "rebuild after a death";
    again.run = rebuilds;
    again.allowed = FAILED;

    for (k = 0, i = 0; i < nimages; i++) {
        memcpy(zone_mem, images[i], ZONE_SIZE);
        k += dies(&again, &n);
    }

    print_message("%5u points: %s, %u of them\n", k, again.name, nimages);
    assert_true(k > 0 && nimages == IMAGES);

    print_message("%5u points, none of which is deadly for others\n",
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

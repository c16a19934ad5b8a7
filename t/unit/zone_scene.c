
/*
 * See the header.
 */


#include "zone_scene.h"
#include "shm/clipper_registry_turn.h"


void     *zone_mem, *copy_mem, *first_mem, *images[IMAGES];
unsigned  nimages, since_image;
/* the survivor, the victim, one that died before, one without a row */

view_t    s, v, t, n, first;
uint32_t  model, rs, rv, rv2, rt, loan_s, loan_v, loan_t;
clipper_lease_t  leases_s[2], leases_v[4], leases_t[1];
clipper_task_t   tasks[32];
static clipper_mail_t   held_v;
asker_t   askers[32];
unsigned  naskers, allowed;
const char  *section;


void
asks(view_t *w, uint32_t name, size_t len, uint64_t deadline_us)
{
    clipper_task_t  task;

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
    clipper_header_t  *h;

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
scene_workers(void)
{
    zone_mem = zone_make();
    shrink(zone_mem);

    s = worker_make(zone_mem);
    v = worker_make(zone_mem);
    t = worker_make(zone_mem);
    n = t;
    n.pid = zone_process();
    n.slot = 0;

    model = model_make(&s, "m", "1");

    clipper_zone_lock(&s);
    clipper_registry_pin_locked(&s, s.workers[s.slot].models, model);
    clipper_zone_unlock(&s);

    (void) model_make(&s, "unused", "1");

    rs = replica_make(&s, model, 's');
    rv = replica_make(&v, model, 0);
    rv2 = replica_make(&v, model, 'v');
    rt = replica_make(&t, model, 't');
}


/* four are done: two with a letter in a mailbox, two read and kept */

static void
scene_done(void)
{
    uint32_t         i;
    clipper_mail_t   mail;
    clipper_lease_t  done[4];

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
}


/* leased: to the victim, to the survivor, to one that is dead already */

static void
scene_leased(void)
{
    asks(&s, 4, 20, 1000);
    asks(&s, 5, 600, 3000);
    asks(&v, 5, 600, 1001);
    asks(&v, 6, 600, 1002);
    asks(&s, 9, 20, 1003);
    assert_int_equal(take(&v, rv, 4, 170, leases_v), 4);

    asks(&s, 7, 20, 1010);
    asks(&v, 8, 600, 1011);
    assert_int_equal(take(&s, rs, 2, 170, leases_s), 2);

    asks(&s, 21, 20, 1020);
    assert_int_equal(take(&t, rt, 1, 170, leases_t), 1);

    /* hedged, next to the victim's lease */

    clipper_zone_lock(&v);
    assert_int_equal(hedge_locked(&v, rv, &leases_v[3], 1, 180), 1);
    clipper_zone_unlock(&v);
}


static void
scene_queued(void)
{
    clipper_lease_t  none;

    /* told that it is late, and about to be told */

    asks(&s, 14, 600, 180);
    askers[naskers - 1].allowed = LATE;
    assert_int_equal(take(&v, rv2, 0, 185, &none), 0);
    asks(&s, 15, 600, 190);
    askers[naskers - 1].allowed = LATE;
    asks(&v, 16, 20, 191);

    /* on time */

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
}


void
scene(void)
{
    uint32_t  i;

    scene_workers();
    scene_done();
    scene_leased();
    scene_queued();
    zone_assert(&s, "the scene");

    zombie(v.pid);
    zombie(t.pid);
    zombie(n.pid);

    copy_mem = zone_map();
    first_mem = zone_map();
    memcpy(first_mem, zone_mem, ZONE_SIZE);
    (void) clipper_zone_attach(&first, first_mem, ZONE_SIZE, 1);

    for (i = 0; i < IMAGES; i++) {
        images[i] = zone_map();
    }
}


void
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


void
submit_short(view_t *w)
{
    clipper_task_t  task;

    task = task_make(w, model, 30, 40, 1700);
    (void) submit(w, &task, 200);
}


void
submit_long(view_t *w)
{
    clipper_task_t  task;

    task = task_make(w, model, 30, 1700, 1700);
    task.chunk = borrow(w, NULL, 1700);
    (void) submit(w, &task, 200);
}


void
submit_joins_queued(view_t *w)
{
    clipper_task_t  task;

    task = task_make(w, model, 1, 600, 700);
    (void) submit(w, &task, 200);
    task = task_make(w, model, 2, 20, 9000);
    (void) submit(w, &task, 200);
}


void
submit_joins_leased(view_t *w)
{
    clipper_task_t  task;

    task = task_make(w, model, 5, 600, 700);
    task.chunk = borrow(w, NULL, 600);
    (void) submit(w, &task, 200);
}


void
leaves(view_t *w)
{
    static const uint32_t  names[] = { 3, 2, 6, 11, 5, 8, 16, 23 };

    unsigned  i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        leave(w, tasks[names[i]].waiter, tasks[names[i]].gen);
    }

    leave(w, held_v.waiter, held_v.gen);
}


void
takes(view_t *w)
{
    clipper_lease_t  leases[3];

    (void) take(w, rv2, 3, 195, leases);
}


void
settles(view_t *w)
{
    unsigned  i;

    for (i = 0; i < 4; i++) {
        (void) settle(w, rv, &leases_v[i], 400);
    }

    replica_idle(w, rv);
}


/* the second answer to a hedged input, and unsolicited answers */

void
settles_twice(view_t *w)
{
    unsigned         i;
    clipper_lease_t  leases[3];

    (void) take(w, rv2, 3, 195, leases);

    for (i = 0; i < 3; i++) {
        (void) settle(w, rv2, &leases[i], 400);
        (void) settle(w, rv2, &leases[i], 400);
    }

    (void) settle_with(w, rv, &leases_v[3], 0, input_of(1, 600), 600,
                       400);
    replica_idle(w, rv2);
}


void
settles_errors(view_t *w)
{
    unsigned       i;
    static u_char  text[600];

    for (i = 0; i < 4; i++) {
        (void) settle_with(w, rv, &leases_v[i],
                           CLIPPER_RESULT_ERROR,
                           text, i == 1 ? 600 : 9, 400);
    }
}


/* one has no asker left, one an asker with more time, one was not late */

void
settles_skipped(view_t *w)
{
    unsigned  i;

    for (i = 0; i < 4; i++) {
        (void) settle_with(w, rv, &leases_v[i], CLIPPER_RESULT_LATE, NULL, 0,
                           1002);
    }

    replica_idle(w, rv);
}


void
loses(view_t *w)
{
    unsigned         i;
    clipper_lease_t  leases[8];

    /* the whole batch; an input that is lost a second time is an error */

    clipper_zone_lock(w);

    for (i = 0; i < 4; i++) {
        (void) clipper_queue_lease_lost_locked(w, rv, &leases_v[i], 400);
    }

    clipper_registry_replica_gone_locked(w, rv, 0);
    clipper_zone_unlock(w);

    i = take(w, rv2, 8, 400, leases);

    clipper_zone_lock(w);

    while (i--) {
        (void) clipper_queue_lease_lost_locked(w, rv2, &leases[i], 410);
    }

    clipper_registry_replica_gone_locked(w, rv2, 0);
    clipper_zone_unlock(w);
}


void
hedges(view_t *w)
{
    clipper_zone_lock(w);
    (void) hedge_locked(w, rv, leases_v, 4, 200);
    clipper_zone_unlock(w);
}


void
reads_mail(view_t *w)
{
    clipper_mail_t  mail[4];

    (void) mail_take(w, mail, 4);
}


void
joins(view_t *w)
{
    (void) replica_make(w, model, 'j');
}


void
joins_moved(view_t *w)
{
    (void) replica_make(w, model, 's');
}


void
goes(view_t *w)
{
    clipper_zone_lock(w);
    clipper_registry_replica_leaving_locked(w, rv2);
    clipper_registry_replica_gone_locked(w, rv2, 0);
    clipper_zone_unlock(w);
}


void
moves(view_t *w)
{
    unsigned  i;

    clipper_zone_lock(w);

    if (clipper_registry_turn_take_locked(w, rv, 300) == 0) {
        clipper_registry_replica_leaving_locked(w, rv);
    }

    clipper_zone_unlock(w);

    for (i = 0; i < 4; i++) {
        (void) settle(w, rv, &leases_v[i], 400);
    }

    replica_idle(w, rv);

    clipper_zone_lock(w);
    clipper_registry_turn_away_locked(w, rv, 410);
    clipper_registry_replica_gone_locked(w, rv, 0);
    clipper_zone_unlock(w);

    (void) replica_make(w, model, 0);
}


void
claims(view_t *w)
{
    view_t     again;
    ngx_str_t  generation = ngx_string("g2");

    again = *w;
    again.slot = 0;

    (void) clipper_zone_leave_dead(&again);

    clipper_zone_lock(&again);
    (void) clipper_registry_enter_locked(&again, (u_char *) "door",
                                         4, &generation, 2);
    clipper_zone_unlock(&again);
}


void
reclaims(view_t *w)
{
    (void) clipper_zone_leave(w, t.slot, w->workers[t.slot].gen,
                              w->workers[t.slot].pid);
}


void
rebuilds(view_t *w)
{
    w->header->lock.holder = 0;
    w->header->lock.dirty = 1;
    clipper_zone_lock(w);
    clipper_zone_unlock(w);
}


void
names_models(view_t *w)
{
    (void) model_make(w, "new", "1");
    (void) model_make(w, "newer", "1");
    (void) model_make(w, "newest", "1");
}


void
names_apps(view_t *w)
{
    char       name[2] = "a";
    ngx_str_t  app;

    app.data = (u_char *) name;
    app.len = 1;

    for (name[0] = 'a'; name[0] < 'f'; name[0]++) {
        clipper_zone_lock(w);
        (void) clipper_registry_app_locked(w, &app);
        clipper_zone_unlock(w);
    }
}


void
borrows(view_t *w)
{
    give_back(w, borrow(w, NULL, 3000));
    give_back(w, loan_v);
}


/*
 * Catches: damage to other workers by one that is killed at a random moment.
 * They ask and answer each other meanwhile, and bury it.
 */

#include "zone_small.h"


#define LIVES       4               /* at one time */
#define DEATHS      200
#define DEATHS_MAX  4000
#define OPEN        8               /* asks of each */


typedef struct {
    uint32_t    waiter;             /* 0: none */
    uint32_t    gen;
    uint32_t    name;
    size_t      len;
} ask_t;


static void
life_ask(view_t *v, ask_t *ask)
{
    clipper_task_t  task;

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
    unsigned        i;
    clipper_mail_t  mail;

    while (mail_take(v, &mail, 1)) {

        for (i = 0; i < OPEN; i++) {
            if (asks[i].waiter == mail.waiter && asks[i].gen == mail.gen) {
                break;
            }
        }

        check("a letter for nobody", i < OPEN);

        if (mail.result == CLIPPER_RESULT_OUTPUT) {
            check("a wrong answer", mail_says(v, &mail, asks[i].name,
                                              asks[i].len));

        } else if (mail.held) {
            leave(v, mail.waiter, mail.gen);
        }

        asks[i].waiter = 0;
    }
}


/* the endless loop of one worker */

static void
life(pid_t parent)
{
    view_t           v;
    ask_t            asks[OPEN];
    unsigned         i;
    uint32_t         replica;
    ngx_str_t        generation = ngx_string("g");
    ngx_uint_t       n;
    clipper_lease_t  leases[BATCH];

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    zone_random = splitmix(getpid() + zone_random);

    (void) clipper_zone_attach(&v, addr, ZONE_SIZE, getpid());

    (void) clipper_zone_leave_dead(&v);

    clipper_zone_lock(&v);
    check("a row", clipper_registry_enter_locked(&v,
                                        (u_char *) "door", 4, &generation, 1));
    clipper_zone_unlock(&v);

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
            (void) clipper_zone_leave_dead(&v);
            zone_assert(&v, "buried");
        }
    }

    _exit(0);
}


static void
test_killed_lives(void **state)
{
    int       status;
    pid_t     pids[LIVES], self;
    unsigned  i, n, deaths, rebuilt;

    zone_start();

    self = getpid();
    rebuilt = workers[0].header->rebuilds;
    memset(pids, 0, sizeof(pids));

    deaths = DEATHS;

    for (n = 0; n < deaths + LIVES; n++) {
        i = n % LIVES;

        /* more, if none of them has held the lock */

        if (n == deaths && n < DEATHS_MAX
            && workers[0].header->rebuilds == rebuilt)
        {
            deaths += DEATHS;
        }

        if (pids[i]) {
            (void) usleep(zone_chance(8000));
            (void) kill(pids[i], SIGKILL);
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }

        if (n < deaths) {
            zone_random++;
            pids[i] = fork();
            assert_true(pids[i] >= 0);

            if (pids[i] == 0) {
                life(self);
            }
        }
    }

    (void) clipper_zone_leave_dead(&workers[0]);
    zone_assert(&workers[0], "after all deaths");

    rebuilt = workers[0].header->rebuilds - rebuilt;
    print_message("%u killed, %u of them with the lock held\n", deaths,
                  rebuilt);
    assert_true(rebuilt > 0);

    zone_stop();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

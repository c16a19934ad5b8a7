
/*
 * What is done with a mutex held is bounded.
 *
 * Catches: the kernel is asked about a process with a mutex held; records of
 * chosen ids that all fall into one bucket, or a search of a bucket to its
 * end.
 */


#include "record_fixture.h"
#include "shm/clipper_record_ring.h"


#define CHOSEN  130


static ngx_uint_t  holds;

ngx_uint_t __real_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);
ngx_uint_t __wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner);


ngx_uint_t
__wrap_clipper_lock(clipper_lock_t *lock, clipper_owner_t owner)
{
    holds++;

    return __real_clipper_lock(lock, owner);
}


/* a process that has ended */

static clipper_owner_t
dead_process(void)
{
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    assert_int_equal(waitpid(pid, NULL, 0), pid);

    return (clipper_owner_t) pid;
}


/* the signal that ends a child which asks, with the lock held or not */

static int
asks(unsigned held)
{
    int             status;
    pid_t           pid;
    clipper_lock_t  lock = { 0 };

    pid = fork();

    if (pid == 0) {
        (void) close(2);
        (void) clipper_lock(&lock, 7);

        if (!held) {
            clipper_lock_release(&lock);
        }

        (void) clipper_lock_alive(clipper_lock_self());
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}


static void
test_ask_with_a_lock(void **state)
{
    assert_int_equal(asks(1), SIGABRT);
    assert_int_equal(asks(0), 0);
}


/* records of dead and living owners: nobody is asked under the lock */

static void
test_owners_of_records(void **state)
{
    ngx_uint_t       i;
    record_t         r, out;
    clipper_zone_t   zone;
    clipper_owner_t  owners[3];

    ring_make(&zone, 1 << 20);

    owners[0] = (clipper_owner_t) getppid();
    owners[1] = 1;
    owners[2] = dead_process();

    for (i = 1; i <= 60; i++) {
        record_of(&r, i);
        r.uid[0] = 1;
        r.uid[1] = 1;
        r.app = 1;
        r.owner = owners[i % 2];

        if (i == 5) {
            r.owner = owners[2];
        }

        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    holds = 0;
    assert_int_equal(clipper_record_take(&zone, 5, 1, r.uid, 0, &out), NGX_OK);
    assert_int_equal(out.query_id, 5);
    assert_int_equal(holds, 2);
    assert_int_equal(clipper_record_take(&zone, 6, 1, r.uid, 0, &out),
                     NGX_DONE);

    munmap(zone.records, 1 << 20);
}


/* behind 55 records of two living owners, in turns: that of a dead one */

static void
test_owners_in_turns(void **state)
{
    ngx_uint_t       i;
    record_t         r, out;
    clipper_zone_t   zone;
    clipper_owner_t  dead;

    ring_make(&zone, 1 << 20);
    dead = dead_process();

    for (i = 1; i <= 60; i++) {
        record_of(&r, 35);
        r.query_id = i;
        r.owner = i == 5 ? dead : i % 2 ? 1 : (clipper_owner_t) getppid();
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    holds = 0;
    assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 0,
                                         &out), NGX_OK);
    assert_int_equal(out.query_id, 5);
    assert_int_equal(holds, 4);
    assert_int_equal(clipper_record_find(&zone, r.app, r.uid, r.input, 0,
                                         &out), NGX_DONE);

    munmap(zone.records, 1 << 20);
}


static uint32_t *
bucket_of(clipper_zone_t *zone, uint64_t id, const record_t *r)
{
    return clipper_record_ring_bucket(zone->records, 0, id, r->app, r->uid,
                                      r->uid);
}


/* the longest chain that the chosen ids make */

static ngx_uint_t
longest(clipper_zone_t *zone, const uint64_t *ids, const record_t *r)
{
    uint32_t              *first[CHOSEN];
    ngx_uint_t             i, k, n, most;

    most = 0;

    for (i = 0; i < CHOSEN; i++) {
        first[i] = bucket_of(zone, ids[i], r);

        for (k = 0, n = 0; k <= i; k++) {
            n += first[k] == first[i];
        }

        most = ngx_max(most, n);
    }

    return most;
}


/*
 * Ids chosen for one bucket of a ring are spread in another.  Who knew the
 * secret: only the newest are searched.
 */

static void
test_chosen_ids(void **state)
{
    uint64_t        id, ids[CHOSEN];
    ngx_uint_t      n;
    record_t        r, out;
    uint32_t       *first;
    clipper_zone_t  zone, other;

    ring_make(&zone, 1 << 20);
    ring_seed[20]++;
    ring_make(&other, 1 << 20);
    ring_seed[20]--;

    record_of(&r, 1);
    r.n = 1;
    first = bucket_of(&zone, 1, &r);

    for (id = 1, n = 0; n < CHOSEN; id++) {
        if (bucket_of(&zone, id, &r) == first) {
            ids[n++] = id;
        }
    }

    assert_int_equal(longest(&zone, ids, &r), CHOSEN);
    assert_true(longest(&other, ids, &r) < 8);

    for (n = 0; n < CHOSEN; n++) {
        r.query_id = ids[n];
        assert_int_equal(clipper_record_put(&zone, &r), NGX_OK);
    }

    assert_int_equal(clipper_record_take(&zone, ids[0], r.app, r.uid, 0, &out),
                     NGX_DECLINED);
    n = CHOSEN - CLIPPER_RECORD_SEEK;
    assert_int_equal(clipper_record_take(&zone, ids[n - 1], r.app, r.uid, 0,
                                         &out), NGX_DECLINED);
    assert_int_equal(clipper_record_take(&zone, ids[n], r.app, r.uid, 0, &out),
                     NGX_OK);
    assert_int_equal(out.query_id, ids[n]);

    munmap(zone.records, 1 << 20);
    munmap(other.records, 1 << 20);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ask_with_a_lock),
        cmocka_unit_test(test_owners_of_records),
        cmocka_unit_test(test_owners_in_turns),
        cmocka_unit_test(test_chosen_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

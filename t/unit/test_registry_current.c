
/*
 * Catches: a current version that is compared as text, that stays current for
 * ever after it has left, or that is not while its only replica starts again;
 * a current digest that nobody has any more.
 */

#include "zone_two.h"


/* the current version of "v" at a time, with a grace of 100 */

static uint32_t
current(uint64_t now_us, uint64_t *until_us)
{
    uint32_t   row;
    ngx_str_t  name = ngx_string("v");

    clipper_zone_lock(&a);
    row = clipper_registry_current_locked(&a, &name, now_us, 100, until_us);
    clipper_zone_unlock(&a);

    return row;
}


static void
left(uint32_t replica, uint64_t now_us)
{
    clipper_zone_lock(&a);
    clipper_registry_replica_gone_locked(&a, replica, now_us);
    clipper_zone_unlock(&a);
}


static void
test_current_version(void **state)
{
    uint32_t  nine, ten, r, r2, s;
    uint64_t  until;

    nine = model_make(&a, "v", "1.9");
    ten = model_make(&a, "v", "1.10");
    assert_int_equal(model_make(&b, "v", "1.9"), nine);
    assert_int_equal(current(1000, &until), 0);
    assert_int_equal(until, 0);

    r = replica_make(&a, ten, 0);
    r2 = replica_make(&a, ten, 0);
    s = replica_make(&a, nine, 0);
    assert_int_equal(current(1000, &until), ten);
    assert_int_equal(until, 0);

    left(r, 1000);
    assert_int_equal(current(9000, &until), ten);

    left(r2, 9000);
    assert_int_equal(current(9099, &until), ten);
    assert_int_equal(until, 9100);
    assert_int_equal(current(9100, &until), nine);
    assert_int_equal(until, 0);

    r = replica_make(&a, ten, 0);
    assert_int_equal(current(9200, &until), ten);

    left(r, 9300);
    left(s, 9350);
    assert_int_equal(current(9399, &until), ten);
    assert_int_equal(current(9400, &until), nine);
    assert_int_equal(until, 9450);

    /* nobody is there: the highest, so that its cached answers are found */

    assert_int_equal(current(9450, &until), ten);
    assert_int_equal(until, 0);
}


static uint32_t
joined(view_t *v, const char *digest)
{
    uint32_t                row;
    clipper_announcement_t  an;

    memset(&an, 0, sizeof(an));
    an.model = model;
    an.rpc_version = 4;
    an.digest.data = (u_char *) digest;
    an.digest.len = strlen(digest);

    clipper_zone_lock(v);
    row = clipper_registry_replica_join_locked(v, &an, 0);
    clipper_zone_unlock(v);

    return row;
}


/* a stranger with another digest goes, by itself or with its worker */

static void
test_digest_that_stays(void **state)
{
    int       how;
    view_t    c, d;
    uint32_t  r, s, stranger, epoch;

    for (how = 0; how < 2; how++) {
        c = worker_make(addr);
        d = worker_make(addr);
        r = joined(&a, "one");
        s = joined(&b, "one");
        epoch = a.models[model].epoch;
        stranger = joined(&c, "two");
        assert_int_not_equal(a.models[model].epoch, epoch);
        epoch = a.models[model].epoch;

        if (how) {
            zone_kill(c.pid);
            assert_int_equal(clipper_zone_leave_dead(&a), 1);

        } else {
            replica_gone(&c, stranger);
            zone_kill(c.pid);
        }

        assert_int_not_equal(a.models[model].epoch, epoch);
        assert_int_equal(a.replicas[r].epoch, a.models[model].epoch);
        assert_int_equal(a.replicas[s].epoch, a.models[model].epoch);
        assert_memory_equal(a.models[model].digest, "one", 3);

        /* another death leaves what is current */

        epoch = a.models[model].epoch;
        zone_kill(d.pid);
        assert_int_equal(clipper_zone_leave_dead(&a), how ? 1 : 2);
        assert_int_equal(a.models[model].epoch, epoch);

        replica_gone(&a, r);
        replica_gone(&b, s);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        zone_test(test_current_version),
        zone_test(test_digest_that_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


/*
 * Catches: a value torn by a writer, a value that is not found while it is
 * moved, a dead writer that leaves a wrong entry.
 */

#include "cache_fixture.h"
#include "stores.h"


#define SHARED  3000                /* names in use */


static void
wrong(const char *what, uint64_t name)
{
    (void) fprintf(stderr, "%s under %u\n", what, (unsigned) name);
    abort();
}


/* gets and puts as a worker would; a wrong value ends the process */

static void
work(ngx_uint_t steps, size_t largest)
{
    size_t      len;
    uint64_t    name, key[2];
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < steps; i++) {
        name = chance(SHARED);
        key_of(name, key);

        rc = clipper_cache_get(key, 0, 0, got, sizeof(got), &len);

        if (rc == NGX_OK && memcmp(got, value_of(name, len), len) != 0) {
            wrong("another value", name);
        }

        if (rc == NGX_AGAIN) {
            wrong("an impossible length", name);
        }

        if (rc == NGX_DECLINED) {
            len = chance(8) ? chance(40) : chance(largest);
            (void) clipper_cache_put(key, 0, value_of(name, len), len);
        }
    }
}


static pid_t
worker(size_t largest)
{
    pid_t  pid;

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

        seed = splitmix(getpid() + seed);
        clipper_cache_ring.pid = getpid();
        work((ngx_uint_t) -1, largest);
    }

    return pid;
}


static void
end(pid_t pid, ngx_uint_t killed)
{
    int  status;

    if (killed) {
        (void) kill(pid, SIGKILL);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}


static void
test_readers_and_writers(void **state)
{
    pid_t       pid;
    ngx_uint_t  i;

    static const size_t  sizes[] = { 64, 2000, 30000 };

    for (i = 0; i < 3; i++) {
        make(256 * 1024);

        pid = worker(sizes[i]);
        work(i < 2 ? 200000 : 50000, sizes[i]);
        end(pid, 1);

        if (clipper_cache_ring.header->lock.dirty == 0) {
            check();
        }

        assert_true(usage().used > usage().capacity / 2);
        drop();
    }
}


static void
test_death_of_a_writer(void **state)
{
    pid_t       pid, other;
    ngx_uint_t  i;

    make(256 * 1024);

    other = worker(3000);

    for (i = 0; i < 300; i++) {
        pid = worker(3000);
        (void) usleep(chance(1500));
        end(pid, 1);

        work(50, 3000);
        (void) usage();
    }

    end(other, 1);
    work(1000, 3000);
    check();

    print_message("deaths: %u, of them with the lock held: %u\n",
                  (unsigned) i + 1, (unsigned) usage().resets);

    assert_true(usage().resets > 0);
    drop();
}


/* also a death while it is emptied; entries before it are not found again */

static void
test_death_empties(void **state)
{
    uint64_t    name;
    ngx_uint_t  i;

    make(64 * 1024);

    for (i = 0; i < 3; i++) {
        for (name = 0; name < 200; name++) {
            (void) put(name, 20);
        }

        assert_int_equal(usage().entries, i ? 201 : 200);

        /* the state after a holder that died half way */

        clipper_cache_ring.header->lock.dirty = 1;
        clipper_cache_ring.header->entries = 77;

        if (i == 2) {
            clipper_cache_ring.header->tail =
                                     clipper_cache_ring.header->head;
        }

        (void) put(1000, 20);
        assert_int_equal(usage().entries, 1);
        assert_int_equal(usage().resets, i + 1);

        for (name = 0; name < 200; name++) {
            assert_false(get(name));
        }

        assert_true(get(1000));
        check();
    }

    drop();
}


/* --- one store at a time --- */

#define TINY    24576
#define TINIES  400                 /* names in the tiny cache */


static void        *copy;
static u_char       stays[TINIES];  /* is there before and after */
static const char  *section;


/* from separate memory: it is stopped while it reads there */

static void
put_stopping(uint64_t name, size_t len)
{
    uint64_t       key[2];
    static u_char  mine[4096];

    key_of(name, key);
    memcpy(mine, value_of(name, len), len);
    (void) clipper_cache_put(key, 0, mine, len);
}


static void
put_small(void *data)
{
    put_stopping(1000, 8);
}


static void
put_long(void *data)
{
    put_stopping(1001, 2500);
}


static void
put_again(void *data)
{
    put_stopping(3, 30);
}


/* over an entry that was too old for a reader */

static void
put_over_old(void *data)
{
    size_t    len;
    uint64_t  key[2];

    key_of(390, key);
    (void) clipper_cache_get(key, 9000000, 1000, got, 64, &len);
    put_stopping(390, 390 % 60);
}


static void
get_some(void *data)
{
    size_t         len;
    uint64_t       key[2];
    static u_char  mine[64];

    key_of(390, key);
    (void) clipper_cache_get(key, 0, 0, mine, 64, &len);
    (void) clipper_cache_get(key, 9000000, 1000, mine, 64, &len);
}


static void
tiny(void)
{
    uint64_t  name;

    for (name = 0; name < TINIES; name++) {
        (void) put(name, name % 60);

        if (name > 100) {
            (void) get(name - chance(60));
        }
    }
}


/* on a copy: a reader gets no wrong value, and the next holder finds nothing */

static void
stop(void)
{
    void      *addr;
    uint32_t   dirty;
    uint64_t   name, resets;

    addr = clipper_cache_ring.header;
    memcpy(copy, addr, TINY);
    clipper_cache_attach(copy, getpid());

    clipper_cache_ring.header->lock.holder = 0;
    dirty = clipper_cache_ring.header->lock.dirty;
    resets = usage().resets;

    for (name = 0; name < TINIES; name++) {
        if (!get(name) && stays[name]) {
            print_error("%s, store %u: %u was not found\n", section,
                        stores_count, (unsigned) name);
            abort();
        }
    }

    (void) get(1000);
    (void) get(1001);

    (void) put(2000, 20);
    assert_int_equal(usage().resets, resets + dirty);

    if (dirty) {
        assert_true(get(2000));
        assert_int_equal(usage().entries, 1);
    }

    check();

    clipper_cache_attach(addr, getpid());
}


static void
test_death_at_every_store(void **state)
{
    void      *addr, *first;
    unsigned   i, n, all;
    uint64_t   name;

    static const struct {
        const char  *name;
        void       (*run)(void *data);
    } sections[] = {
        { "put", put_small },
        { "put, long", put_long },
        { "put, nothing new", put_again },
        { "put, over an old one", put_over_old },
        { "get", get_some },
    };

    if (!STORES_CAN_STOP) {
        print_message("one store at a time: only on Linux, x86-64\n");
        skip();
    }

    addr = zone(TINY);
    assert_int_equal((uintptr_t) addr % PAGE, 0);
    first = malloc(TINY);
    copy = aligned_alloc(64, TINY);
    assert_true(first && copy);

    assert_int_equal(clipper_cache_create(addr, TINY), NGX_OK);
    clipper_cache_attach(addr, getpid());
    tiny();
    assert_true(kept(390));
    memcpy(first, addr, TINY);

    for (i = 0, all = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        section = sections[i].name;

        /* once without stops: the final content */

        for (name = 0; name < TINIES; name++) {
            stays[name] = kept(name);
        }

        sections[i].run(NULL);

        for (name = 0; name < TINIES; name++) {
            stays[name] &= kept(name);
        }

        memcpy(addr, first, TINY);

        n = stores_run(addr, TINY, sections[i].run, NULL, stop);
        print_message("%5u points: %s\n", n, section);
        assert_true(n > 0);
        all += n;

        memcpy(addr, first, TINY);
    }

    print_message("%5u points, and no wrong value at any of them\n", all);

    free(first);
    free(copy);
    drop();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_and_writers),
        cmocka_unit_test(test_death_of_a_writer),
        cmocka_unit_test(test_death_empties),
        cmocka_unit_test(test_death_at_every_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

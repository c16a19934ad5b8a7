
/*
 * Catches: a value torn by a writer, a value that is not found while it is
 * moved, a dead writer that leaves a wrong entry or keeps its room, room that
 * is given away while a value is copied into it.
 */

#include "cache_fixture.h"
#include "shm/clipper_cache_draft.h"
#include "shm/clipper_cache_room.h"
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

        if (rc == NGX_ABORT) {
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
static unsigned     orphans;        /* drafts at all stops */


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


/* the drafts of this process are those of one that runs no more */

static void
orphan_drafts(void)
{
    pid_t                    pid;
    ngx_uint_t               i;
    clipper_cache_header_t  *header;

    static clipper_owner_t  dead;

    if (dead == 0) {
        pid = fork();
        assert_true(pid >= 0);

        if (pid == 0) {
            _exit(0);
        }

        assert_int_equal(waitpid(pid, NULL, 0), pid);
        dead = pid;
    }

    header = clipper_cache_ring.header;

    for (i = 0; i < CLIPPER_CACHE_DRAFTS; i++) {
        if (header->draft[i].owner) {
            header->draft[i].owner = dead;
            orphans++;
        }
    }
}


/* every new entry finds room, soon, for two turns of the ring */

static void
turn_twice(void)
{
    uint64_t    name, turned;
    ngx_uint_t  tries;

    turned = clipper_cache_ring.header->head
             + 2 * clipper_cache_ring.header->words;

    for (name = 3000; clipper_cache_ring.header->head < turned; name++) {
        for (tries = 0; tries < 20 && !kept(name); tries++) {
            (void) put(name, 300);
        }

        assert_true(kept(name));
    }
}


/*
 * On a copy: a reader gets no wrong value, the next holder finds nothing that
 * is half done, and all room comes back.
 */

static void
stop(void)
{
    void      *addr;
    uint32_t   dirty;
    uint64_t   name, resets;

    addr = clipper_cache_ring.header;
    memcpy(copy, addr, TINY);
    clipper_cache_attach(copy, getpid());

    orphan_drafts();

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
    turn_twice();
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
    seed = 1;                       /* with room for the long one */
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
        assert_true((orphans > 300) == (sections[i].run == put_long));
        orphans = 0;
        all += n;

        memcpy(addr, first, TINY);
    }

    print_message("%5u points, and no wrong value at any of them\n", all);

    free(first);
    free(copy);
    drop();
}


/* --- a value that is copied while others come --- */


/* the first half of a put: the entry has its room, and no value yet */

static uint64_t
begin(uint64_t name, size_t len, clipper_cache_draft_t **draft)
{
    uint64_t                 key[2], position;
    ngx_uint_t               evicted = 0;
    clipper_cache_header_t  *header;

    header = clipper_cache_ring.header;
    key_of(name, key);

    assert_false(clipper_lock(&header->lock, getpid()));
    assert_int_equal(clipper_cache_room_locked(clipper_cache_layout_words(len),
                                               &evicted), NGX_OK);
    *draft = clipper_cache_draft_begin_locked();
    position = clipper_cache_ring_append_locked(key, 0, len);
    clipper_lock_release(&header->lock);

    return position;
}


/* as many values as go in at all; every second one is found again */

static uint64_t
fill_up(uint64_t name)
{
    ngx_uint_t  tries;

    do {
        for (tries = 0; tries < 20 && !kept(name); tries++) {
            (void) put(name, 300);
        }

        (void) get(name & ~(uint64_t) 1);
        name++;
    } while (tries < 20);

    return name;
}


static void
test_room_of_a_draft(void **state)
{
    uint64_t                 name, at, other, left;
    ngx_uint_t               emptied;
    clipper_cache_draft_t   *draft, *second;
    clipper_cache_header_t  *header;

    static u_char  mine[5000];

    for (emptied = 0; emptied < 2; emptied++) {
        make(64 * 1024);
        header = clipper_cache_ring.header;

        for (name = 100; name < 400; name++) {
            (void) put(name, 100);
        }

        at = begin(1, sizeof(mine), &draft);
        name = fill_up(1000);
        other = header->entries;

        /* nothing goes in, and nothing is lost by trying */

        (void) put(++name, 300);
        assert_int_equal(header->entries, other);
        assert_false(get(1));

        if (emptied) {
            header->lock.dirty = 1;
            (void) put(1999, 300);
            (void) fill_up(2000);
            assert_true(header->tail > at);
        }

        assert_true(header->head - at <= header->words);

        /* the second half: what stands there is what was written */

        memcpy(mine, value_of(1, sizeof(mine)), sizeof(mine));
        clipper_cache_ring_fill(at, mine, sizeof(mine));
        memset(got, 0, sizeof(mine));
        clipper_cache_ring_copy(at, got, sizeof(mine));
        assert_memory_equal(got, mine, sizeof(mine));

        for (left = 1000, other = 0; left < name; left++) {
            other += get(left);
        }

        assert_true(emptied || other > 50);

        assert_false(clipper_lock(&header->lock, getpid()));
        clipper_cache_draft_end_locked(draft);
        clipper_lock_release(&header->lock);

        turn_twice();
        check();
        drop();
    }

    /* more at a time than there is place for */

    make(256 * 1024);

    for (other = 0; other < CLIPPER_CACHE_DRAFTS; other++) {
        (void) begin(other, 3000, &draft);
        assert_non_null(draft);
    }

    (void) begin(other, 3000, &second);
    assert_null(second);

    (void) put(50, 3000);
    assert_true(get(50));

    /* the next one asks who is dead, and has a place then */

    orphan_drafts();
    (void) put(51, 3000);
    assert_true(get(51));
    (void) begin(52, 3000, &second);
    assert_non_null(second);
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
        cmocka_unit_test(test_room_of_a_draft),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

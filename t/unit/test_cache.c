
/*
 * Catches: a value under a wrong key, a bound that is exceeded, an eviction
 * that is not CLOCK's, a valid value that is replaced, an invalid one that
 * stays, entries lost without an eviction.
 */

#include "cache_fixture.h"


static void
test_create_sizes(void **state)
{
    size_t    size;
    u_char   *addr, *least;
    uint64_t  key[2];

    least = NULL;

    for (size = 0; size < 64 * 1024; size += 8) {
        addr = zone(size + 16);

        if (clipper_cache_create(addr, size) == NGX_OK) {
            least = addr;
            assert_int_equal(clipper_cache_validate(addr, size), NGX_OK);
            assert_int_equal(clipper_cache_validate(addr, size + 8),
                             NGX_ERROR);
            break;
        }

        /* nothing was written, so it is not a cache */

        assert_true(size == 0 || (addr[0] == 0
                                  && memcmp(addr, addr + 1, size - 1) == 0));
        assert_int_equal(clipper_cache_validate(addr, size), NGX_ERROR);
        munmap(map, map_size);
    }

    assert_non_null(least);
    assert_in_range(size, 16 * 1024, 32 * 1024);

    clipper_cache_attach(least, getpid());
    assert_true(clipper_cache_enabled());

    for (size = 0; size < 5000; size++) {
        (void) put(size, chance(300));
        (void) get(chance(size + 1));
    }

    (void) put(size, 8);
    assert_true(get(size));

    check();
    drop();

    assert_false(clipper_cache_enabled());
    key_of(1, key);
    assert_int_equal(clipper_cache_get(key, 0, 0, got, 1, &size),
                     NGX_DECLINED);
    assert_int_equal(clipper_cache_put(key, 0, got, 1), 0);
    assert_int_equal(usage().size, 0);
}


/* an unaligned address and every remainder of the size */

static void
test_create_aligned(void **state)
{
    size_t   i, n;
    u_char  *addr;

    for (i = 0; i < 64; i += 8) {
        addr = zone(64 * 1024 + i);
        n = 64 * 1024;

        assert_int_equal(clipper_cache_create(addr, n + i), NGX_OK);
        clipper_cache_attach(addr, getpid());

        for (n = 0; n < 3000; n++) {
            (void) put(n, chance(100));
        }

        assert_true(get(2999));
        check();
        drop();
    }
}


static void
test_values_of_all_sizes(void **state)
{
    size_t    len, n;
    uint64_t  key[2];

    make(BIGGEST);

    for (len = 0; len <= BIGGEST / 4; len += 1 + len / 40) {
        (void) put(len, len);

        memset(got, 0xa5, len + 1);
        assert_true(get(len));
        assert_int_equal(got[len], 0xa5);

        if (len) {
            key_of(len, key);
            memset(got, 0xa5, len + 1);
            assert_int_equal(clipper_cache_get(key, 0, 0, got, len - 1, &n),
                             NGX_ABORT);
            assert_int_equal(n, len);
            assert_int_equal(got[len - 1], 0xa5);
        }
    }

    check();
    n = usage().entries;

    assert_int_equal(put(9999999, BIGGEST / 4 + 1), 0);
    assert_false(get(9999999));
    assert_int_equal(usage().entries, n);

    drop();
}


static void
test_key_is_all_bits(void **state)
{
    size_t      len;
    uint64_t    key[2], other[2];
    ngx_uint_t  i;

    make(256 * 1024);

    key_of(7, key);
    (void) put(7, 8);

    for (i = 0; i < 128; i++) {
        other[0] = key[0];
        other[1] = key[1];
        other[i / 64] ^= (uint64_t) 1 << (i % 64);

        assert_int_equal(clipper_cache_get(other, 0, 0, got, 64, &len),
                         NGX_DECLINED);
    }

    assert_true(get(7));

    drop();
}


static void
test_first_value_stays(void **state)
{
    size_t    len;
    uint64_t  key[2], now;

    make(256 * 1024);

    key_of(1, key);
    now = 5000000;

    (void) clipper_cache_put(key, now, (u_char *) "one", 3);
    (void) clipper_cache_put(key, now + 9000000, (u_char *) "two",
                             3);

    assert_int_equal(clipper_cache_get(key, now + 9000000, 0, got, 8, &len),
                                       NGX_OK);
    assert_memory_equal(got, "one", 3);
    assert_int_equal(usage().entries, 1);

    drop();
}


static void
test_valid_time(void **state)
{
    size_t    len;
    uint64_t  key[2], now, at;

    make(256 * 1024);

    key_of(1, key);

    /* once more where the stamp's 40 bits wrap */

    for (now = 5000000; now; now = (now == 5000000)
                                   ? ((uint64_t) 1 << 48) - 1000000 : 0)
    {
        (void) clipper_cache_put(key, now, (u_char *) "one", 3);

        /* the clock of another worker was a little behind */

        assert_int_equal(clipper_cache_get(key, now - 2000, 1000,
                                           got, 8, &len), NGX_OK);
        assert_int_equal(clipper_cache_get(key, now + 1999000, 2000000, got, 8,
                                           &len), NGX_OK);

        /* too old for one reader, but another one still gets the first value */

        at = now + 2001000;

        assert_int_equal(clipper_cache_get(key, at, 2000000, got, 8, &len),
                                           NGX_DECLINED);
        assert_int_equal(clipper_cache_get(key, at, 3000000, got, 8, &len),
                                           NGX_OK);
        assert_memory_equal(got, "one", 3);

        /* now it may be replaced, once */

        (void) clipper_cache_put(key, at, (u_char *) "two", 3);
        (void) clipper_cache_put(key, at, (u_char *) "six", 3);

        assert_int_equal(clipper_cache_get(key, at, 2000000, got, 8, &len),
                                           NGX_OK);
        assert_memory_equal(got, "two", 3);
        assert_int_equal(usage().entries, 1);
        check();

        /* the next turn begins with a key too old */

        assert_int_equal(clipper_cache_get(key, at + 9000000, 1000, got, 8,
                                           &len), NGX_DECLINED);
    }

    drop();
}


/* --- a plain list with the same CLOCK: oldest first --- */

#define NAMES  4000

static struct {
    uint64_t    name;
    uint64_t    words;
    ngx_uint_t  used;
} list[200000];

static ngx_uint_t  first, last, there[NAMES];   /* place in the list */


static ngx_uint_t
model_put(uint64_t name, size_t len)
{
    uint64_t    words, taken, limit;
    ngx_int_t   budget;
    ngx_uint_t  i, rounds, steps, gone;

    gone = 0;
    words = 3 + (len + 7) / 8;
    words = words < 4 ? 4 : words;
    limit = clipper_cache_ring.header->words
            - clipper_cache_ring.header->reserve;

    if (there[name]) {
        return 0;
    }

    for (rounds = 1 + words / 64; rounds; rounds--) {
        budget = clipper_cache_ring.header->reserve;

        for (steps = 0; steps <= 32; steps++) {
            for (taken = 0, i = first; i < last; i++) {
                taken += list[i].words;
            }

            if (taken + words <= limit) {
                list[last].name = name;
                list[last].words = words;
                list[last].used = 0;
                there[name] = last++;
                return gone;
            }

            if (steps == 32 || budget <= 0) {
                break;
            }

            if (!list[first].used
                || list[first].words > clipper_cache_ring.header->reserve)
            {
                there[list[first].name] = 0;
                first++;
                gone++;
                continue;
            }

            budget -= list[first].words;

            if (budget >= 0) {
                list[last] = list[first];
                list[last].used = 0;
                there[list[first].name] = last++;
                first++;
            }
        }
    }

    return gone;
}


static void
test_clock(void **state)
{
    size_t      len;
    uint64_t    name;
    ngx_uint_t  i, n, gone, hits, moved, full;

    make(128 * 1024);

    first = last = 1;
    hits = gone = full = 0;

    for (i = 0; i < 60000 && last < 190000; i++) {

        /* some names much more often than others */

        name = chance(chance(4) ? 500 : NAMES);

        n = get(name);
        assert_int_equal(n, there[name] != 0);

        if (n) {
            list[there[name]].used = 1;
            hits++;
            continue;
        }

        len = chance(100) ? chance(300) : chance(9000);
        n = put(name, len);
        gone += n;

        assert_int_equal(n, model_put(name, len));
        full += (there[name] == 0);

        if (i % 1000 == 0) {
            check();

            for (name = n = 0; name < NAMES; name++) {
                n += (there[name] != 0);
            }

            assert_int_equal(usage().entries, n);
        }
    }

    moved = last - 1 - (i - hits - full);

    print_message("clock: %u gets, %u hits, %u gone, %u second chances, "
                  "%u not kept\n", (unsigned) i, (unsigned) hits,
                  (unsigned) gone, (unsigned) moved, (unsigned) full);

    assert_true(hits > 10000 && gone > 10000 && moved > 5000 && full > 0);
    drop();
}


/* a key in constant use stays while others come and go */

static void
test_second_chance(void **state)
{
    uint64_t    name;
    ngx_uint_t  i, n;

    make(64 * 1024);

    for (i = 0; i < 100; i++) {
        (void) put(i, 20);
    }

    /* when those come to the tail together a round of steps is not enough */

    for (name = 1000, n = 0; name < 20000; name++) {
        (void) put(name, 20);
        n += kept(name);
        assert_true(get(name % 100));
    }

    assert_true(n > 18000);
    assert_false(kept(1000));
    check();
    drop();
}


/* an entry that was too old for a reader keeps that mark when it is moved */

static void
test_old_mark_moves(void **state)
{
    size_t      len;
    uint64_t    key[2], name;
    ngx_uint_t  i;

    make(64 * 1024);

    (void) put(1, 5);
    key_of(1, key);
    assert_int_equal(clipper_cache_get(key, 9000000, 1000, got, 8, &len),
                                       NGX_DECLINED);

    for (name = 100, i = 0; i < 3000; i++) {
        (void) put(name++, 20);
        assert_true(get(1));
    }

    (void) clipper_cache_put(key, 9000000, (u_char *) "new", 3);

    assert_int_equal(clipper_cache_get(key, 9000000, 1000, got, 8, &len),
                                       NGX_OK);
    assert_memory_equal(got, "new", 3);
    check();
    drop();
}


/* more keys than two buckets have slots */

static void
test_crowded_buckets(void **state)
{
    size_t      len;
    uint64_t    key[2];
    ngx_uint_t  i, gone;

    make(256 * 1024);

    gone = 0;

    for (i = 0; i < 100; i++) {
        key[0] = (uint64_t) i << 52;
        key[1] = (uint64_t) 1 << 31 | (uint64_t) i << 32;
        gone += clipper_cache_put(key, 0, (u_char *) &i, sizeof(i));

        assert_int_equal(usage().entries, ngx_min(i + 1, 16));
        assert_int_equal(gone, i < 16 ? 0 : i - 15);
        check();
    }

    for (i = 0; i < 100; i++) {
        key[0] = (uint64_t) i << 52;
        key[1] = (uint64_t) 1 << 31 | (uint64_t) i << 32;

        if (i < 84) {
            assert_int_equal(clipper_cache_get(key, 0, 0, got, 8, &len),
                                               NGX_DECLINED);
            continue;
        }

        assert_int_equal(clipper_cache_get(key, 0, 0, got, 8, &len), NGX_OK);
        assert_memory_equal(got, &i, sizeof(i));
    }

    drop();
}


/* the index does not fill before the ring does */

static void
test_small_entries_fill_it(void **state)
{
    uint64_t               name;
    ngx_uint_t             crowded;
    clipper_cache_usage_t  u;

    make(4 * 1024 * 1024);

    crowded = 0;

    for (name = 0; usage().used + 32 <= usage().capacity; name++) {
        crowded += put(name, 8);
    }

    for ( /* void */ ; name < 400000; name++) {
        (void) put(name, 8);
    }

    u = usage();
    print_message("small: %u entries, %u bytes each, %u crowded out\n",
                  (unsigned) u.entries, (unsigned) (u.size / u.entries),
                  (unsigned) crowded);

    assert_true(u.size / u.entries < 64);
    assert_true(crowded * 200 < u.entries);
    check();
    drop();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_sizes),
        cmocka_unit_test(test_create_aligned),
        cmocka_unit_test(test_values_of_all_sizes),
        cmocka_unit_test(test_key_is_all_bits),
        cmocka_unit_test(test_first_value_stays),
        cmocka_unit_test(test_valid_time),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_second_chance),
        cmocka_unit_test(test_old_mark_moves),
        cmocka_unit_test(test_crowded_buckets),
        cmocka_unit_test(test_small_entries_fill_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

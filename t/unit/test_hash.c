
/*
 * Catches: a SipHash that is not SipHash, a digest that ignores a byte, the
 * length, the salt or the key, that reads beyond the data or depends on their
 * alignment, a generator that is not xoshiro256**, a scrambler that is not a
 * bijection or shows the count.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clipper_hash.h"
#include "base/clipper_random.h"


static clipper_hash_key_t  key;
static const uint64_t      salt[3] = { 1, 2, 3 };


static int
setup(void **state)
{
    u_char      seed[CLIPPER_HASH_SEED];
    ngx_uint_t  i;

    for (i = 0; i < sizeof(seed); i++) {
        seed[i] = (u_char) (i * 37 + 11);
    }

    clipper_hash_init(&key, seed);

    return 0;
}


static void
bytes_of(uint64_t out[2], u_char *p)
{
    ngx_uint_t  i;

    for (i = 0; i < 16; i++) {
        p[i] = (u_char) (out[i / 8] >> (i % 8 * 8));
    }
}


/*
 * From the reference implementation (vectors_sip128): key 00 01 .. 0f, the
 * message is 00 01 .. of the given length.
 */

static void
test_siphash_vectors(void **state)
{
    u_char      msg[64], got[16];
    uint64_t    k[2], out[2];
    ngx_uint_t  i;

    static const struct {
        size_t        len;
        const u_char  hash[16];
    } vectors[] = {
        { 0,  { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 } },
        { 1,  { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 } },
        { 2,  { 0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7,
                0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff, 0xe4 } },
        { 3,  { 0x9c, 0x70, 0xb6, 0x0c, 0x52, 0x67, 0xa9, 0x4e,
                0x5f, 0x33, 0xb6, 0xb0, 0x29, 0x85, 0xed, 0x51 } },
        { 15, { 0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
                0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9 } },
    };

    k[0] = 0x0706050403020100ULL;
    k[1] = 0x0f0e0d0c0b0a0908ULL;

    for (i = 0; i < sizeof(msg); i++) {
        msg[i] = (u_char) i;
    }

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        clipper_hash_siphash(k, msg, vectors[i].len, out);
        bytes_of(out, got);
        assert_memory_equal(got, vectors[i].hash, 16);
    }
}


/*
 * NH by the formula at the top of hash.c, word by word, and
 * hashed as one message: independent of the blocks and loops there.
 */

static void
reference(const uint64_t s[3], const u_char *data, size_t len, uint64_t out[2])
{
    size_t              i, j, n, off;
    u_char             *m;
    uint64_t            w[2];
    ngx_uint_t          t;
    unsigned __int128   sum;

    m = calloc(1, 32 + len + (len / 1024 + 1) * 32 + 8);
    assert_non_null(m);

    memcpy(m, s, 24);
    memcpy(m + 24, &len, 8);
    n = 32;

    if (len <= 48) {
        memcpy(m + n, data, len);
        n += len;
        clipper_hash_siphash(key.sip, m, n, out);
        free(m);
        return;
    }

    for (off = 0; off < len; off += 1024) {
        for (t = 0; t < 2; t++) {
            sum = 0;

            for (i = 0; i < 1024 && off + i < len; i += 16) {
                for (j = 0; j < 2; j++) {
                    size_t  at = off + i + j * 8;

                    w[j] = 0;
                    if (at < len) {
                        memcpy(&w[j], data + at, len - at < 8 ? len - at : 8);
                    }

                    w[j] += key.nh[i / 8 + j + t * 2];
                }

                sum += (unsigned __int128) w[0] * w[1];
            }

            memcpy(m + n, &sum, 16);
            n += 16;
        }
    }

    clipper_hash_siphash(key.sip, m, n, out);
    free(m);
}


static void
test_digest_reference(void **state)
{
    u_char       data[4200];
    size_t       i;
    uint64_t     a[2], b[2];

    static const size_t  lengths[] = {
        0, 1, 7, 8, 9, 15, 16, 47, 48, 49, 63, 64, 80, 81, 127, 128, 1008,
        1023, 1024, 1025, 1039, 1040, 2047, 2048, 2049, 4096, 4200
    };

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (u_char) (i * i * 7 + i / 256);
    }

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        clipper_hash_digest(&key, salt, data, lengths[i], a);
        reference(salt, data, lengths[i], b);
        assert_memory_equal(a, b, 16);
    }
}


static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}


static void
assert_distinct(uint64_t (*set)[2], size_t n)
{
    size_t  i;

    qsort(set, n, 16, compare);

    for (i = 1; i < n; i++) {
        assert_memory_not_equal(set[i - 1], set[i], 16);
    }
}


/* each single bit changes the digest, for sizes of each code path */

static void
test_digest_every_bit(void **state)
{
    size_t       i, n, len;
    u_char       data[2100];
    uint64_t   (*set)[2];
    ngx_uint_t   k, diff;

    static const size_t  lengths[] = { 1, 8, 48, 49, 80, 1024, 1030, 2100 };

    set = calloc(sizeof(data) * 8 + 1, 16);
    assert_non_null(set);

    for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        len = lengths[k];
        memset(data, 0x5a, sizeof(data));

        clipper_hash_digest(&key, salt, data, len, set[0]);
        n = 1;
        diff = 0;

        for (i = 0; i < len * 8; i++) {
            data[i / 8] ^= (u_char) (1 << i % 8);
            clipper_hash_digest(&key, salt, data, len, set[n]);
            data[i / 8] ^= (u_char) (1 << i % 8);

            diff += __builtin_popcountll(set[n][0] ^ set[0][0]);
            diff += __builtin_popcountll(set[n][1] ^ set[0][1]);
            n++;
        }

        /* half of the 128 bits change on average */
        assert_in_range(diff / (len * 8), len == 1 ? 54 : 62,
                        len == 1 ? 74 : 66);
        assert_distinct(set, n);
    }

    free(set);
}


/* zeros of different lengths are different inputs */

static void
test_digest_length(void **state)
{
    size_t       i;
    u_char       zeros[3000];
    uint64_t   (*set)[2];

    memset(zeros, 0, sizeof(zeros));
    set = calloc(sizeof(zeros) + 1, 16);
    assert_non_null(set);

    for (i = 0; i <= sizeof(zeros); i++) {
        clipper_hash_digest(&key, salt, zeros, i, set[i]);
    }

    assert_distinct(set, sizeof(zeros) + 1);
    free(set);
}


static void
test_digest_salt_and_key(void **state)
{
    u_char              data[1500], seed[CLIPPER_HASH_SEED];
    uint64_t            s[3], set[200][2];
    ngx_uint_t          i, n;
    clipper_hash_key_t  other;

    memset(data, 7, sizeof(data));
    n = 0;

    for (i = 0; i < 192; i++) {
        memcpy(s, salt, sizeof(s));
        s[i / 64] ^= 1ULL << i % 64;
        clipper_hash_digest(&key, s, data, 80, set[n++]);
    }

    /* moving a word within the salt changes the digest */
    s[0] = 2; s[1] = 1; s[2] = 3;
    clipper_hash_digest(&key, s, data, 80, set[n++]);
    clipper_hash_digest(&key, salt, data, 80, set[n++]);
    assert_distinct(set, n);

    for (i = 0; i < 32; i++) {
        memset(seed, 0, sizeof(seed));
        seed[i] = 1;
        clipper_hash_init(&other, seed);
        clipper_hash_digest(&other, salt, data, sizeof(data), set[i]);
    }

    assert_distinct(set, 32);
}


/* the data may be at any address; bytes around them do not count */

static void
test_digest_alignment(void **state)
{
    size_t       i, len;
    u_char      *p, data[1100];
    uint64_t     a[2], b[2];

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (u_char) (i * 31);
    }

    for (len = 0; len < sizeof(data); len += 13) {
        clipper_hash_digest(&key, salt, data, len, a);

        for (i = 0; i < 16; i++) {
            /* of exactly that length: a sanitizer sees a read beyond the end */
            p = malloc(i + len);
            assert_true(p != NULL || i + len == 0);

            if (i + len) {
                memset(p, (int) i, i + len);
                memcpy(p + i, data, len);
            }

            clipper_hash_digest(&key, salt, p + i, len, b);
            assert_memory_equal(a, b, 16);
            free(p);
        }
    }
}


/* consecutive inputs: each of the 128 bits is set in half of the digests */

static void
test_digest_distribution(void **state)
{
    u_char       data[80];
    uint64_t     out[2];
    ngx_uint_t   i, bit, ones[128];

    memset(ones, 0, sizeof(ones));
    memset(data, 0, sizeof(data));

    for (i = 0; i < 20000; i++) {
        memcpy(data, &i, sizeof(i));
        clipper_hash_digest(&key, salt, data, sizeof(data), out);

        for (bit = 0; bit < 128; bit++) {
            ones[bit] += (out[bit / 64] >> bit % 64) & 1;
        }
    }

    for (bit = 0; bit < 128; bit++) {
        /* 10000 with a standard deviation of 71 */
        assert_in_range(ones[bit], 9650, 10350);
    }
}


/* the first numbers of the reference code with the state 1, 2, 3, 4 */

static void
test_random_vectors(void **state)
{
    ngx_uint_t        i;
    clipper_random_t  r;

    static const uint64_t  expected[] = {
        11520ULL, 0ULL, 1509978240ULL, 1215971899390074240ULL,
        1216172134540287360ULL, 607988272756665600ULL
    };

    r.s[0] = 1; r.s[1] = 2; r.s[2] = 3; r.s[3] = 4;

    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(clipper_random_u64(&r) == expected[i]);
    }
}


static void
test_random_double(void **state)
{
    double            x, sum, min, max;
    u_char            seed[CLIPPER_HASH_SEED];
    ngx_uint_t        i, bins[16];
    clipper_random_t  r;

    memset(seed, 0, sizeof(seed));
    memset(bins, 0, sizeof(bins));
    clipper_random_init(&r, seed);

    sum = 0; min = 1; max = 0;

    for (i = 0; i < 160000; i++) {
        x = clipper_random_double(&r);
        assert_true(x >= 0 && x < 1);

        sum += x;
        min = ngx_min(min, x);
        max = ngx_max(max, x);
        bins[(ngx_uint_t) (x * 16)]++;
    }

    assert_true(sum / 160000 > 0.497 && sum / 160000 < 0.503);
    assert_true(min < 0.001 && max > 0.999);

    for (i = 0; i < 16; i++) {
        assert_in_range(bins[i], 9500, 10500);
    }
}


static int
compare64(const void *a, const void *b)
{
    uint64_t  x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}


static void
test_scramble_bijection(void **state)
{
    uint64_t    x, *set;
    ngx_uint_t  i;

    set = calloc(200000, sizeof(uint64_t));
    assert_non_null(set);

    for (i = 0; i < 200000; i++) {
        set[i] = clipper_hash_scramble_short(&key, i);
        assert_true(set[i] < 1ULL << 31);
        assert_true(clipper_hash_scramble_short(&key, i + (1ULL << 31))
                    == set[i]);
    }

    qsort(set, 200000, sizeof(uint64_t), compare64);

    for (i = 1; i < 200000; i++) {
        assert_true(set[i] != set[i - 1]);
    }

    for (i = 0; i < 200000; i++) {
        set[i] = clipper_hash_scramble(&key, i);
        assert_true(set[i] < 1ULL << 53);
        assert_true(clipper_hash_unscramble(&key, set[i]) == i);
    }

    qsort(set, 200000, sizeof(uint64_t), compare64);

    for (i = 1; i < 200000; i++) {
        assert_true(set[i] != set[i - 1]);
    }

    free(set);

    for (i = 0; i < 53; i++) {
        x = 1ULL << i;
        assert_true(clipper_hash_unscramble(&key,
                                clipper_hash_scramble(&key, x)) == x);
    }

    x = (1ULL << 53) - 1;
    assert_true(clipper_hash_unscramble(&key,
                                        clipper_hash_scramble(&key, x)) == x);
}


/* neighbours are scattered, and every bit takes part */

static void
test_scramble_unguessable(void **state)
{
    uint64_t    a, b;
    ngx_uint_t  i, bit, near, ones[53];

    near = 0;
    memset(ones, 0, sizeof(ones));

    for (i = 0; i < 20000; i++) {
        a = clipper_hash_scramble(&key, i);
        b = clipper_hash_scramble(&key, i + 1);

        near += (a > b ? a - b : b - a) < 1ULL << 33;

        for (bit = 0; bit < 53; bit++) {
            ones[bit] += ((a ^ b) >> bit) & 1;
        }
    }

    /* expected: 20000 * 2 * 2^-20 */
    assert_in_range(near, 0, 2);

    for (bit = 0; bit < 53; bit++) {
        assert_in_range(ones[bit], 9650, 10350);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_digest_reference),
        cmocka_unit_test(test_digest_every_bit),
        cmocka_unit_test(test_digest_length),
        cmocka_unit_test(test_digest_salt_and_key),
        cmocka_unit_test(test_digest_alignment),
        cmocka_unit_test(test_digest_distribution),
        cmocka_unit_test(test_random_vectors),
        cmocka_unit_test(test_random_double),
        cmocka_unit_test(test_scramble_bijection),
        cmocka_unit_test(test_scramble_unguessable),
    };

    return cmocka_run_group_tests_name("hash", tests, setup, NULL);
}


/*
 * Clipper: keyed digests and a keyed permutation.
 *
 * Short data go straight into SipHash-2-4-128 (Aumasson, Bernstein 2012).
 * Longer data are first compressed by NH, the universal hash of UMAC (Black,
 * Halevi, Krawczyk, Krovetz, Rogaway 1999; RFC 4418), here on 64-bit words:
 *
 *     NH(k, m) = sum of (m[2i] + k[2i]) * (m[2i+1] + k[2i+1])  mod 2^128
 *
 * where the inner sums are mod 2^64.  For two different messages of one length
 * NH collides with a probability of 2^-64 over the key; taken twice, with the
 * key moved on by two words (the Toeplitz construction of UMAC), of 2^-128.
 * Each block of 1 KB gives two sums; salt, length and sums are then the message
 * of SipHash.  The length is in there, so that neither the zero padding of the
 * last block nor the two ways for short and long data can be confused.
 *
 * Data are read as little-endian words.
 */

#include "base/clipper_hash.h"
#include "base/clipper_wire.h"


#ifndef __SIZEOF_INT128__
#error "the digest needs a compiler with 128-bit integers"
#endif


/* up to here SipHash alone is as fast */
#define CLIPPER_HASH_SHORT   48

#define CLIPPER_SCRAMBLE_ROUNDS  4


typedef unsigned __int128  clipper_u128_t;


typedef struct {
    uint64_t                  v0;
    uint64_t                  v1;
    uint64_t                  v2;
    uint64_t                  v3;
} clipper_sip_t;


static ngx_inline uint64_t
clipper_rotl(uint64_t x, ngx_uint_t n)
{
    return (x << n) | (x >> (64 - n));
}


/* the last word of a text: 0 to 7 bytes, padded with zeros */

static ngx_inline uint64_t
clipper_load_tail(const u_char *p, size_t len)
{
    uint64_t  x;

    for (x = 0; len != 0; len--) {
        x = (x << 8) | p[len - 1];
    }

    return x;
}


static ngx_inline void
clipper_sip_round(clipper_sip_t *s)
{
    s->v0 += s->v1;
    s->v1 = clipper_rotl(s->v1, 13) ^ s->v0;
    s->v0 = clipper_rotl(s->v0, 32);

    s->v2 += s->v3;
    s->v3 = clipper_rotl(s->v3, 16) ^ s->v2;

    s->v0 += s->v3;
    s->v3 = clipper_rotl(s->v3, 21) ^ s->v0;

    s->v2 += s->v1;
    s->v1 = clipper_rotl(s->v1, 17) ^ s->v2;
    s->v2 = clipper_rotl(s->v2, 32);
}


static ngx_inline void
clipper_sip_init(clipper_sip_t *s, const uint64_t key[2])
{
    /* "somepseudorandomlygeneratedbytes", 0xee for 128 bits of output */

    s->v0 = key[0] ^ 0x736f6d6570736575ULL;
    s->v1 = key[1] ^ 0x646f72616e646f6dULL ^ 0xee;
    s->v2 = key[0] ^ 0x6c7967656e657261ULL;
    s->v3 = key[1] ^ 0x7465646279746573ULL;
}


static ngx_inline void
clipper_sip_word(clipper_sip_t *s, uint64_t m)
{
    s->v3 ^= m;
    clipper_sip_round(s);
    clipper_sip_round(s);
    s->v0 ^= m;
}


static ngx_inline uint64_t
clipper_sip_out(clipper_sip_t *s)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        clipper_sip_round(s);
    }

    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}


/* "len" is that of the whole message, "tail" its last len % 8 bytes */

static ngx_inline void
clipper_sip_final(clipper_sip_t *s, uint64_t tail, size_t len, uint64_t out[2])
{
    clipper_sip_word(s, tail | ((uint64_t) len << 56));

    s->v2 ^= 0xee;
    out[0] = clipper_sip_out(s);

    s->v1 ^= 0xdd;
    out[1] = clipper_sip_out(s);
}


void
clipper_hash_siphash(const uint64_t key[2], const u_char *data, size_t len,
    uint64_t out[2])
{
    size_t         left;
    clipper_sip_t  s;

    clipper_sip_init(&s, key);

    for (left = len; left >= 8; left -= 8) {
        clipper_sip_word(&s, clipper_wire_get64(data));
        data += 8;
    }

    clipper_sip_final(&s, clipper_load_tail(data, left), len, out);
}


void
clipper_hash_init(clipper_hash_key_t *key,
    const u_char seed[CLIPPER_HASH_SEED])
{
    u_char      counter[1];
    uint64_t    out[2], prf[2];
    ngx_uint_t  i;

    key->sip[0] = clipper_wire_get64(seed);
    key->sip[1] = clipper_wire_get64(seed + 8);

    prf[0] = clipper_wire_get64(seed + 16);
    prf[1] = clipper_wire_get64(seed + 24);

    for (i = 0; i < CLIPPER_HASH_WORDS; i += 2) {
        counter[0] = (u_char) i;
        clipper_hash_siphash(prf, counter, 1, &key->nh[i]);
    }

    counter[0] = (u_char) i;
    clipper_hash_siphash(prf, counter, 1, out);

    key->perm[0] = out[0];
    key->perm[1] = out[1];
}


/* both sums over a number of whole pairs of words */

static ngx_inline void
clipper_nh(const uint64_t *k, const u_char *data, ngx_uint_t pairs,
    clipper_u128_t sum[2])
{
    uint64_t        a, b;
    ngx_uint_t      i;
    clipper_u128_t  s0, s1;

    s0 = sum[0];
    s1 = sum[1];

    for (i = 0; i < pairs; i++) {
        a = clipper_wire_get64(data);
        b = clipper_wire_get64(data + 8);

        s0 += (clipper_u128_t) (a + k[0]) * (b + k[1]);
        s1 += (clipper_u128_t) (a + k[2]) * (b + k[3]);

        data += 16;
        k += 2;
    }

    sum[0] = s0;
    sum[1] = s1;
}


/* one block of 1 to 1024 bytes, absorbed as four words */

static void
clipper_hash_block(const clipper_hash_key_t *key, clipper_sip_t *s,
    const u_char *data, size_t len)
{
    u_char          last[16];
    ngx_uint_t      pairs;
    clipper_u128_t  sum[2];

    sum[0] = 0;
    sum[1] = 0;
    pairs = len / 16;

    clipper_nh(key->nh, data, pairs, sum);

    if (len % 16) {
        ngx_memzero(last, sizeof(last));
        ngx_memcpy(last, data + pairs * 16, len % 16);
        clipper_nh(key->nh + pairs * 2, last, 1, sum);
    }

    clipper_sip_word(s, (uint64_t) sum[0]);
    clipper_sip_word(s, (uint64_t) (sum[0] >> 64));
    clipper_sip_word(s, (uint64_t) sum[1]);
    clipper_sip_word(s, (uint64_t) (sum[1] >> 64));
}


void
clipper_hash_digest(const clipper_hash_key_t *key, const uint64_t salt[3],
    const u_char *data, size_t len, uint64_t out[2])
{
    size_t         size, total;             /* total: the length of SipHash's
                                               message */
    uint64_t       tail;
    clipper_sip_t  s;

    clipper_sip_init(&s, key->sip);
    clipper_sip_word(&s, salt[0]);
    clipper_sip_word(&s, salt[1]);
    clipper_sip_word(&s, salt[2]);
    clipper_sip_word(&s, len);

    tail = 0;
    total = 32;

    if (len <= CLIPPER_HASH_SHORT) {

        for (size = len; size >= 8; size -= 8) {
            clipper_sip_word(&s, clipper_wire_get64(data));
            data += 8;
        }

        tail = clipper_load_tail(data, size);
        total += len;

    } else {

        for (size = len; size > CLIPPER_HASH_BLOCK;
             size -= CLIPPER_HASH_BLOCK)
        {
            clipper_hash_block(key, &s, data, CLIPPER_HASH_BLOCK);
            data += CLIPPER_HASH_BLOCK;
            total += 32;
        }

        clipper_hash_block(key, &s, data, size);
        total += 32;
    }

    clipper_sip_final(&s, tail, total, out);
}


/*
 * SipHash-1-3 of one word.  Four rounds of a random function make a random
 * permutation (M. Luby and C. Rackoff, 1988).
 */

static ngx_inline uint64_t
clipper_scramble_round(const clipper_hash_key_t *key, ngx_uint_t round,
    uint64_t half)
{
    clipper_sip_t  s;

    half |= (uint64_t) round << 32;

    clipper_sip_init(&s, key->perm);

    s.v3 ^= half;
    clipper_sip_round(&s);
    s.v0 ^= half;

    s.v2 ^= 0xee;
    clipper_sip_round(&s);
    clipper_sip_round(&s);
    clipper_sip_round(&s);

    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}


/*
 * A Feistel network: the left half, which has a bit more, is changed by the
 * right one in even rounds and the other way round in odd ones.
 */

static void
clipper_scramble_step(const clipper_hash_key_t *key, ngx_uint_t round,
    ngx_uint_t bits, uint64_t *left, uint64_t *right)
{
    if (round % 2 == 0) {
        *left ^= clipper_scramble_round(key, round, *right)
                 >> (64 - (bits - bits / 2));

    } else {
        *right ^= clipper_scramble_round(key, round, *left)
                  >> (64 - bits / 2);
    }
}


static uint64_t
clipper_scramble(const clipper_hash_key_t *key, ngx_uint_t bits, uint64_t x)
{
    uint64_t    left, right;
    ngx_uint_t  i;

    x &= (1ULL << bits) - 1;
    left = x >> bits / 2;
    right = x & ((1ULL << bits / 2) - 1);

    for (i = 0; i < CLIPPER_SCRAMBLE_ROUNDS; i++) {
        clipper_scramble_step(key, i, bits, &left, &right);
    }

    return (left << bits / 2) | right;
}


uint64_t
clipper_hash_scramble(const clipper_hash_key_t *key, uint64_t x)
{
    return clipper_scramble(key, CLIPPER_SCRAMBLE_BITS, x);
}


uint64_t
clipper_hash_scramble_short(const clipper_hash_key_t *key, uint64_t x)
{
    return clipper_scramble(key, CLIPPER_SCRAMBLE_SHORT, x);
}


uint64_t
clipper_hash_unscramble(const clipper_hash_key_t *key, uint64_t x)
{
    uint64_t    left, right;
    ngx_uint_t  i, bits;

    bits = CLIPPER_SCRAMBLE_BITS;
    x &= (1ULL << bits) - 1;
    left = x >> bits / 2;
    right = x & ((1ULL << bits / 2) - 1);

    for (i = CLIPPER_SCRAMBLE_ROUNDS; i != 0; i--) {
        clipper_scramble_step(key, i - 1, bits, &left, &right);
    }

    return (left << bits / 2) | right;
}

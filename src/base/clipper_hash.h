
/*
 * Clipper: keyed digests and a keyed permutation.  Pure.
 *
 * digest    128 bits over (salt, data), keyed.  Two different inputs have the
 *           same digest with a probability of about 2^-128, also when both are
 *           chosen without knowledge of the key.  Stable for one key on every
 *           platform.
 * siphash   SipHash-2-4 with 128 bits of output (Aumasson and Bernstein), for
 *           short keys such as names.
 * scramble  a keyed bijection of [0, 2^53): consecutive numbers come out in an
 *           unpredictable order; unscramble is its inverse.  The same for
 *           [0, 2^31), which 32-bit integers hold.
 *
 * Nothing here allocates, locks or fails.
 */

#ifndef _CLIPPER_HASH_H_INCLUDED_
#define _CLIPPER_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define CLIPPER_HASH_SEED    32                 /* bytes */
#define CLIPPER_HASH_BLOCK   1024               /* bytes of data per NH block */
#define CLIPPER_HASH_WORDS                                                    \
    (CLIPPER_HASH_BLOCK / 8 + 2)

#define CLIPPER_SCRAMBLE_BITS   53
#define CLIPPER_SCRAMBLE_SHORT  31


/* plain data without pointers: it may live in shared memory */

typedef struct {
    uint64_t                    sip[2];         /* digest and siphash */
    uint64_t                    perm[2];        /* scramble */
    uint64_t                    nh[CLIPPER_HASH_WORDS];
} clipper_hash_key_t;


/* the seed is 32 bytes of the system's randomness */

void clipper_hash_init(clipper_hash_key_t *key,
    const u_char seed[CLIPPER_HASH_SEED]);

void clipper_hash_digest(const clipper_hash_key_t *key, const uint64_t salt[3],
    const u_char *data, size_t len, uint64_t out[2]);

void clipper_hash_siphash(const uint64_t key[2], const u_char *data, size_t len,
    uint64_t out[2]);

/* only the low 53 bits of x count; the result is below 2^53 */

uint64_t clipper_hash_scramble(const clipper_hash_key_t *key, uint64_t x);
uint64_t clipper_hash_unscramble(const clipper_hash_key_t *key, uint64_t x);

/* the same with 31 bits in the place of 53 */
uint64_t clipper_hash_scramble_short(const clipper_hash_key_t *key, uint64_t x);


#endif /* _CLIPPER_HASH_H_INCLUDED_ */


/*
 * Random numbers, see the header.
 */


#include "base/clipper_random.h"
#include "base/clipper_wire.h"


static ngx_inline uint64_t
clipper_random_rotl(uint64_t x, ngx_uint_t n)
{
    return (x << n) | (x >> (64 - n));
}


void
clipper_random_init(clipper_random_t *r, const u_char seed[CLIPPER_RANDOM_SEED])
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        r->s[i] = clipper_wire_get64(seed + i * 8);
    }

    if ((r->s[0] | r->s[1] | r->s[2] | r->s[3]) == 0) {
        /* the one state that xoshiro never leaves */
        r->s[0] = 0x9e3779b97f4a7c15ULL;
    }

    /* spreads a poor seed, such as a small number */

    for (i = 0; i < 20; i++) {
        (void) clipper_random_u64(r);
    }
}


uint64_t
clipper_random_u64(clipper_random_t *r)
{
    uint64_t  x, t;

    x = clipper_random_rotl(r->s[1] * 5, 7) * 9;
    t = r->s[1] << 17;

    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = clipper_random_rotl(r->s[3], 45);

    return x;
}


double
clipper_random_double(clipper_random_t *r)
{
    return (double) (clipper_random_u64(r) >> 11) * 0x1.0p-53;
}

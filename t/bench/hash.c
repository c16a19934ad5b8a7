
/*
 * Prints the time of a digest, a random number and a scrambled number.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clipper_hash.h"
#include "base/clipper_random.h"


static double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}


int
main(void)
{
    double              t, best;
    u_char             *data, seed[CLIPPER_HASH_SEED];
    uint64_t            salt[3], out[2], sum;
    ngx_uint_t          i, k, n, run;
    clipper_random_t    random;
    clipper_hash_key_t  key;

    static const size_t  sizes[] = { 8, 48, 49, 80, 256, 1024, 6272, 65536 };

    data = calloc(1, 65536);
    if (data == NULL) {
        return 1;
    }

    memset(seed, 3, sizeof(seed));
    memset(salt, 0, sizeof(salt));
    clipper_hash_init(&key, seed);
    clipper_random_init(&random, seed);
    sum = 0;

    for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        n = 20000000 / (sizes[k] + 200);
        best = 1;

        for (run = 0; run < 5; run++) {
            t = seconds();

            for (i = 0; i < n; i++) {
                /* the next input depends on this digest */
                salt[0] = sum;
                clipper_hash_digest(&key, salt, data, sizes[k], out);
                sum += out[0];
            }

            best = ngx_min(best, (seconds() - t) / (double) n);
        }

        printf("digest of %6zu bytes: %8.1f ns  %6.2f GB/s\n", sizes[k],
               best * 1e9, (double) sizes[k] / best * 1e-9);
    }

    t = seconds();
    for (i = 0; i < 1000000; i++) {
        sum += clipper_random_u64(&random);
    }
    printf("random: %.1f ns\n", (seconds() - t) * 1e3);

    t = seconds();
    for (i = 0; i < 1000000; i++) {
        sum = clipper_hash_scramble(&key, sum);
    }
    printf("scramble: %.1f ns\n", (seconds() - t) * 1e3);

    return sum == 0;
}

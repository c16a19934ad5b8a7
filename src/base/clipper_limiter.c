
/*
 * The first message of a key and a minute, see the header.
 */


#include "base/clipper_limiter.h"


ngx_uint_t
clipper_limiter(clipper_limiter_t *limiter, uint64_t key, uint64_t now_us)
{
    uint64_t    told_us;
    ngx_uint_t  i, place, known, free;

    place = 0;
    known = 0;
    free = 0;

    for (i = 0; i < CLIPPER_LIMITER_PLACES; i++) {

        told_us = limiter->told_us[i];
        free += (told_us == 0 || now_us - told_us >= CLIPPER_LIMITER_US);

        if (known) {
            continue;
        }

        if (told_us && limiter->keys[i] == key) {
            place = i;
            known = 1;

        } else if (told_us < limiter->told_us[place]) {
            place = i;
        }
    }

    if (limiter->told_us[place]
        && now_us - limiter->told_us[place] < CLIPPER_LIMITER_US)
    {
        return 0;
    }

    limiter->keys[place] = key;
    limiter->told_us[place] = now_us;

    /* this place was free until now */

    return free > 1 ? 1 : CLIPPER_LIMITER_LAST;
}


const char *
clipper_limiter_end(ngx_uint_t told)
{
    return told == CLIPPER_LIMITER_LAST ? "; others of this minute are not "
                                          "logged"
                                        : "";
}


/*
 * The first message of a key and a minute, see the header.
 */


#include "base/clipper_limiter.h"


ngx_uint_t
clipper_limiter(clipper_limiter_t *limiter, uint64_t key, uint64_t now_us)
{
    ngx_uint_t  i, place;

    place = 0;

    for (i = 0; i < CLIPPER_LIMITER_PLACES; i++) {

        if (limiter->told_us[i] && limiter->keys[i] == key) {
            place = i;
            break;
        }

        if (limiter->told_us[i] < limiter->told_us[place]) {
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

    for (i = 0; i < CLIPPER_LIMITER_PLACES; i++) {

        if (limiter->told_us[i] == 0
            || now_us - limiter->told_us[i] >= CLIPPER_LIMITER_US)
        {
            return 1;
        }
    }

    return CLIPPER_LIMITER_LAST;
}


const char *
clipper_limiter_end(ngx_uint_t told)
{
    return told == CLIPPER_LIMITER_LAST ? "; others of this minute are not "
                                          "logged"
                                        : "";
}


/*
 * Long loans, see the header.
 */


#include "shm/clipper_loan.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_zone.h"


uint32_t
clipper_loan(clipper_zone_t *zone, size_t len)
{
    size_t    n;
    uint32_t  first, chunk;

    first = 0;

    for ( /* void */ ; len; len -= n) {
        n = ngx_min(len, CLIPPER_LOAN_BITE);

        clipper_zone_lock(zone);

        chunk = clipper_chunk_extend_locked(zone, first, n);

        if (chunk == 0) {
            clipper_chunk_free_locked(zone, first);
        }

        clipper_zone_unlock(zone);

        if (chunk == 0) {
            return 0;
        }

        first = chunk;
    }

    return first;
}

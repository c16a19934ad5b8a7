
/*
 * The owners of records, see the header.
 */


#include "shm/clipper_record_fate.h"


ngx_uint_t  (*clipper_record_fate_learned)(clipper_owner_t owner,
    uint64_t lesson);


void
clipper_record_fate_init(clipper_record_fate_t *fate)
{
    fate->ask = 0;
    fate->ask_lesson = 0;
    fate->dead = 0;
    fate->n = 0;
}


void
clipper_record_fate_ask(clipper_record_fate_t *fate)
{
    if (clipper_lock_alive(fate->ask)) {
        if (fate->n < CLIPPER_WORKERS) {
            fate->living[fate->n++] = fate->ask;
        }

        return;
    }

    fate->dead = fate->ask;
    fate->lesson = fate->ask_lesson;
    fate->learned = fate->lesson
                    && (clipper_record_fate_learned == NULL
                        || clipper_record_fate_learned(fate->dead,
                                                       fate->lesson));
}


ngx_uint_t
clipper_record_fate_lives(const clipper_record_fate_t *fate,
    clipper_owner_t owner)
{
    ngx_uint_t  i;

    for (i = 0; i < fate->n; i++) {
        if (fate->living[i] == owner) {
            return 1;
        }
    }

    return fate->n == CLIPPER_WORKERS;
}

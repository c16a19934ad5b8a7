
/*
 * A ring of records, see the header.
 */


#include "record_fixture.h"


u_char  ring_seed[32] = { 7, 1, 3 };


void
ring_make(clipper_zone_t *zone, size_t size)
{
    memset(zone, 0, sizeof(*zone));
    zone->pid = (uint32_t) getpid();
    zone->records = death_map(size);
    assert_int_equal(clipper_record_create(zone->records, size, ring_seed),
                     NGX_OK);
}


void
record_of(record_t *r, uint64_t id)
{
    uint32_t    i, k, len;

    memset(r, 0xa5, sizeof(*r));
    r->shared = 0;
    r->owner = 0;
    r->lesson = 0;
    r->query_id = id;
    r->app = 1 + id % 2;
    r->uid[0] = id * 31 % USERS;
    r->uid[1] = r->uid[0] * 3;
    r->input[0] = id * 17 % INPUTS;
    r->input[1] = r->input[0] * 5;
    r->up = id * 77;
    r->seen = id * 55;
    r->propensity = 1.0 / (double) id;
    r->time = (double) id * 0.5;
    r->served = (int32_t) (id % 9) - 1;
    r->n = 1 + (id * 2654435761u >> 7) % CLIPPER_POLICY_MEMBERS;

    for (i = 0; i < r->n; i++) {
        r->key[i] = id * 100 + i;
        len = (uint32_t) ((id + i * 13) % 70);

        for (k = 0; k < len && k < CLIPPER_RECORD_OUTPUT; k++) {
            r->output[i][k] = (u_char) (id + i + k);
        }

        clipper_record_output(r, i, r->output[i], len);
    }
}


void
record_check(const record_t *got, uint64_t id)
{
    uint32_t  i;
    record_t  r;

    record_of(&r, id);

    assert_memory_equal(got, &r, offsetof(record_t, key));
    assert_memory_equal(got->key, r.key, r.n * sizeof(uint64_t));
    assert_memory_equal(got->len, r.len, r.n);

    for (i = 0; i < r.n; i++) {
        if (r.len[i] != CLIPPER_RECORD_LONG) {
            assert_memory_equal(got->output[i], r.output[i], r.len[i]);
        }
    }
}

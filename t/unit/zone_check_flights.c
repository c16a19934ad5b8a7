
/*
 * The check of a zone: flights, their waiters and their payload.
 */


#include "zone_check.h"


static const char  *zone_check_flight(clipper_zone_t *zone, uint32_t flight);
static const char *zone_check_payload(clipper_zone_t *zone, u_char *seen);
static const char *zone_check_chain(clipper_zone_t *zone, u_char *seen,
    uint32_t chunk, uint32_t owner, size_t len);


const char *
zone_check_flights(clipper_zone_t *zone)
{
    uint32_t     i;
    const char  *text;

    for (i = 1; i < zone->header->flights.n; i++) {
        if (zone->flights[i].state) {
            text = zone_check_flight(zone, i);
            if (text) {
                return text;
            }
        }
    }

    return NULL;
}


static const char *
zone_check_flight(clipper_zone_t *zone, uint32_t flight)
{
    uint32_t                row;
    ngx_uint_t              i, leases;
    clipper_flight_t       *f;
    clipper_replica_row_t  *r;

    f = &zone->flights[flight];

    zone_require(f->state <= CLIPPER_DONE,
                 "state of flight", flight);
    zone_require(f->model && f->model < zone->header->models.n
                 && zone->models[f->model].state,
                 "model of flight", flight);

    for (leases = 0, i = 0; i < CLIPPER_LEASES; i++) {
        if (f->lease[i] == 0) {
            continue;
        }

        leases++;
        row = (uint32_t) f->lease[i];
        r = &zone->replicas[row];

        zone_require(row && row < zone->header->replicas.n
                     && r->state
                     && r->gen == f->lease[i] >> 32
                     && r->model == f->model && r->busy,
                     "lease of flight", flight);
    }

    zone_require(leases == 0 || f->lease[0] != f->lease[1],
                 "same lease twice of flight", flight);
    zone_require(leases || f->waiters,
                 "nobody has flight", flight);
    zone_require(f->waiters
                 || f->state != CLIPPER_QUEUED,
                 "nobody waits for queued flight", flight);
    zone_require(leases || f->state != CLIPPER_LEASED,
                 "no lease of flight", flight);
    zone_require(f->state == CLIPPER_DONE
                 || f->output == 0,
                 "early output of flight", flight);
    zone_require(f->state != CLIPPER_DONE || f->output
                 || f->output_len <= CLIPPER_INLINE,
                 "output length of flight", flight);

    return NULL;
}


/* the flights that can be joined */

const char *
zone_check_hash(clipper_zone_t *zone)
{
    uint32_t           i, n, flight;
    clipper_flight_t  *f;

    for (n = 0, i = 1; i < zone->header->flights.n; i++) {
        f = &zone->flights[i];
        n += (f->state && f->state != CLIPPER_DONE && f->shared);
    }

    for (i = 0; i < zone->header->buckets.n; i++) {
        for (flight = zone->buckets[i].head; flight; flight = f->next) {
            f = &zone->flights[flight];

            zone_require(flight < zone->header->flights.n
                         && f->state
                         && f->state != CLIPPER_DONE
                         && f->shared
                         && (f->key[0]
                             & (zone->header->buckets.n - 1)) == i
                         && n,
                         "hash chain at flight", flight);
            n--;
        }
    }

    zone_require(n == 0, "flights out of the hash", n);

    return NULL;
}


const char *
zone_check_waiters(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_flight_t  *f;
    clipper_waiter_t  *w;

    for (i = 1; i < zone->header->waiters.n; i++) {
        w = &zone->waiters[i];

        if (w->state == CLIPPER_FREE) {
            continue;
        }

        zone_require(w->state <= CLIPPER_DROPPED,
                     "state of waiter", i);
        zone_require(w->worker
                     && w->worker < zone->header->workers.n
                     && zone->workers[w->worker].state,
                     "worker of waiter", i);

        if (w->state == CLIPPER_DROPPED) {
            zone_require(w->posted, "dropped and no mail, waiter", i);
            continue;
        }

        f = &zone->flights[w->flight];

        zone_require(w->flight
                     && w->flight < zone->header->flights.n
                     && f->state, "flight of waiter", i);

        /* a long output stays with a waiter that has read its letter */

        zone_require(f->state == CLIPPER_DONE
                     ? w->posted || f->output : !w->posted,
                     "mail of waiter", i);
    }

    return NULL;
}


/* each waiter is in the list of its flight */

const char *
zone_check_lists(clipper_zone_t *zone)
{
    uint32_t           i, n, row, prev, listed;
    clipper_flight_t  *f;
    clipper_waiter_t  *w;

    for (n = 0, i = 1; i < zone->header->waiters.n; i++) {
        n += (zone->waiters[i].state == CLIPPER_WAITING);
    }

    for (i = 1; i < zone->header->flights.n; i++) {
        f = &zone->flights[i];

        if (f->state == CLIPPER_FREE) {
            continue;
        }

        listed = 0;

        for (prev = 0, row = f->waiters; row; prev = row, row = w->next) {
            w = &zone->waiters[row];

            zone_require(row < zone->header->waiters.n
                         && w->state == CLIPPER_WAITING
                         && w->flight == i && w->prev == prev && n,
                         "list at waiter", row);
            zone_require(f->state != CLIPPER_QUEUED
                         || f->deadline_us <= w->deadline_us,
                         "deadline of waiter", row);
            listed++;
            n--;
        }

        zone_require(f->nwaiters == listed, "waiters of flight", i);
    }

    zone_require(n == 0, "waiters in no list", n);

    return NULL;
}


const char *
zone_check_mail(clipper_zone_t *zone)
{
    uint32_t           i, n, row, prev;
    clipper_waiter_t  *w;

    for (n = 0, i = 1; i < zone->header->waiters.n; i++) {
        n += (zone->waiters[i].state && zone->waiters[i].posted);
    }

    for (i = 1; i < zone->header->workers.n; i++) {
        prev = 0;

        for (row = zone->workers[i].mail_head; row; row = w->mail_next) {
            w = &zone->waiters[row];

            zone_require(row < zone->header->waiters.n && w->state
                         && w->posted && w->worker == i
                         && w->mail_prev == prev && n,
                         "mailbox at waiter", row);
            prev = row;
            n--;
        }

        zone_require(prev == zone->workers[i].mail_tail,
                     "mailbox of worker", i);
    }

    zone_require(n == 0, "mail in no box", n);

    return NULL;
}


/* each chunk is free, or in one chain of a flight or on loan to a worker */

const char *
zone_check_chunks(clipper_zone_t *zone)
{
    u_char      *seen;
    const char  *text;

    seen = calloc(zone->header->chunks.n, 1);
    if (seen == NULL) {
        return "no memory for the check";
    }

    text = zone_check_payload(zone, seen);

    free(seen);

    return text;
}


static const char *
zone_check_payload(clipper_zone_t *zone, u_char *seen)
{
    uint32_t           i, n, owner;
    const char        *text;
    clipper_table_t   *table;
    clipper_flight_t  *f;

    table = &zone->header->chunks;
    text = NULL;

    for (i = 1; text == NULL && i < zone->header->flights.n; i++) {
        f = &zone->flights[i];

        if (f->state) {
            text = zone_check_chain(zone, seen, f->input, i, f->input_len);
        }

        if (text == NULL && f->state && f->output) {
            text = zone_check_chain(zone, seen, f->output, i, f->output_len);
        }
    }

    for (i = 1; text == NULL && i < table->n; i++) {
        owner = zone->chunks[i].owner;

        if (owner == CLIPPER_FREE || seen[i]) {
            continue;
        }

        zone_require(owner & CLIPPER_CHUNK_LOAN, "leaked chunk", i);

        n = owner & ~CLIPPER_CHUNK_LOAN;
        zone_require(n && n < zone->header->workers.n
                     && zone->workers[n].state != CLIPPER_FREE,
                     "loan of chunk", i);

        text = zone_check_chain(zone, seen, i, owner,
                                (size_t) zone->chunks[i].n * CLIPPER_CHUNK);
    }

    for (n = 0, i = 1; i < table->n; i++) {
        n += seen[i];
    }

    zone_require(text || n == table->used, "used chunks", n);

    for (i = table->free; text == NULL && i; i = zone->chunks[i].next) {
        zone_require(i < table->n && !seen[i], "free chunk", i);
        seen[i] = 1;
        n++;
    }

    zone_require(text || n == table->n - 1, "lost chunks", n);

    return text;
}


static const char *
zone_check_chain(clipper_zone_t *zone, u_char *seen, uint32_t chunk,
    uint32_t owner, size_t len)
{
    size_t    i, n;
    uint32_t  first;

    n = (len + CLIPPER_CHUNK - 1) / CLIPPER_CHUNK;
    first = chunk;

    for (i = 0; i < n; i++) {
        zone_require(chunk && chunk < zone->header->chunks.n,
                     "short chain of", owner);
        zone_require(zone->chunks[chunk].owner == (i ? CLIPPER_FREE : owner),
                     "owner of chunk", chunk);
        zone_require(!seen[chunk], "chunk in two chains", chunk);
        zone_require(i + 1 < n || zone->chunks[first].last == chunk,
                     "last chunk of", owner);

        seen[chunk] = 1;
        chunk = zone->chunks[chunk].next;
    }

    zone_require(chunk == 0, "long chain of", owner);
    zone_require(n == 0 || zone->chunks[first].n == n, "chunks of", owner);

    return NULL;
}


/*
 * What a worker has in the zone is given back, see the header.
 *
 * Rows are found without the lock.  Those of a living worker are its own and
 * change in no other way; a row that another process has freed meanwhile is
 * seen under the lock.
 */


#include "shm/clipper_zone_leave.h"
#include "base/clipper_clock.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_door.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_queue_lease.h"
#include "shm/clipper_registry_replica.h"
#include "shm/clipper_registry_turn.h"
#include "shm/clipper_zone.h"


#define CLIPPER_LEAVE_ROWS  16                  /* of a hold */

#define clipper_zone_leave_load(word)                                         \
    __atomic_load_n(&(word), __ATOMIC_RELAXED)


typedef struct {
    clipper_owner_t     pid;
    uint32_t            slot;
    uint32_t            gen;
} clipper_zone_leave_t;


/* a row that looks like one of the worker's; under the lock it is freed */

typedef ngx_uint_t (*clipper_zone_leave_find_pt)(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);
typedef void (*clipper_zone_leave_free_pt)(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);


static ngx_uint_t clipper_zone_leave_table(clipper_zone_t *zone,
    const clipper_zone_leave_t *leave, uint32_t n, ngx_uint_t most,
    clipper_zone_leave_find_pt find, clipper_zone_leave_free_pt free_locked);
static ngx_uint_t clipper_zone_leave_is_locked(clipper_zone_t *zone,
    const clipper_zone_leave_t *leave);
static ngx_uint_t clipper_zone_leave_waiter(clipper_zone_t *zone, uint32_t row,
    uint32_t slot);
static void clipper_zone_leave_waiter_locked(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);
static uint32_t clipper_zone_leave_replica_of(clipper_zone_t *zone,
    uint64_t lease, uint32_t slot);
static ngx_uint_t clipper_zone_leave_lease(clipper_zone_t *zone, uint32_t row,
    uint32_t slot);
static void clipper_zone_leave_lease_locked(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);
static ngx_uint_t clipper_zone_leave_replica(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);
static void clipper_zone_leave_replica_locked(clipper_zone_t *zone,
    uint32_t row, uint32_t slot);
static ngx_uint_t clipper_zone_leave_loan(clipper_zone_t *zone, uint32_t row,
    uint32_t slot);
static void clipper_zone_leave_loan_locked(clipper_zone_t *zone, uint32_t row,
    uint32_t slot);
static void clipper_zone_leave_row_locked(clipper_zone_t *zone, uint32_t slot);


ngx_uint_t
clipper_zone_leave(clipper_zone_t *zone, uint32_t slot, uint32_t gen,
    clipper_owner_t pid)
{
    ngx_uint_t            mine;
    clipper_header_t     *header;
    clipper_zone_leave_t  leave;

    header = zone->header;
    leave.slot = slot;
    leave.gen = gen;
    leave.pid = pid;

    if (!clipper_zone_leave_table(zone, &leave, header->waiters.n,
                                  CLIPPER_LEAVE_ROWS,
                                  clipper_zone_leave_waiter,
                                  clipper_zone_leave_waiter_locked)
        || !clipper_zone_leave_table(zone, &leave, header->flights.n,
                                     CLIPPER_LEAVE_ROWS,
                                     clipper_zone_leave_lease,
                                     clipper_zone_leave_lease_locked)
        || !clipper_zone_leave_table(zone, &leave, header->replicas.n, 1,
                                     clipper_zone_leave_replica,
                                     clipper_zone_leave_replica_locked)
        || !clipper_zone_leave_table(zone, &leave, header->chunks.n,
                                     CLIPPER_LEAVE_ROWS,
                                     clipper_zone_leave_loan,
                                     clipper_zone_leave_loan_locked))
    {
        return 0;
    }

    clipper_zone_lock(zone);

    mine = clipper_zone_leave_is_locked(zone, &leave);

    if (mine) {
        clipper_zone_leave_row_locked(zone, slot);
    }

    clipper_zone_unlock(zone);

    return mine;
}


/* 0: the worker's row is free, or another one's */

static ngx_uint_t
clipper_zone_leave_table(clipper_zone_t *zone,
    const clipper_zone_leave_t *leave, uint32_t n, ngx_uint_t most,
    clipper_zone_leave_find_pt find, clipper_zone_leave_free_pt free_locked)
{
    uint32_t    i, row[CLIPPER_LEAVE_ROWS];
    ngx_uint_t  k, found, mine;

    mine = 1;

    for (i = 1; mine && i < n; /* void */) {

        for (found = 0; i < n && found < most; i++) {
            if (find(zone, i, leave->slot)) {
                row[found++] = i;
            }
        }

        if (found == 0) {
            break;
        }

        clipper_zone_lock(zone);

        mine = clipper_zone_leave_is_locked(zone, leave);

        for (k = 0; mine && k < found; k++) {
            if (find(zone, row[k], leave->slot)) {
                free_locked(zone, row[k], leave->slot);
            }
        }

        clipper_zone_unlock(zone);
    }

    return mine;
}


static ngx_uint_t
clipper_zone_leave_is_locked(clipper_zone_t *zone,
    const clipper_zone_leave_t *leave)
{
    clipper_worker_t  *w;

    clipper_zone_locked(zone);

    w = &zone->workers[leave->slot];

    return w->state != CLIPPER_FREE
           && w->gen == leave->gen
           && w->pid == leave->pid;
}


static ngx_uint_t
clipper_zone_leave_waiter(clipper_zone_t *zone, uint32_t row, uint32_t slot)
{
    clipper_waiter_t  *w;

    w = &zone->waiters[row];

    return clipper_zone_leave_load(w->state) != CLIPPER_FREE
           && clipper_zone_leave_load(w->worker) == slot;
}


static void
clipper_zone_leave_waiter_locked(clipper_zone_t *zone, uint32_t row,
    uint32_t slot)
{
    clipper_zone_locked(zone);

    clipper_queue_leave_locked(zone, row, zone->waiters[row].gen);
}


/* the worker's replica with this lease, or 0 */

static uint32_t
clipper_zone_leave_replica_of(clipper_zone_t *zone, uint64_t lease,
    uint32_t slot)
{
    uint32_t                row;
    clipper_replica_row_t  *r;

    row = (uint32_t) lease;
    r = &zone->replicas[row];

    return row
           && row < zone->header->replicas.n
           && clipper_zone_leave_load(r->state) != CLIPPER_FREE
           && clipper_zone_leave_load(r->worker) == slot
           && clipper_zone_leave_load(r->gen) == (uint32_t) (lease >> 32)
           ? row : 0;
}


static ngx_uint_t
clipper_zone_leave_lease(clipper_zone_t *zone, uint32_t row, uint32_t slot)
{
    ngx_uint_t         k;
    clipper_flight_t  *f;

    f = &zone->flights[row];

    if (clipper_zone_leave_load(f->state) == CLIPPER_FREE) {
        return 0;
    }

    for (k = 0; k < CLIPPER_LEASES; k++) {
        if (clipper_zone_leave_replica_of(zone,
                                     clipper_zone_leave_load(f->lease[k]),
                                     slot))
        {
            return 1;
        }
    }

    return 0;
}


/* queued again, if it has waiters: the model is not blamed */

static void
clipper_zone_leave_lease_locked(clipper_zone_t *zone, uint32_t row,
    uint32_t slot)
{
    uint32_t           replica;
    ngx_uint_t         k;
    clipper_flight_t  *f;
    clipper_lease_t    lease;

    clipper_zone_locked(zone);

    f = &zone->flights[row];
    lease.flight = row;
    lease.gen = f->gen;

    for (k = 0; k < CLIPPER_LEASES && f->gen == lease.gen; k++) {
        replica = clipper_zone_leave_replica_of(zone, f->lease[k], slot);
        if (replica) {
            (void) clipper_queue_lease_unsent_locked(zone, replica, &lease);
        }
    }
}


static ngx_uint_t
clipper_zone_leave_replica(clipper_zone_t *zone, uint32_t row, uint32_t slot)
{
    clipper_replica_row_t  *r;

    r = &zone->replicas[row];

    return clipper_zone_leave_load(r->state) != CLIPPER_FREE
           && clipper_zone_leave_load(r->worker) == slot;
}


/* one in each hold: it searches the table for others like it */

static void
clipper_zone_leave_replica_locked(clipper_zone_t *zone, uint32_t row,
    uint32_t slot)
{
    clipper_zone_locked(zone);

    clipper_registry_turn_end_locked(zone, row);
    clipper_registry_replica_gone_locked(zone, row, clipper_clock_us());
}


static ngx_uint_t
clipper_zone_leave_loan(clipper_zone_t *zone, uint32_t row, uint32_t slot)
{
    return clipper_zone_leave_load(zone->chunks[row].owner)
           == (CLIPPER_CHUNK_LOAN | slot);
}


static void
clipper_zone_leave_loan_locked(clipper_zone_t *zone, uint32_t row,
    uint32_t slot)
{
    clipper_zone_locked(zone);

    clipper_chunk_free_locked(zone, row);
}


/* it may have posted letters without ringing: all workers look */

static void
clipper_zone_leave_row_locked(clipper_zone_t *zone, uint32_t slot)
{
    uint32_t           i;
    clipper_worker_t  *w;

    clipper_zone_locked(zone);

    w = &zone->workers[slot];
    w->gen++;
    clipper_row_publish(w->state, CLIPPER_FREE);

    zone->header->registry++;

    for (i = 1; i < zone->header->workers.n; i++) {
        if (zone->workers[i].state == CLIPPER_USED) {
            zone->workers[i].armed = 0;
            clipper_door_mark_locked(zone, i);
        }
    }
}


ngx_uint_t
clipper_zone_leave_dead(clipper_zone_t *zone)
{
    uint32_t           i, gen;
    ngx_uint_t         n;
    clipper_owner_t    pid;
    clipper_worker_t  *w;

    n = 0;

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];

        gen = __atomic_load_n(&w->gen, __ATOMIC_ACQUIRE);

        if (i == zone->slot
            || __atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == CLIPPER_FREE)
        {
            continue;
        }

        pid = __atomic_load_n(&w->pid, __ATOMIC_RELAXED);

        /* a row with our own mark belongs to a dead predecessor */

        if (pid != zone->pid && clipper_lock_alive(pid)) {
            continue;
        }

        n += clipper_zone_leave(zone, i, gen, pid);
    }

    return n;
}

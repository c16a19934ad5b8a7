
/*
 * Queries on their way through shared memory.
 *
 * A task is submitted as a waiter on a flight: the one flight of its key, or
 * a new one that joins its model's queue, which is ordered by deadline (a
 * leftist heap).  A replica's worker takes a batch of flights on lease and
 * settles each with a result; the result is posted to the mailboxes of those
 * who wait.  A flight goes when it has neither waiters nor leases, so what is
 * on lease can be copied without the lock.
 */


#ifndef _CLIPPER_QUEUE_H_INCLUDED_
#define _CLIPPER_QUEUE_H_INCLUDED_


#include "shm/clipper_table.h"


/* inputs up to this size are copied under the lock, larger ones before */
#define CLIPPER_COPY_MAX   1024

/* what an answer needs between its arrival and the client, us */
#define CLIPPER_MARGIN     500

/* how long an input that replicas died of is remembered, us */
#define CLIPPER_SUSPICION  60000000

/* us: a replica that connected so lately is about to be ready */
#define CLIPPER_PROBE_US   1000000


typedef struct {
    uint32_t          model;            /* registry row */
    uint32_t          input_type;
    uint64_t          key[2];
    uint32_t          shared;           /* may join a flight of its key */
    uint32_t          settled;          /* of the key's bucket, read before
                                           the cache was asked */
    uint64_t          deadline_us;
    const u_char     *data;             /* input when chunk is 0 */
    size_t            len;
    uint32_t          chunk;            /* or a chain on loan with the input */
    uint32_t          queue_max;
    size_t            queue_size_max;

    uint32_t          waiter;           /* out */
    uint32_t          gen;
    uint32_t          joined;
} clipper_task_t;


/* the count to give as task.settled */
uint32_t clipper_queue_settled(clipper_zone_t *zone, const uint64_t key[2]);

/*
 * NGX_OK: waiter and gen name the ask; NGX_DECLINED: the model has no replica,
 * nor one about to be ready; NGX_BUSY: its queue is full; NGX_ERROR: the zone
 * is full; NGX_AGAIN: a flight of the key's bucket ended after `settled` was
 * read, so the cache has to be asked again.  Unless NGX_OK the chain stays
 * with the caller; when it was joined to another flight the chain is freed.
 */
ngx_int_t clipper_queue_submit_locked(clipper_zone_t *zone,
    clipper_task_t *task, uint64_t now_us);

/* the ask ends, whatever its state; an unknown gen is ignored */
void clipper_queue_leave_locked(clipper_zone_t *zone, uint32_t waiter,
    uint32_t gen);

/* has the worker of an idle replica of the model woken; 0: there is none */
ngx_uint_t clipper_queue_notify_locked(clipper_zone_t *zone, uint32_t model);


/* --- between the files of this part, and for the rebuild --- */

void clipper_queue_insert_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_hash_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_link_locked(clipper_zone_t *zone, uint32_t waiter);
void clipper_queue_release_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_suspect_locked(clipper_zone_t *zone, const uint64_t key[2],
    uint64_t now_us);
void clipper_queue_remove_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_unhash_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_unlink_locked(clipper_zone_t *zone, uint32_t waiter);


#endif /* _CLIPPER_QUEUE_H_INCLUDED_ */

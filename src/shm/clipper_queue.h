
/*
 * Queries on their way through shared memory.
 *
 * A task is submitted as a waiter on a flight: on the existing flight of its
 * key, or on a new one, which joins the queue of its model (a leftist heap by
 * deadline).  The worker of a replica takes a batch of flights on lease and
 * settles each with a result; the result goes to the mailboxes of the waiters.
 * A flight goes when it has neither waiters nor leases, so the data of a lease
 * can be copied without the lock.
 */


#ifndef _CLIPPER_QUEUE_H_INCLUDED_
#define _CLIPPER_QUEUE_H_INCLUDED_


#include "shm/clipper_table.h"


/* smaller inputs are copied under the lock, larger ones before it is taken */
#define CLIPPER_COPY_MAX   1024

/* time between the arrival of a reply and the response to the client, us */
#define CLIPPER_MARGIN     500

/* how long an input that killed replicas is remembered at first, us */
#define CLIPPER_SUSPICION  60000000

/* how many idle replicas of a model are compared at most, under the lock */
#define CLIPPER_QUEUE_IDLE  64

/* us: a replica that connected this recently is about to be ready */
#define CLIPPER_PROBE_US   1000000

/* us: a replica that moves is expected back within this time */
#define CLIPPER_RETURN_US  1000000


typedef struct {
    uint32_t          model;            /* registry row */
    uint32_t          input_type;
    uint64_t          key[2];
    uint32_t          shared;           /* may join a flight with its key */
    uint32_t          settled;          /* of the key's bucket, read before
                                           the cache was asked */
    uint64_t          deadline_us;
    const u_char     *data;             /* the input, if chunk is 0 */
    size_t            len;
    uint32_t          chunk;            /* or a chain on loan that has it */
    uint32_t          queue_max;
    size_t            queue_size_max;

    uint32_t          waiter;           /* out */
    uint32_t          gen;
    uint32_t          joined;
} clipper_task_t;


/* what to pass as task.settled */
uint32_t clipper_queue_settled(clipper_zone_t *zone, const uint64_t key[2]);

/*
 * NGX_OK: waiter and gen identify the ask; NGX_DECLINED: the model has no
 * replica, and none is about to be ready; NGX_ABORT: its queue is full;
 * NGX_ERROR: the zone is full; NGX_BUSY: a flight of the key's bucket ended
 * after `settled` was read, so check the cache and call again; NGX_DONE: the
 * input is judged, two replicas ended with it.  Unless it returns NGX_OK the
 * chain stays with the caller; if another flight is joined the chain is freed.
 */
ngx_int_t clipper_queue_submit_locked(clipper_zone_t *zone,
    clipper_task_t *task, uint64_t now_us);

/* ends the ask in any state; an unknown gen is ignored */
void clipper_queue_leave_locked(clipper_zone_t *zone, uint32_t waiter,
    uint32_t gen);

/* wakes the worker of an idle replica of the model; 0: there is none */
ngx_uint_t clipper_queue_notify_locked(clipper_zone_t *zone, uint32_t model);


/* --- shared between the files of this part, and with the rebuild --- */

void clipper_queue_insert_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_hash_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_link_locked(clipper_zone_t *zone, uint32_t waiter);
void clipper_queue_release_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_innocent_locked(clipper_zone_t *zone,
    const uint64_t key[2]);
void clipper_queue_suspect_locked(clipper_zone_t *zone, const uint64_t key[2],
    uint64_t now_us);
void clipper_queue_remove_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_unhash_locked(clipper_zone_t *zone, uint32_t flight);
void clipper_queue_unlink_locked(clipper_zone_t *zone, uint32_t waiter);


#endif /* _CLIPPER_QUEUE_H_INCLUDED_ */

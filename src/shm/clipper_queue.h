
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


#include "shm/clipper_zone.h"


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


/* one input of a batch that a replica has */

typedef struct {
    uint32_t          flight;
    uint32_t          gen;
} clipper_lease_t;


typedef struct {
    uint32_t          result;           /* clipper_result_e */
    uint32_t          chunk;            /* chain on loan, when it is long */
    const u_char     *data;             /* else */
    size_t            len;
} clipper_output_t;


/* a result on its way back to who waits */

typedef struct {
    uint32_t          waiter;
    uint32_t          gen;
    uint32_t          model;
    uint32_t          result;
    uint32_t          joined;
    uint32_t          batch_size;
    uint64_t          queue_us;
    uint64_t          model_us;
    uint32_t          held;             /* a long output: still the waiter's,
                                           read it and leave */
    uint32_t          chunk;
    size_t            len;
    u_char            data[CLIPPER_INLINE];
} clipper_mail_t;


/* what a batch may be, and when to ask again if there is none yet */

typedef struct {
    const clipper_batch_conf_t           *conf;
    ngx_uint_t                            max;       /* leases of the caller */
    uint64_t                              now_us;
    uint64_t                              margin_us; /* to deliver an answer */
    uint64_t                              wait_us;   /* out; 0: no need to */
} clipper_take_t;


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

/*
 * A batch for an idle replica, by deadline; tasks that cannot be on time are
 * dropped on the way.  Gives the number of leases, 0: nothing to do now.
 */
ngx_uint_t clipper_queue_lease_take_locked(clipper_zone_t *zone,
    uint32_t replica, clipper_take_t *take, clipper_lease_t *leases);

/*
 * The replica's answer to one lease.  1: it was the first and counts; 0: the
 * flight had ended before.  A chain on loan is taken or freed.  Of a flight
 * that was skipped as late those who have time left are asked for again.
 */
ngx_uint_t clipper_queue_lease_settle_locked(clipper_zone_t *zone,
    uint32_t replica,
    const clipper_lease_t *lease, const clipper_output_t *output,
    uint64_t now_us);

/*
 * The replica was lost with this lease: the flight is queued again (1), or
 * when that was so before ends as an error.
 */
ngx_uint_t clipper_queue_lease_lost_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *lease, uint64_t now_us);

/*
 * A batch is late: what of it still waits, and no other replica has, is queued
 * again beside its lease; the first answer counts.  The number of flights.
 */
ngx_uint_t clipper_queue_lease_hedge_locked(clipper_zone_t *zone,
    uint32_t replica, const clipper_lease_t *leases, ngx_uint_t n);

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


/* --- the mailboxes (clipper_mailbox.c) --- */

/* for a waiter that is done or dropped */
void clipper_mailbox_post_locked(clipper_zone_t *zone, uint32_t waiter);

/* moves up to n letters of the calling worker's mailbox to `mail` */
ngx_uint_t clipper_mailbox_take_locked(clipper_zone_t *zone,
    clipper_mail_t *mail, ngx_uint_t n);

void clipper_mailbox_remove_locked(clipper_zone_t *zone, uint32_t waiter);


/* --- the heap (clipper_heap.c) --- */

void clipper_heap_insert_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, uint32_t flight);
void clipper_heap_remove_locked(clipper_zone_t *zone,
    clipper_model_row_t *model, uint32_t flight);


#endif /* _CLIPPER_QUEUE_H_INCLUDED_ */


/*
 * Second replicas for late batches.
 *
 * A copy takes nothing away: it is made only for a replica that is idle and
 * can be on time, when no other input waits, and it leaves the queue again if
 * that replica gets other work first.  Meanwhile its first replica goes on
 * computing, and the waiters wait for either answer.  A model has a credit of
 * copies, so its replicas do little work twice, however many batches seem late.
 */


#ifndef _CLIPPER_QUEUE_HEDGE_H_INCLUDED_
#define _CLIPPER_QUEUE_HEDGE_H_INCLUDED_


#include "shm/clipper_queue_take.h"


/* the cost of a copy; each input gives a credit of 1 */
#define CLIPPER_HEDGE_COST    20

/* what a model begins with, and cannot exceed */
#define CLIPPER_HEDGE_CREDIT  (64 * CLIPPER_HEDGE_COST)


typedef struct {
    uint64_t          after_us;         /* "hedge TIME"; 0: by profiles */
    uint64_t          late_us;          /* by the profiles, of the take */
    uint64_t          margin_us;        /* to deliver an answer */
    uint64_t          sent_us;
    uint64_t          now_us;
    uint64_t          next_us;          /* out: look again then; 0: never */
} clipper_hedge_t;


static ngx_inline ngx_uint_t
clipper_queue_hedge_leased(const clipper_flight_t *f)
{
    return (f->lease[0] | f->lease[1]) != 0;
}


/* us: how long a model without an answer to a batch makes no copies */
#define CLIPPER_HEDGE_HUNG    3600000000ULL

/* one of its inputs may have hung a replica: a copy would hang another */
static ngx_inline ngx_uint_t
clipper_queue_hedge_hung(const clipper_model_row_t *model, uint64_t now_us)
{
    return model->hung_us && now_us < model->hung_us + CLIPPER_HEDGE_HUNG;
}


/* a batch has just been sent: next_us says when it is late */
void clipper_queue_hedge_begin(clipper_zone_t *zone,
    const clipper_lease_t *leases, ngx_uint_t n, clipper_hedge_t *hedge);

/*
 * The batch is late.  Each of its flights that still has a waiter and that no
 * other replica has is queued again beside its lease, if an idle replica can
 * answer on time, within the model's budget; the first answer counts.  Returns
 * the number of flights.
 */
ngx_uint_t clipper_queue_hedge_locked(clipper_zone_t *zone, uint32_t replica,
    const clipper_lease_t *leases, ngx_uint_t n, clipper_hedge_t *hedge);

/* whether the idle replica has other work by now: a copy does not wait */
ngx_uint_t clipper_queue_hedge_stale(const clipper_flight_t *f,
    uint64_t now_us);

/* a copy leaves the queue, its first lease stays */
void clipper_queue_hedge_undo_locked(clipper_zone_t *zone, uint32_t flight);

/* n inputs were sent for the first time */
void clipper_queue_hedge_earn_locked(clipper_zone_t *zone, uint32_t model,
    ngx_uint_t n);


#endif /* _CLIPPER_QUEUE_HEDGE_H_INCLUDED_ */

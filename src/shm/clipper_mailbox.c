
/*
 * Mailboxes: for each worker, the list of its waiters that have a result.
 */


#include "shm/clipper_mailbox.h"
#include "shm/clipper_door.h"


void
clipper_mailbox_post_locked(clipper_zone_t *zone, uint32_t waiter)
{
    clipper_waiter_t  *w;
    clipper_worker_t  *worker;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];
    worker = &zone->workers[w->worker];

    w->posted = 1;
    w->mail_next = 0;
    w->mail_prev = worker->mail_tail;

    if (worker->mail_tail) {
        zone->waiters[worker->mail_tail].mail_next = waiter;

    } else {
        worker->mail_head = waiter;
    }

    worker->mail_tail = waiter;

    clipper_door_wake_locked(zone, w->worker);
}


void
clipper_mailbox_remove_locked(clipper_zone_t *zone, uint32_t waiter)
{
    clipper_waiter_t  *w;
    clipper_worker_t  *worker;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];
    worker = &zone->workers[w->worker];

    if (w->mail_prev) {
        zone->waiters[w->mail_prev].mail_next = w->mail_next;

    } else {
        worker->mail_head = w->mail_next;
    }

    if (w->mail_next) {
        zone->waiters[w->mail_next].mail_prev = w->mail_prev;

    } else {
        worker->mail_tail = w->mail_prev;
    }

    w->posted = 0;
}

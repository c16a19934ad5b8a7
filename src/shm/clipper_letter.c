
/*
 * Letters, see the header.
 */


#include "shm/clipper_letter.h"
#include "shm/clipper_mailbox.h"
#include "shm/clipper_queue.h"


static void clipper_letter_read_locked(clipper_zone_t *zone, uint32_t waiter,
    clipper_mail_t *mail);


ngx_uint_t
clipper_letter_take_locked(clipper_zone_t *zone, clipper_mail_t *mail,
    ngx_uint_t n)
{
    uint32_t           waiter;
    ngx_uint_t         i;
    clipper_worker_t  *worker;

    clipper_zone_locked(zone);

    worker = &zone->workers[zone->slot];

    for (i = 0; i < n && worker->mail_head; i++) {
        waiter = worker->mail_head;

        clipper_mailbox_remove_locked(zone, waiter);
        clipper_letter_read_locked(zone, waiter, &mail[i]);

        if (!mail[i].held) {
            clipper_queue_leave_locked(zone, waiter, mail[i].gen);
        }
    }

    return i;
}


static void
clipper_letter_read_locked(clipper_zone_t *zone, uint32_t waiter,
    clipper_mail_t *mail)
{
    clipper_flight_t  *f;
    clipper_waiter_t  *w;

    clipper_zone_locked(zone);

    w = &zone->waiters[waiter];

    mail->waiter = waiter;
    mail->gen = w->gen;
    mail->joined = w->joined;
    mail->held = 0;

    if (w->state == CLIPPER_DROPPED) {
        mail->result = w->reason;
        mail->len = 0;
        mail->chunk = 0;
        mail->model = 0;
        mail->queue_us = 0;
        mail->model_us = 0;
        mail->batch_size = 0;
        return;
    }

    f = &zone->flights[w->flight];

    mail->model = f->model;
    mail->result = f->result;
    mail->batch_size = f->batch_size;
    mail->queue_us = f->sent_us - f->queued_us;
    mail->model_us = f->done_us - f->sent_us;
    mail->len = f->output_len;
    mail->chunk = f->output;

    if (f->output) {
        mail->held = 1;
        return;
    }

    ngx_memcpy(mail->data, f->data, f->output_len);
}


/*
 * Letters: results on their way from mailboxes to waiters.
 */


#ifndef _CLIPPER_LETTER_H_INCLUDED_
#define _CLIPPER_LETTER_H_INCLUDED_


#include "shm/clipper_table.h"


/* a result on its way to the waiter */

typedef struct {
    uint32_t          waiter;
    uint32_t          gen;
    uint32_t          model;
    uint32_t          result;
    uint32_t          joined;
    uint32_t          batch_size;
    uint64_t          queue_us;
    uint64_t          model_us;
    uint32_t          held;             /* long output, kept by the waiter:
                                           read, leave */
    uint32_t          chunk;
    size_t            len;
    u_char            data[CLIPPER_INLINE];
} clipper_mail_t;


/* moves up to n letters from the calling worker's mailbox to `mail` */
ngx_uint_t clipper_letter_take_locked(clipper_zone_t *zone,
    clipper_mail_t *mail, ngx_uint_t n);


#endif /* _CLIPPER_LETTER_H_INCLUDED_ */

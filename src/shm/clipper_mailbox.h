
/*
 * Mailboxes: for each worker, the list of its waiters that have a result.
 */


#ifndef _CLIPPER_MAILBOX_H_INCLUDED_
#define _CLIPPER_MAILBOX_H_INCLUDED_


#include "shm/clipper_table.h"


/* for a waiter whose result is there or that was dropped */
void clipper_mailbox_post_locked(clipper_zone_t *zone, uint32_t waiter);

void clipper_mailbox_remove_locked(clipper_zone_t *zone, uint32_t waiter);


#endif /* _CLIPPER_MAILBOX_H_INCLUDED_ */

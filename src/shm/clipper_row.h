
/*
 * Common to the rows of all tables of the zone: the state word of a row.
 */


#ifndef _CLIPPER_ROW_H_INCLUDED_
#define _CLIPPER_ROW_H_INCLUDED_


/* 0 is a free row in every table */

#define CLIPPER_FREE          0

#define CLIPPER_QUEUED        1                 /* flight: waits in the queue */
#define CLIPPER_LEASED        2                 /*         is with a replica */
#define CLIPPER_DONE          3                 /*         has its result */

#define CLIPPER_WAITING       1                 /* waiter: for its flight */
#define CLIPPER_DROPPED       2                 /*         cannot be on time */

#define CLIPPER_USED          1                 /* worker, model, application */

#define CLIPPER_PROBING       1                 /* replica: not yet ready */
#define CLIPPER_READY         2                 /*          may get work */
#define CLIPPER_LEAVING       3                 /*          gets no new work */


/* stores the word that validates a row, after everything that it relies on */
#define clipper_row_publish(word, value)                                      \
    __atomic_store_n(&(word), value, __ATOMIC_RELEASE)


#endif /* _CLIPPER_ROW_H_INCLUDED_ */

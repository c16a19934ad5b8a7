
/*
 * A zone in memory, its workers, and short forms of their calls.  A worker has
 * the pid of a process made for it, so it can die.
 *
 * An output is "y" followed by its input.
 */


#ifndef _ZONE_FIXTURE_H_INCLUDED_
#define _ZONE_FIXTURE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "splitmix.h"
#include "shm/clipper_queue.h"
#include "shm/clipper_queue_hedge.h"
#include "shm/clipper_queue_lease.h"
#include "zone_check.h"
#include "shm/clipper_chunk.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_zone_leave.h"
#include "shm/clipper_letter.h"
#include "shm/clipper_registry_replica.h"


#define ZONE_SIZE     (2 << 20)
#define ZONE_LONGEST  5000          /* bytes of an input in these tests */


typedef clipper_zone_t  view_t;


extern const u_char  zone_seed[32];
extern uint64_t      zone_random;
extern size_t        zone_size;     /* of the zones that are made */


uint64_t zone_chance(uint64_t n);
void *zone_map(void);
void *zone_make(void);
void zone_drop(void *addr);

/* a process that does nothing */
pid_t zone_process(void);
void zone_kill(pid_t pid);
void zone_assert_locked(view_t *v, const char *where);
void zone_assert(view_t *v, const char *where);

/* a worker with its own process and row */
view_t worker_make(void *addr);
uint32_t model_make(view_t *v, const char *name, const char *version);

/* registers only; the token is this letter 16 times, 0: no token */
uint32_t replica_join(view_t *v, uint32_t model, u_char letter);
uint32_t replica_make(view_t *v, uint32_t model, u_char letter);
void replica_idle(view_t *v, uint32_t row);
void replica_gone(view_t *v, uint32_t row);

/* the input of a name: it begins with the name and has this length */
u_char *input_of(uint32_t name, size_t len);
clipper_task_t task_make(view_t *v, uint32_t model, uint32_t name, size_t len,
    uint64_t deadline_us);
ngx_int_t submit(view_t *v, clipper_task_t *task, uint64_t now_us);
void leave(view_t *v, uint32_t waiter, uint32_t gen);

/* a chain on loan, with these bytes unless NULL; 0 when the zone is full */
uint32_t borrow(view_t *v, const u_char *data, size_t len);
void give_back(view_t *v, uint32_t chunk);

/* up to max inputs for the replica, of any latency */
ngx_uint_t take(view_t *v, uint32_t replica, ngx_uint_t max, uint64_t now_us,
    clipper_lease_t *leases);

/* a batch is late; under the lock */
ngx_uint_t hedge_locked(view_t *v, uint32_t replica,
    const clipper_lease_t *leases, ngx_uint_t n, uint64_t now_us);

/* the output that belongs to the lease's input; its length */
size_t output_of(view_t *v, const clipper_lease_t *lease, u_char *output);
ngx_uint_t settle_with(view_t *v, uint32_t replica,
    const clipper_lease_t *lease, uint32_t result, const u_char *data,
    size_t len, uint64_t now_us);
ngx_uint_t settle(view_t *v, uint32_t replica, const clipper_lease_t *lease,
    uint64_t now_us);
ngx_uint_t mail_take(view_t *v, clipper_mail_t *mail, ngx_uint_t n);

/* whether a letter has the output of this input; releases a held letter */
ngx_uint_t mail_says(view_t *v, clipper_mail_t *mail, uint32_t name,
    size_t len);


#endif /* _ZONE_FIXTURE_H_INCLUDED_ */

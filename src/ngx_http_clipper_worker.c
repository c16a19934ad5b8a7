
/*
 * The module's life cycle in a process, see the header.
 */


#include "ngx_http_clipper_worker.h"
#include "ngx_http_clipper_enter.h"
#include <ngx_event.h>
#include "shm/clipper_cache.h"
#include "conf/ngx_http_clipper_listen.h"
#include "query/ngx_http_clipper_ask.h"
#include "query/ngx_http_clipper_feedback_claim.h"
#include "query/ngx_http_clipper_lineup.h"
#include "shm/clipper_journal.h"
#include "shm/clipper_record.h"
#include "shm/clipper_registry.h"
#include "replica/ngx_http_clipper_replica.h"
#include "replica/ngx_http_clipper_replica_message.h"
#include "replica/ngx_http_clipper_replica_move.h"
#include "query/ngx_http_clipper_select.h"
#include "query/ngx_http_clipper_state.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_idle.h"
#include "worker/ngx_http_clipper_wake.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_zone_leave.h"
#include "shm/clipper_letter.h"
#include <sys/random.h>


#define NGX_HTTP_CLIPPER_MAIL    64       /* letters handled in a row */
#define NGX_HTTP_CLIPPER_BITES   16       /* until others get a turn */


static ngx_int_t ngx_http_clipper_worker_records(void *addr, size_t size);
static ngx_int_t ngx_http_clipper_worker_adopt(ngx_shm_zone_t *zone, void *data,
    const char *directive, ngx_int_t (*validate)(void *addr, size_t size),
    ngx_int_t (*create)(void *addr, size_t size));
static size_t ngx_http_clipper_worker_size(ngx_slab_pool_t *shpool,
    u_char *addr);
static void ngx_http_clipper_worker_new_zone(ngx_shm_zone_t *zone);
static ngx_int_t ngx_http_clipper_worker_seed(ngx_log_t *log,
    u_char seed[32]);
static void ngx_http_clipper_worker_overflowed(void);
static void ngx_http_clipper_worker_waits(clipper_owner_t holder);
static void ngx_http_clipper_worker_work(void);
static void ngx_http_clipper_worker_bury(void);
static void ngx_http_clipper_worker_retire(ngx_uint_t now);


static clipper_zone_t  ngx_http_clipper_worker_zone;
static uint32_t        ngx_http_clipper_worker_cycles;


/* Data of the old cycle is only validated: the reload may still fail. */

ngx_int_t
ngx_http_clipper_worker_zone_init(ngx_shm_zone_t *zone, void *data)
{
    u_char           *addr, seed[32];
    size_t            size;
    ngx_slab_pool_t  *shpool;
    clipper_zone_t    view;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    addr = data ? data : shpool->data;

    if (addr) {
        size = ngx_http_clipper_worker_size(shpool, addr);

        if (clipper_zone_attach(&view, addr, size, 0) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "clipper_zone was made by another version of the "
                          "module: restart nginx");
            return NGX_ERROR;
        }

        zone->data = addr;
        return NGX_OK;
    }

    ngx_http_clipper_worker_new_zone(zone);

    size = ngx_http_clipper_worker_size(shpool, NULL);
    addr = ngx_slab_alloc(shpool, size);

    if (addr == NULL
        || ngx_http_clipper_worker_seed(zone->shm.log, seed) != NGX_OK
        || clipper_zone_create(addr, size, seed, ngx_time())
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "clipper_zone of %uz bytes is too small",
                      zone->shm.size);
        return NGX_ERROR;
    }

    shpool->data = addr;
    zone->data = addr;

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_worker_cache_zone_init(ngx_shm_zone_t *zone, void *data)
{
    return ngx_http_clipper_worker_adopt(zone, data, "clipper_cache_zone",
                                         clipper_cache_validate,
                                         clipper_cache_create);
}


ngx_int_t
ngx_http_clipper_worker_records_init(ngx_shm_zone_t *zone, void *data)
{
    return ngx_http_clipper_worker_adopt(zone, data, "clipper_records",
                                         clipper_record_validate,
                                         ngx_http_clipper_worker_records);
}


static ngx_int_t
ngx_http_clipper_worker_records(void *addr, size_t size)
{
    u_char  seed[32];

    if (ngx_http_clipper_worker_seed(ngx_cycle->log, seed) != NGX_OK) {
        return NGX_ERROR;
    }

    return clipper_record_create(addr, size, seed);
}


/* a zone that is one object over all pages: the one in place, or a new one */

static ngx_int_t
ngx_http_clipper_worker_adopt(ngx_shm_zone_t *zone, void *data,
    const char *directive, ngx_int_t (*validate)(void *addr, size_t size),
    ngx_int_t (*create)(void *addr, size_t size))
{
    u_char           *addr;
    size_t            size;
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    addr = data ? data : shpool->data;

    if (addr && validate(addr, ngx_http_clipper_worker_size(shpool, addr))
                != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "%s was made by another version of the module: "
                      "restart nginx", directive);
        return NGX_ERROR;
    }

    if (addr == NULL) {
        ngx_http_clipper_worker_new_zone(zone);

        size = ngx_http_clipper_worker_size(shpool, NULL);
        addr = ngx_slab_alloc(shpool, size);

        if (addr == NULL || create(addr, size) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "%s of %uz bytes is too small", directive,
                          zone->shm.size);
            return NGX_ERROR;
        }

        shpool->data = addr;
    }

    zone->data = addr;

    return NGX_OK;
}


/*
 * Allocates all pages of the slab pool, which has no other user.  They form
 * one block from addr to the end of the pool.
 */

static size_t
ngx_http_clipper_worker_size(ngx_slab_pool_t *shpool, u_char *addr)
{
    return addr ? (size_t) (shpool->end - addr)
                  & ~((size_t) ngx_pagesize - 1)
                : shpool->pfree << ngx_pagesize_shift;
}


/* says why a zone starts empty, where an operator may not expect it */

static void
ngx_http_clipper_worker_new_zone(ngx_shm_zone_t *zone)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *old;
    ngx_list_part_t  *part;

    if (ngx_cycle == NULL || ngx_cycle->shared_memory.part.elts == NULL) {
        if (ngx_inherited) {
            ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                          "a new binary begins with an empty zone \"%V\": it "
                          "does not share memory with the old one",
                          &zone->shm.name);
        }

        return;
    }

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (&old[i] != zone
                && old[i].tag == zone->tag
                && old[i].shm.size != zone->shm.size
                && old[i].shm.name.len == zone->shm.name.len
                && ngx_strncmp(old[i].shm.name.data, zone->shm.name.data,
                               zone->shm.name.len)
                   == 0)
            {
                ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                              "zone \"%V\" changed from %uz to %uz bytes "
                              "and starts empty", &zone->shm.name,
                              old[i].shm.size, zone->shm.size);
            }
        }
    }
}


static ngx_int_t
ngx_http_clipper_worker_seed(ngx_log_t *log, u_char seed[32])
{
    if (getrandom(seed, 32, 0) != 32) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_clipper_worker_cycle(ngx_cycle_t *cycle)
{
    ngx_http_clipper_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_clipper_module);

    if (mcf && mcf->zone) {
        ngx_http_clipper_worker_cycles =
                                     clipper_registry_cycle(mcf->zone->data);
    }

    return ngx_http_clipper_listen_init(cycle);
}


ngx_int_t
ngx_http_clipper_worker_init(ngx_cycle_t *cycle)
{
    ngx_shm_zone_t                *zone;
    clipper_header_t              *header;
    ngx_http_clipper_main_conf_t  *mcf;

    /* the cache manager and the cache loader get here too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_clipper_module);

    if (mcf == NULL || mcf->zone == NULL) {
        return NGX_OK;
    }

    zone = mcf->zone;
    header = zone->data;

    if (clipper_zone_attach(&ngx_http_clipper_worker_zone, header,
                            header->size, clipper_lock_self())
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clipper_worker_zone.cycle = ngx_http_clipper_worker_cycles;
    ngx_http_clipper_worker_zone.flush = ngx_http_clipper_wake_flush;
    clipper_journal_overflowed = ngx_http_clipper_worker_overflowed;
    clipper_lock_waits = ngx_http_clipper_worker_waits;

    ngx_http_clipper_process.zone = &ngx_http_clipper_worker_zone;
    ngx_http_clipper_process.conf = mcf;
    ngx_http_clipper_process.cycle = cycle;
    ngx_http_clipper_process.log = cycle->log;
    ngx_http_clipper_process.work = ngx_http_clipper_worker_work;
    ngx_http_clipper_process.bury = ngx_http_clipper_worker_bury;
    ngx_http_clipper_process.retire = ngx_http_clipper_worker_retire;

    if (mcf->records_zone) {
        ngx_http_clipper_worker_zone.records = mcf->records_zone->data;
        ngx_http_clipper_worker_zone.notes = (mcf->records_redis != 0);
    }

    if (mcf->cache_zone) {
        clipper_cache_attach(mcf->cache_zone->data,
                             ngx_http_clipper_worker_zone.pid);
    }

    if (ngx_http_clipper_timer_init(cycle) != NGX_OK
        || ngx_http_clipper_enter_init(cycle) != NGX_OK
        || ngx_http_clipper_ask_init(cycle) != NGX_OK
        || ngx_http_clipper_select_start(cycle) != NGX_OK
        || ngx_http_clipper_state_init(cycle) != NGX_OK
        || ngx_http_clipper_replica_init(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* without a row it takes no containers yet */

    if (ngx_http_clipper_process.slot
        && ngx_http_clipper_replica_message_init(cycle, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clipper_feedback_claim_init(cycle);

    /* a worker that died earlier may have left work behind */

    ngx_http_clipper_worker_work();

    return NGX_OK;
}


static void
ngx_http_clipper_worker_overflowed(void)
{
    ngx_log_error(NGX_LOG_ERR, ngx_http_clipper_process.log, 0,
                  "a change to learned or recorded data is larger than its "
                  "journal: it could not be undone if this worker died now; "
                  "please report this, \"journal_overflows\" of "
                  "clipper_status counts it");
}


/*
 * A living process keeps a lock.  What this process holds is given back after
 * its death anyway, so it may end without waiting.
 */

static void
ngx_http_clipper_worker_waits(clipper_owner_t holder)
{
    if (!ngx_terminate) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "process %uD holds a lock of the shared memory and does not "
                  "release it: this worker exits without waiting for it",
                  clipper_lock_pid(holder));

    _exit(0);
}


void
ngx_http_clipper_worker_exit(ngx_cycle_t *cycle)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    if (zone == NULL) {
        return;
    }

    ngx_http_clipper_replica_move_done();
    ngx_http_clipper_replica_done();
    ngx_http_clipper_replica_message_done();
    ngx_http_clipper_feedback_claim_done();
    ngx_http_clipper_state_done();
    ngx_http_clipper_lineup_done();

    if (zone->slot) {
        (void) clipper_zone_leave(zone, zone->slot,
                                  zone->workers[zone->slot].gen, zone->pid);

        zone->slot = 0;
    }

    ngx_http_clipper_enter_done();
    ngx_http_clipper_idle_done();
    ngx_http_clipper_timer_done();
    ngx_http_clipper_wake_done();

    ngx_http_clipper_process.zone = NULL;
}


static void
ngx_http_clipper_worker_work(void)
{
    ngx_uint_t       i, k, n, again;
    clipper_zone_t  *zone;
    clipper_mail_t   mail[NGX_HTTP_CLIPPER_MAIL];

    zone = ngx_http_clipper_process.zone;

    ngx_http_clipper_state_take_over();

    for (i = 0; i < NGX_HTTP_CLIPPER_BITES; i++) {

        ngx_http_clipper_replica_work();

        clipper_zone_lock(zone);

        n = clipper_letter_take_locked(zone, mail, NGX_HTTP_CLIPPER_MAIL);

        again = zone->workers[zone->slot].mail_head != 0
                || ngx_http_clipper_replica_due_locked();

        if (!again) {
            zone->workers[zone->slot].armed = 1;
        }

        clipper_zone_unlock(zone);

        for (k = 0; k < n; k++) {
            ngx_http_clipper_query_deliver(&mail[k]);
        }

        if (!again) {
            return;
        }
    }

    /* continues after timers and sockets had their turn */

    ngx_http_clipper_wake_later();
}


static void
ngx_http_clipper_worker_bury(void)
{
    ngx_uint_t       n;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    n = clipper_zone_leave_dead(zone);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                      "reclaimed what %ui dead worker(s) held", n);
        ngx_http_clipper_state_bury();
    }
}


static void
ngx_http_clipper_worker_retire(ngx_uint_t now)
{
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    if (zone == NULL) {
        return;
    }

    if (!ngx_http_clipper_process.retiring) {
        ngx_http_clipper_process.retiring = 1;

        ngx_http_clipper_idle_retire(ngx_http_clipper_process.cycle,
                                     &zone->workers[zone->slot].waiting);

        __atomic_store_n(&zone->workers[zone->slot].retiring, 1,
                         __ATOMIC_RELEASE);

        if (zone->slot == 0) {
            clipper_zone_lock(zone);
            clipper_registry_begun_locked(zone);
            clipper_zone_unlock(zone);
        }

        ngx_http_clipper_timer_retire();
        ngx_http_clipper_state_retire();
    }

    ngx_http_clipper_replica_move_retire(now);

    if (now) {
        ngx_http_clipper_timer_end();
    }
}

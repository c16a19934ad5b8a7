
/*
 * The worker's row in the zone, see the header.
 */


#include "ngx_http_clipper_enter.h"
#include <ngx_event.h>
#include "query/ngx_http_clipper_state.h"
#include "replica/ngx_http_clipper_replica_message.h"
#include "shm/clipper_registry.h"
#include "shm/clipper_zone.h"
#include "shm/clipper_zone_leave.h"
#include "worker/ngx_http_clipper_accept.h"
#include "worker/ngx_http_clipper_model.h"
#include "worker/ngx_http_clipper_process.h"
#include "worker/ngx_http_clipper_wake.h"
#include "worker/ngx_http_clipper_watch.h"


#define NGX_HTTP_CLIPPER_ENTER_RETRY  100     /* ms, until it tries again */
#define NGX_HTTP_CLIPPER_ENTER_NAMES  1000    /* ms, the same for names */


static ngx_uint_t ngx_http_clipper_enter_try(void);
static void ngx_http_clipper_enter_late(ngx_event_t *ev);
static void ngx_http_clipper_enter_wait(void);
static ngx_uint_t ngx_http_clipper_enter_join(void);
static void ngx_http_clipper_enter_lacks(void);


static u_char       ngx_http_clipper_enter_door[16];
static size_t       ngx_http_clipper_enter_door_len;
static ngx_event_t  ngx_http_clipper_enter_later;


ngx_int_t
ngx_http_clipper_enter_init(ngx_cycle_t *cycle)
{
    ngx_http_clipper_enter_door_len = sizeof(ngx_http_clipper_enter_door);

    if (ngx_http_clipper_wake_init(cycle, ngx_http_clipper_enter_door,
                                   &ngx_http_clipper_enter_door_len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clipper_watch_alone(&ngx_http_clipper_enter_later, cycle->log,
                                 ngx_http_clipper_enter_late);
    ngx_http_clipper_enter_later.cancelable = 1;

    if (ngx_http_clipper_enter_try()) {
        ngx_http_clipper_enter_lacks();
        return NGX_OK;
    }

    ngx_http_clipper_enter_wait();

    ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                  "clipper_zone has no room for this worker: %uD others use "
                  "it, perhaps old ones that are shutting down; this worker "
                  "answers from the cache or with defaults until there is "
                  "room; increase the zone",
                  ngx_http_clipper_process.zone->header->workers.n - 1);

    return NGX_OK;
}


/*
 * Meanwhile it answers from the cache, using the rows of names that other
 * workers pin, and leaves new clients to workers that have a row, if there are
 * any.
 */

static void
ngx_http_clipper_enter_wait(void)
{
    ngx_cycle_t  *cycle;

    cycle = ngx_http_clipper_process.cycle;

    ngx_http_clipper_model_find();

    if (clipper_registry_staying(ngx_http_clipper_process.zone)) {
        ngx_http_clipper_accept_pause(cycle);

    } else {
        ngx_http_clipper_accept_resume(cycle);
    }

    ngx_add_timer(&ngx_http_clipper_enter_later, NGX_HTTP_CLIPPER_ENTER_RETRY);
}


/* the row, and the names that the worker uses */

static ngx_uint_t
ngx_http_clipper_enter_try(void)
{
    uint32_t                       slot;
    clipper_zone_t                *zone;
    ngx_http_clipper_main_conf_t  *mcf;

    zone = ngx_http_clipper_process.zone;
    mcf = ngx_http_clipper_process.conf;

    (void) clipper_zone_leave_dead(zone);

    clipper_zone_lock(zone);

    slot = clipper_registry_enter_locked(zone, ngx_http_clipper_enter_door,
                                         ngx_http_clipper_enter_door_len,
                                         &mcf->generation, ngx_time());
    clipper_zone_unlock(zone);

    if (slot) {
        ngx_http_clipper_model_pin(zone, mcf);
    }

    ngx_http_clipper_process.slot = slot;

    return slot != 0;
}


/* another worker may be gone, or a container of a model without a link */

static void
ngx_http_clipper_enter_late(ngx_event_t *ev)
{
    if (ngx_http_clipper_process.retiring) {
        return;
    }

    if (ngx_http_clipper_process.slot == 0) {

        if (ngx_http_clipper_enter_join()) {
            ngx_http_clipper_enter_lacks();

        } else {
            ngx_http_clipper_enter_wait();
        }

        return;
    }

    ngx_http_clipper_model_again();

    if (ngx_http_clipper_model_lacking()) {
        ngx_add_timer(ev, NGX_HTTP_CLIPPER_ENTER_NAMES);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_http_clipper_process.log, 0,
                  "clipper_zone has room for all names of the configuration "
                  "now");
}


static ngx_uint_t
ngx_http_clipper_enter_join(void)
{
    if (!ngx_http_clipper_enter_try()) {
        return 0;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_http_clipper_process.log, 0,
                  "clipper_zone has room for this worker now");

    ngx_http_clipper_accept_resume(ngx_http_clipper_process.cycle);
    ngx_http_clipper_state_entered();

    if (ngx_http_clipper_replica_message_init(ngx_http_clipper_process.cycle,
                                              ngx_http_clipper_process.conf)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_http_clipper_process.log, 0,
                      "containers cannot connect to this worker, reload nginx");
    }

    ngx_http_clipper_process.work();

    return 1;
}


static void
ngx_http_clipper_enter_lacks(void)
{
    ngx_uint_t  n;

    n = ngx_http_clipper_model_lacking();

    if (n == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_http_clipper_process.log, 0,
                  "clipper_zone has no room for %ui names of the "
                  "configuration: old configurations and containers of other "
                  "models fill it; these names answer with defaults until "
                  "there is room; increase the zone", n);

    ngx_add_timer(&ngx_http_clipper_enter_later, NGX_HTTP_CLIPPER_ENTER_NAMES);
}


void
ngx_http_clipper_enter_done(void)
{
    if (ngx_http_clipper_enter_later.timer_set) {
        ngx_del_timer(&ngx_http_clipper_enter_later);
    }
}

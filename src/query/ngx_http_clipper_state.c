
/*
 * States of policies: the interface, see the header.
 */


#include "query/ngx_http_clipper_state.h"
#include "query/ngx_http_clipper_state_flow.h"
#include "shm/clipper_door.h"
#include "shm/clipper_record_fate.h"
#include "shm/clipper_state_lesson.h"
#include "shm/clipper_state_table_delta.h"
#include "shm/clipper_zone.h"
#include "learn/clipper_policy_table.h"
#include "query/ngx_http_clipper_state_fetch.h"
#include "query/ngx_http_clipper_state_flush.h"
#include "query/ngx_http_clipper_state_id.h"
#include "query/ngx_http_clipper_state_time.h"


/* age after which the state from Redis is read again, us */
#define NGX_HTTP_CLIPPER_STATE_APP_AGE   1000000
#define NGX_HTTP_CLIPPER_STATE_USER_AGE  5000000

#define NGX_HTTP_CLIPPER_STATE_SENDERS   128


static ngx_int_t ngx_http_clipper_state_known(const double *vec, size_t size);
static void ngx_http_clipper_state_ready(void);
static ngx_uint_t ngx_http_clipper_state_learned(clipper_owner_t owner,
    uint64_t lesson);
static uint32_t ngx_http_clipper_state_store(
    ngx_http_clipper_redis_conf_t *conf);
static ngx_uint_t ngx_http_clipper_state_others(void);
static ngx_uint_t ngx_http_clipper_state_other(ngx_uint_t slot);


ngx_int_t
ngx_http_clipper_state_init(ngx_cycle_t *cycle)
{
    u_char                    *p;
    clipper_zone_t            *zone;
    ngx_http_clipper_state_t  *state;
    clipper_state_header_t    *h;

    zone = ngx_http_clipper_process.zone;
    state = &ngx_http_clipper_state_flow;

    clipper_state_table_attach(&state->table, zone->states, zone->pid);
    h = state->table.header;

    clipper_record_fate_learned = ngx_http_clipper_state_learned;
    (void) clipper_state_lesson_join(&state->table);

    state->redis = ngx_http_clipper_process.conf->redis;
    state->log = cycle->log;
    state->table.keep = (state->redis != NULL);

    p = state->source;
    *p++ = '@';
    (void) ngx_hex_dump(p, (u_char *) h->source, sizeof(h->source));

    if (state->redis == NULL) {
        return NGX_OK;
    }

    ngx_http_clipper_state_entered();

    ngx_http_clipper_state_fetch_init(cycle->log);

    if (ngx_http_clipper_state_flush_init(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    /* any process with this pid is now this one */

    (void) clipper_state_table_delta_release(&state->table, zone->pid);
    ngx_http_clipper_state_bury();

    return ngx_http_clipper_redis_init(cycle, state->redis,
                                       ngx_http_clipper_state_ready);
}


void
ngx_http_clipper_state_entered(void)
{
    clipper_zone_t                 *zone;
    ngx_http_clipper_redis_conf_t  *redis;

    zone = ngx_http_clipper_process.zone;
    redis = ngx_http_clipper_state_flow.redis;

    if (zone->slot && redis) {
        zone->workers[zone->slot].store = ngx_http_clipper_state_store(redis);
    }
}


/* the connection is up */

static void
ngx_http_clipper_state_ready(void)
{
    ngx_http_clipper_state_time_ask();
    ngx_http_clipper_state_id_ask();
    ngx_http_clipper_state_flush_now();

    if (ngx_http_clipper_state_flow.connected) {
        ngx_http_clipper_state_flow.connected();
    }
}


void
ngx_http_clipper_state_done(void)
{
    ngx_uint_t                 up, left, dirty;
    ngx_http_clipper_state_t  *state;

    state = &ngx_http_clipper_state_flow;

    if (state->table.header == NULL) {
        return;
    }

    clipper_state_lesson_leave(&state->table);

    if (state->redis == NULL) {
        return;
    }

    up = ngx_http_clipper_redis_up();

    left = ngx_http_clipper_state_flush_done();
    ngx_http_clipper_state_fetch_done();

    dirty = clipper_state_table_delta_dirty(&state->table);

    if (dirty) {
        ngx_http_clipper_state_hand_over();
    }

    if (dirty && (left || !up)) {
        ngx_log_error(NGX_LOG_WARN, state->log, 0,
                      "updates of %ui application(s) or user(s) have not "
                      "reached redis \"%V\": other workers will send "
                      "them, but a shutdown loses them", dirty,
                      &state->redis->address);
    }

    state->redis = NULL;
}


void
ngx_http_clipper_state_retire(void)
{
    if (ngx_http_clipper_state_flow.redis) {
        ngx_http_clipper_state_flush_now();
        ngx_http_clipper_redis_retire(ngx_http_clipper_state_others);
    }
}


/* the destination of deltas: equal for workers that send to the same place */

static uint32_t
ngx_http_clipper_state_store(ngx_http_clipper_redis_conf_t *conf)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, conf->address.data, conf->address.len);
    ngx_crc32_update(&crc, (u_char *) &conf->db, sizeof(conf->db));
    ngx_crc32_update(&crc, conf->prefix.data, conf->prefix.len);
    ngx_crc32_final(crc);

    return crc | 1;
}


/* whether other workers send the table's updates to this Redis */

static ngx_uint_t
ngx_http_clipper_state_others(void)
{
    ngx_uint_t  i;

    for (i = 1; i < ngx_http_clipper_process.zone->header->workers.n; i++) {
        if (ngx_http_clipper_state_other(i)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_clipper_state_other(ngx_uint_t slot)
{
    clipper_zone_t    *zone;
    clipper_worker_t  *w;

    zone = ngx_http_clipper_process.zone;
    w = &zone->workers[slot];

    return slot != zone->slot
           && __atomic_load_n(&w->state, __ATOMIC_ACQUIRE)
              == CLIPPER_USED
           && !__atomic_load_n(&w->retiring, __ATOMIC_RELAXED)
           && w->store == zone->workers[zone->slot].store
           && clipper_lock_alive(w->pid);
}


void
ngx_http_clipper_state_hand_over(void)
{
    uint32_t         i;
    clipper_zone_t  *zone;

    zone = ngx_http_clipper_process.zone;

    __atomic_store_n(&ngx_http_clipper_state_flow.table.header->orphans, 1,
                     __ATOMIC_RELEASE);

    for (i = 1; i < zone->header->workers.n; i++) {

        if (ngx_http_clipper_state_other(i)) {
            clipper_zone_lock(zone);
            clipper_door_wake_locked(zone, i);
            clipper_zone_unlock(zone);
        }
    }
}


void
ngx_http_clipper_state_take_over(void)
{
    uint32_t  *orphans;

    if (!ngx_http_clipper_redis_up()) {
        return;                     /* after that, everything is sent */
    }

    orphans = &ngx_http_clipper_state_flow.table.header->orphans;

    if (__atomic_load_n(orphans, __ATOMIC_ACQUIRE)
        && !ngx_http_clipper_process.retiring)
    {
        __atomic_store_n(orphans, 0, __ATOMIC_RELEASE);
        ngx_http_clipper_state_flush_later();
    }
}


void
ngx_http_clipper_state_bury(void)
{
    clipper_owner_t            pids[NGX_HTTP_CLIPPER_STATE_SENDERS];
    ngx_uint_t                 i, n;
    ngx_http_clipper_state_t  *state;

    state = &ngx_http_clipper_state_flow;

    if (state->table.header == NULL || state->redis == NULL) {
        return;
    }

    n = clipper_state_table_delta_senders(&state->table, pids,
                                          NGX_HTTP_CLIPPER_STATE_SENDERS);

    for (i = 0; i < n; i++) {
        if (pids[i] != state->table.pid && !clipper_lock_alive(pids[i])) {
            (void) clipper_state_table_delta_release(&state->table, pids[i]);
        }
    }

    ngx_http_clipper_state_flush_later();
}


ngx_int_t
ngx_http_clipper_state_get(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, double *vec)
{
    size_t                            size;
    uint64_t                          max;
    ngx_int_t                         rc;
    ngx_http_clipper_state_t         *state;
    clipper_state_age_t               age;
    ngx_http_clipper_state_name_of_t  name;

    state = &ngx_http_clipper_state_flow;

    if (ngx_http_clipper_state_flow_name(&name, id, uid) != NGX_OK) {
        return NGX_DECLINED;
    }

    size = clipper_policy_state_size(id->conf->policy, id->n);
    ngx_memzero(vec, size * sizeof(double));
    max = (name.who.kind == CLIPPER_STATE_APP)
          ? NGX_HTTP_CLIPPER_STATE_APP_AGE : NGX_HTTP_CLIPPER_STATE_USER_AGE;

    rc = clipper_state_table_read(&state->table, &name.who, vec,
                                  clipper_clock_us(), max, &age);

    if (state->redis
        && (rc != NGX_OK || age.stale)
        && ngx_http_clipper_state_fetch(&name, age.acked) == NGX_OK
        && rc != NGX_OK)
    {
        return NGX_AGAIN;
    }

    return ngx_http_clipper_state_known(vec, size);
}


/* NGX_DECLINED: nothing is */

static ngx_int_t
ngx_http_clipper_state_known(const double *vec, size_t size)
{
    size_t  i;

    for (i = CLIPPER_POLICY_ROWS; i < size; i++) {
        if (vec[i] != 0) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_clipper_state_add(const ngx_http_clipper_state_id_t *id,
    const ngx_str_t *uid, const double *delta)
{
    ngx_int_t                          rc;
    ngx_uint_t                         with;
    ngx_http_clipper_state_t          *state;
    ngx_http_clipper_state_name_of_t   name, user;

    state = &ngx_http_clipper_state_flow;

    if (ngx_http_clipper_state_flow_name(&name, id, NULL) != NGX_OK) {
        return NGX_OK;
    }

    with = (uid && uid->len);

    if (with) {
        (void) ngx_http_clipper_state_flow_name(&user, id, uid);
    }

    rc = clipper_state_table_learn(&state->table, &name.who,
                                   with ? &user.who : NULL, delta,
                                   ngx_http_clipper_process.zone->lesson);

    if (state->redis) {
        ngx_http_clipper_state_flush_later();
    }

    return rc;
}


/* each lesson has its number; 0: there is no place to note it */

uint64_t
ngx_http_clipper_state_number(void)
{
    static uint64_t  number;

    return ngx_http_clipper_state_flow.table.lesson ? ++number : 0;
}


static ngx_uint_t
ngx_http_clipper_state_learned(clipper_owner_t owner, uint64_t lesson)
{
    return clipper_state_lesson_done(&ngx_http_clipper_state_flow.table, owner,
                                     lesson);
}


void
ngx_http_clipper_state_stat(ngx_http_clipper_state_stat_t *stat)
{
    ngx_http_clipper_state_t  *state;
    clipper_state_header_t    *h;

    state = &ngx_http_clipper_state_flow;
    h = state->table.header;

    ngx_memzero(stat, sizeof(ngx_http_clipper_state_stat_t));

    if (h == NULL) {
        return;
    }

    stat->redis = (state->redis != NULL);
    stat->up = stat->redis && ngx_http_clipper_redis_up();
    stat->rows = h->m.rows;
    stat->rows_max = h->nrows - 1;
    stat->pending = stat->redis
                    ? clipper_state_table_delta_dirty(&state->table) : 0;
    stat->sent = h->sent;
    stat->dropped = h->dropped;
    stat->evicted = h->evicted;
    stat->errors = h->errors;
}

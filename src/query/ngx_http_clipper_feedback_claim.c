
/*
 * Feedback for records that are in Redis, see the header.
 *
 * A claim has a pool of its own, so it outlives the request that it came
 * with.  Requests are told from a posted event, never from inside of hiredis.
 */


#include "query/ngx_http_clipper_feedback_claim.h"
#include "query/ngx_http_clipper_select.h"
#include "shm/clipper_record_claim.h"
#include "shm/clipper_record_note.h"
#include "query/ngx_http_clipper_state_flow.h"
#include "query/ngx_http_clipper_state_id.h"


#define NGX_HTTP_CLIPPER_FEEDBACK_NOTES  64     /* claimed at a time */
#define NGX_HTTP_CLIPPER_FEEDBACK_MOMENT 20     /* ms, until the next ones */
#define NGX_HTTP_CLIPPER_FEEDBACK_PAUSE  1000   /* ms, until the next look */


struct ngx_http_clipper_feedback_claim_s {
    ngx_http_clipper_record_claim_t   claim;    /* first */
    ngx_queue_t                       queue;    /* of those with a handler */
    ngx_pool_t                       *pool;
    ngx_http_clipper_query_t         *query;    /* the lineup and the states */
    ngx_http_clipper_timer_t          timer;
    ngx_http_clipper_feedback_label_t label;
    unsigned                          note:1;   /* not of a request */
    unsigned                          sent:1;   /* Redis may have made it */
    unsigned                          ended:1;
    unsigned                          refused:1; /* not to be learned */
};


static ngx_http_clipper_feedback_claim_t *ngx_http_clipper_feedback_claim_make(
    ngx_http_clipper_feedback_label_t *label);
static void ngx_http_clipper_feedback_claim_answered(
    ngx_http_clipper_record_claim_t *redis, ngx_int_t rc,
    clipper_record_t *record);
static ngx_http_clipper_feedback_e ngx_http_clipper_feedback_claim_learn(
    ngx_http_clipper_feedback_claim_t *claim, clipper_record_t *record);
static ngx_http_clipper_feedback_e ngx_http_clipper_feedback_claim_refuse(
    ngx_http_clipper_feedback_claim_t *claim);
static ngx_http_clipper_feedback_e ngx_http_clipper_feedback_claim_keep(
    ngx_http_clipper_feedback_claim_t *claim, ngx_uint_t mine);
static void ngx_http_clipper_feedback_claim_end(
    ngx_http_clipper_feedback_claim_t *claim,
    ngx_http_clipper_feedback_e result);
static void ngx_http_clipper_feedback_claim_expire(void *data);
static void ngx_http_clipper_feedback_claim_tell(ngx_event_t *ev);
static void ngx_http_clipper_feedback_claim_soon(void);
static void ngx_http_clipper_feedback_claim_notes(ngx_event_t *ev);
static ngx_int_t ngx_http_clipper_feedback_claim_note(
    clipper_record_note_t *note);
static ngx_http_clipper_app_t *ngx_http_clipper_feedback_claim_app(
    uint32_t row);


static ngx_queue_t       ngx_http_clipper_feedback_waiting;
static ngx_queue_t       ngx_http_clipper_feedback_told;     /* to be told */
static ngx_uint_t        ngx_http_clipper_feedback_noted;    /* under way */
static ngx_uint_t        ngx_http_clipper_feedback_refused;  /* by Redis */
static ngx_event_t       ngx_http_clipper_feedback_event;
static ngx_event_t       ngx_http_clipper_feedback_timer;
static ngx_connection_t  ngx_http_clipper_feedback_dummy;

/* records are long: there is one buffer, for one record at a time */

static clipper_record_t  ngx_http_clipper_feedback_settled;


void
ngx_http_clipper_feedback_claim_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_http_clipper_feedback_waiting);
    ngx_queue_init(&ngx_http_clipper_feedback_told);

    ngx_http_clipper_feedback_dummy.fd = (ngx_socket_t) -1;

    ngx_http_clipper_feedback_event.handler =
                                         ngx_http_clipper_feedback_claim_tell;
    ngx_http_clipper_feedback_event.data = &ngx_http_clipper_feedback_dummy;
    ngx_http_clipper_feedback_event.log = cycle->log;

    ngx_http_clipper_feedback_timer.handler =
                                        ngx_http_clipper_feedback_claim_notes;
    ngx_http_clipper_feedback_timer.data = &ngx_http_clipper_feedback_dummy;
    ngx_http_clipper_feedback_timer.log = cycle->log;
    ngx_http_clipper_feedback_timer.cancelable = 1;

    if (ngx_http_clipper_process.conf->records_redis) {
        ngx_http_clipper_state_flow.connected =
                                         ngx_http_clipper_feedback_claim_soon;
        ngx_http_clipper_feedback_claim_soon();
    }
}


/* as soon as Redis is back: it may not stay, nor may this worker */

static void
ngx_http_clipper_feedback_claim_soon(void)
{
    if (ngx_http_clipper_feedback_timer.timer_set) {
        ngx_del_timer(&ngx_http_clipper_feedback_timer);
    }

    ngx_add_timer(&ngx_http_clipper_feedback_timer,
                  NGX_HTTP_CLIPPER_FEEDBACK_MOMENT);
}


/* what Redis says until the exit is learned, but there is nobody to tell */

void
ngx_http_clipper_feedback_claim_done(void)
{
    ngx_queue_t                        *q;
    ngx_http_clipper_feedback_claim_t  *claim;

    if (ngx_http_clipper_feedback_event.handler == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_clipper_feedback_waiting)) {
        q = ngx_queue_head(&ngx_http_clipper_feedback_waiting);
        claim = ngx_queue_data(q, ngx_http_clipper_feedback_claim_t, queue);
        ngx_http_clipper_feedback_claim_detach(claim);
    }

    if (ngx_http_clipper_feedback_event.posted) {
        ngx_delete_posted_event(&ngx_http_clipper_feedback_event);
    }

    if (ngx_http_clipper_feedback_timer.timer_set) {
        ngx_del_timer(&ngx_http_clipper_feedback_timer);
    }
}


ngx_int_t
ngx_http_clipper_feedback_claim(ngx_http_clipper_feedback_label_t *label,
    ngx_http_clipper_feedback_claim_t **claim)
{
    ngx_http_clipper_feedback_claim_t  *made;

    made = ngx_http_clipper_feedback_claim_make(label);
    if (made == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_clipper_record_redis_claim(&made->claim) != NGX_OK) {
        label->result = ngx_http_clipper_feedback_claim_keep(made, 0);
        ngx_destroy_pool(made->pool);
        return NGX_OK;
    }

    made->sent = 1;

    ngx_queue_insert_tail(&ngx_http_clipper_feedback_waiting, &made->queue);
    ngx_http_clipper_timer_add(&made->timer, label->until_us);

    *claim = made;

    return NGX_AGAIN;
}


static ngx_http_clipper_feedback_claim_t *
ngx_http_clipper_feedback_claim_make(ngx_http_clipper_feedback_label_t *label)
{
    ngx_pool_t                         *pool;
    ngx_http_clipper_feedback_claim_t  *claim;

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE + sizeof(*claim),
                           ngx_http_clipper_process.log);
    if (pool == NULL) {
        return NULL;
    }

    claim = ngx_pcalloc(pool, sizeof(ngx_http_clipper_feedback_claim_t));
    if (claim == NULL) {
        goto failed;
    }

    claim->pool = pool;
    claim->label = *label;
    claim->label.label.data = ngx_pstrdup(pool, &label->label);
    claim->label.uid.data = ngx_pstrdup(pool, &label->uid);
    claim->timer.handler = ngx_http_clipper_feedback_claim_expire;
    claim->timer.data = claim;

    claim->query = ngx_http_clipper_query_create(pool,
                                        ngx_http_clipper_process.log,
                                        label->app, label->until_us);

    if (claim->label.label.data == NULL || claim->label.uid.data == NULL
        || claim->query == NULL)
    {
        goto failed;
    }

    claim->query->uid = claim->label.uid;
    claim->query->quiet = 1;

    if (ngx_http_clipper_query_resolve(claim->query, NULL) == NGX_ERROR
        || ngx_http_clipper_select_load(claim->query) == NGX_ERROR)
    {
        goto failed;
    }

    claim->claim.app = label->app;
    claim->claim.uid = claim->label.uid;
    claim->claim.query_id = label->query_id;
    claim->claim.mode = label->mode;
    claim->claim.handler = ngx_http_clipper_feedback_claim_answered;

    return claim;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static void
ngx_http_clipper_feedback_claim_answered(
    ngx_http_clipper_record_claim_t *redis, ngx_int_t rc,
    clipper_record_t *record)
{
    ngx_http_clipper_feedback_claim_t  *claim;

    claim = (ngx_http_clipper_feedback_claim_t *) redis;

    if (claim->refused) {
        ngx_destroy_pool(claim->pool);
        return;
    }

    /* Redis may be up and refuse: each label that is kept again takes room */

    ngx_http_clipper_feedback_refused |= rc == NGX_ERROR;

    ngx_http_clipper_feedback_claim_end(claim,
                     rc == NGX_OK
                     ? ngx_http_clipper_feedback_claim_learn(claim, record)
                     : rc == NGX_DECLINED
                     ? ngx_http_clipper_feedback_claim_refuse(claim)
                     : ngx_http_clipper_feedback_claim_keep(claim, 0));
}


/* a note's record was settled when the note was made */

static ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_claim_learn(ngx_http_clipper_feedback_claim_t *claim,
    clipper_record_t *record)
{
    uint32_t                      app;
    const uint64_t               *user;
    clipper_zone_t               *zone;
    clipper_record_t             *here;
    ngx_http_clipper_feedback_e   result;

    zone = ngx_http_clipper_process.zone;
    app = (uint32_t) claim->label.app->row;
    user = claim->query->selection->user_key;
    here = &ngx_http_clipper_feedback_settled;

    zone->lesson = ngx_http_clipper_state_number();

    if (clipper_record_claim_learn(zone, claim->label.query_id, app, user,
                             claim->note, here)
        != NGX_OK)
    {
        return NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN;
    }

    if (here->n) {
        record = here;
    }

    result = record ? ngx_http_clipper_feedback_learn(claim->query,
                                                      &claim->label.label,
                                                      record)
                    : NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN;

    clipper_record_claim_end(zone, claim->label.query_id, app, user,
                             claim->note, 1);

    return result;
}


static ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_claim_refuse(
    ngx_http_clipper_feedback_claim_t *claim)
{
    clipper_zone_t                     *zone;
    ngx_http_clipper_feedback_label_t  *label;

    zone = ngx_http_clipper_process.zone;
    label = &claim->label;

    if (claim->note) {
        clipper_record_claim_end(zone, label->query_id,
                                 (uint32_t) label->app->row,
                                 claim->query->selection->user_key, 1, 0);

    } else if (label->mode == NGX_HTTP_CLIPPER_CLAIM_FRESH) {
        clipper_record_forget(zone, label->query_id,
                              (uint32_t) label->app->row,
                              claim->query->selection->user_key);

    } else {
        (void) clipper_record_settle(zone, label->query_id,
                                     (uint32_t) label->app->row,
                                     claim->query->selection->user_key,
                                     &ngx_http_clipper_feedback_settled);
    }

    return NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN;
}


/*
 * A label that is given again is refused meanwhile.  One that cannot be kept
 * can be given again: its record is anybody's.  A query of this instance that
 * the ring has passed may be nowhere at all, if Redis was away at its time; if
 * no claim was sent, the next one knows as little as this one.
 */

static ngx_http_clipper_feedback_e
ngx_http_clipper_feedback_claim_keep(ngx_http_clipper_feedback_claim_t *claim,
    ngx_uint_t mine)
{
    uint32_t                            app;
    ngx_int_t                           rc;
    const uint64_t                     *user;
    clipper_zone_t                     *zone;
    ngx_http_clipper_feedback_label_t  *label;

    zone = ngx_http_clipper_process.zone;
    label = &claim->label;
    app = (uint32_t) label->app->row;
    user = claim->query->selection->user_key;

    if (claim->note) {
        clipper_record_claim_leave(zone, label->query_id, app, user, 1);

        return NGX_HTTP_CLIPPER_FEEDBACK_KEPT;
    }

    if (label->place
        && ngx_http_clipper_state_id_own(zone, label->query_id))
    {
        if (label->mode == NGX_HTTP_CLIPPER_CLAIM_FRESH && !claim->sent) {
            clipper_record_forget(zone, label->query_id, app, user);
        } else {
            clipper_record_claim_leave(zone, label->query_id, app, user, 0);
        }

        return NGX_HTTP_CLIPPER_FEEDBACK_AWAY;
    }

    rc = clipper_record_note_put(zone, label->query_id, app, user,
                                 &label->label, &label->uid, mine);

    if (rc == NGX_DECLINED) {
        clipper_record_claim_leave(zone, label->query_id, app, user, 0);

        return NGX_HTTP_CLIPPER_FEEDBACK_FULL;
    }

    return rc == NGX_OK ? NGX_HTTP_CLIPPER_FEEDBACK_KEPT
                        : NGX_HTTP_CLIPPER_FEEDBACK_UNKNOWN;
}


static void
ngx_http_clipper_feedback_claim_end(ngx_http_clipper_feedback_claim_t *claim,
    ngx_http_clipper_feedback_e result)
{
    claim->label.result = result;
    claim->ended = 1;

    if (claim->label.handler) {
        ngx_http_clipper_timer_del(&claim->timer);
        ngx_queue_remove(&claim->queue);
        ngx_queue_insert_tail(&ngx_http_clipper_feedback_told, &claim->queue);

        if (!ngx_http_clipper_feedback_event.posted) {
            ngx_post_event(&ngx_http_clipper_feedback_event,
                           &ngx_posted_events);
        }

        return;
    }

    /* whoever gave it was told that it is kept */

    if (result != NGX_HTTP_CLIPPER_FEEDBACK_KEPT) {
        ngx_http_clipper_feedback_learn_count(claim->label.app, result);
    }

    if (claim->note) {
        ngx_http_clipper_feedback_noted--;
    }

    ngx_destroy_pool(claim->pool);
}


void
ngx_http_clipper_feedback_claim_detach(
    ngx_http_clipper_feedback_claim_t *claim)
{
    claim->label.handler = NULL;

    ngx_http_clipper_timer_del(&claim->timer);

    if (!claim->ended) {
        ngx_queue_remove(&claim->queue);
    }
}


/*
 * Redis takes too long: the claim goes on, and the client is told now that the
 * label is kept, whatever becomes of this worker, or that it is not, and then
 * nothing is learned from it.
 */

static void
ngx_http_clipper_feedback_claim_expire(void *data)
{
    ngx_http_clipper_feedback_claim_t *claim = data;

    ngx_http_clipper_feedback_e                  result;
    ngx_http_clipper_feedback_claim_handler_pt   handler;

    handler = claim->label.handler;

    ngx_http_clipper_feedback_claim_detach(claim);

    result = ngx_http_clipper_feedback_claim_keep(claim, 1);

    if (result == NGX_HTTP_CLIPPER_FEEDBACK_KEPT) {
        claim->note = 1;
        ngx_http_clipper_feedback_noted++;

    } else {
        claim->refused = 1;
    }

    handler(claim->label.data, result);
}


/* a handler may detach others */

static void
ngx_http_clipper_feedback_claim_tell(ngx_event_t *ev)
{
    ngx_queue_t                        *q;
    ngx_http_clipper_feedback_claim_t  *claim;

    while (!ngx_queue_empty(&ngx_http_clipper_feedback_told)) {
        q = ngx_queue_head(&ngx_http_clipper_feedback_told);
        claim = ngx_queue_data(q, ngx_http_clipper_feedback_claim_t, queue);

        ngx_queue_remove(q);

        if (claim->label.handler) {
            claim->label.handler(claim->label.data, claim->label.result);

        } else {
            ngx_http_clipper_feedback_learn_count(claim->label.app,
                                                  claim->label.result);
        }

        ngx_destroy_pool(claim->pool);
    }
}


/* labels that were kept, by any worker: some at a time */

static void
ngx_http_clipper_feedback_claim_notes(ngx_event_t *ev)
{
    static clipper_record_note_t  note;

    /* without a row, or retiring, it may not know the application */

    while (ngx_http_clipper_process.slot
           && !ngx_http_clipper_process.retiring
           && !ngx_http_clipper_feedback_refused
           && ngx_http_clipper_redis_up()
           && ngx_http_clipper_feedback_noted < NGX_HTTP_CLIPPER_FEEDBACK_NOTES
           && clipper_record_note_take(ngx_http_clipper_process.zone, &note)
              == NGX_OK)
    {
        if (ngx_http_clipper_feedback_claim_note(&note) != NGX_OK) {
            break;
        }
    }

    ngx_add_timer(ev, ngx_http_clipper_feedback_noted
                      && !ngx_http_clipper_feedback_refused
                      ? NGX_HTTP_CLIPPER_FEEDBACK_MOMENT
                      : NGX_HTTP_CLIPPER_FEEDBACK_PAUSE);

    ngx_http_clipper_feedback_refused = 0;
}


/* NGX_DECLINED: Redis takes no claim now, the note stays */

static ngx_int_t
ngx_http_clipper_feedback_claim_note(clipper_record_note_t *note)
{
    ngx_int_t                           rc;
    ngx_http_clipper_feedback_claim_t  *claim;
    ngx_http_clipper_feedback_label_t   label;

    ngx_memzero(&label, sizeof(ngx_http_clipper_feedback_label_t));

    label.app = ngx_http_clipper_feedback_claim_app(note->app);

    if (label.app == NULL) {

        /* it has left the configuration */

        clipper_record_claim_end(ngx_http_clipper_process.zone, note->query_id,
                           note->app, note->key, 1, 0);
        return NGX_OK;
    }

    label.label.data = note->text;
    label.label.len = note->label;
    label.uid.data = note->text + note->label;
    label.uid.len = note->uid;
    label.query_id = note->query_id;
    label.mode = NGX_HTTP_CLIPPER_CLAIM_AGAIN;
    label.until_us = clipper_clock_us();

    claim = ngx_http_clipper_feedback_claim_make(&label);
    if (claim == NULL) {
        clipper_record_claim_leave(ngx_http_clipper_process.zone,
                                   note->query_id, note->app, note->key, 1);
        return NGX_ERROR;
    }

    claim->note = 1;

    rc = ngx_http_clipper_record_redis_claim(&claim->claim);

    if (rc != NGX_OK) {
        (void) ngx_http_clipper_feedback_claim_keep(claim, 0);
        ngx_destroy_pool(claim->pool);
        return rc;
    }

    ngx_http_clipper_feedback_noted++;

    return NGX_OK;
}


static ngx_http_clipper_app_t *
ngx_http_clipper_feedback_claim_app(uint32_t row)
{
    ngx_uint_t                i;
    ngx_http_clipper_app_t  **apps;

    apps = ngx_http_clipper_process.conf->apps.elts;

    for (i = 0; i < ngx_http_clipper_process.conf->apps.nelts; i++) {
        if (apps[i]->row == row && apps[i]->opt.select.policy->observe) {
            return apps[i];
        }
    }

    return NULL;
}


/*
 * Rows of replicas in the registry: join, readiness, idle lists, departure.
 *
 * Events that happen once per replica (join, ready, gone) search all rows of
 * the table, 1023 at most; the work of a batch does not.
 */


#include "shm/clipper_registry_replica.h"
#include "shm/clipper_free.h"
#include "shm/clipper_registry_failure.h"
#include "shm/clipper_registry_turn.h"
#include "shm/clipper_queue.h"


static void clipper_registry_replica_probed_locked(clipper_zone_t *zone,
    uint32_t model);
static void clipper_registry_replica_stop_locked(clipper_zone_t *zone,
    uint32_t replica);
static clipper_batch_t *clipper_registry_replica_learned_locked(
    clipper_zone_t *zone, clipper_replica_row_t *r);
static void clipper_registry_replica_return_locked(clipper_zone_t *zone,
    uint32_t gone);
static ngx_uint_t clipper_registry_replica_digest(
    const clipper_replica_row_t *r, const clipper_model_row_t *model);
static ngx_uint_t clipper_registry_replica_twins(clipper_replica_row_t *a,
    clipper_replica_row_t *b);
static ngx_uint_t clipper_registry_replica_same(clipper_replica_row_t *a,
    clipper_replica_row_t *b);


uint32_t
clipper_registry_replica_join_locked(clipper_zone_t *zone,
    clipper_announcement_t *a, uint64_t now_us)
{
    uint32_t                row;
    ngx_uint_t              known;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    clipper_free_take_locked(zone, replicas, row);

    if (row == 0) {
        return 0;
    }

    model = &zone->models[a->model];
    r = &zone->replicas[row];

    r->worker = zone->slot;
    r->model = a->model;
    r->id = model->next_id++;
    r->rpc_version = a->rpc_version;
    r->input_type = a->input_type;
    r->digest_len = (uint32_t) ngx_min(a->digest.len, sizeof(r->digest));
    r->address[0] = '\0';
    r->busy = 0;
    r->copied = 0;
    r->superseded = 0;
    r->sent_us = now_us;
    r->stuck_us = 0;
    r->connected_us = now_us;
    r->moved_us = 0;
    r->nbatches = 0;
    r->ninputs = 0;
    r->nerrors = 0;
    r->idle = 0;

    ngx_memzero(r->token, sizeof(r->token));

    if (a->token.len) {
        ngx_memcpy(r->token, a->token.data, ngx_min(a->token.len,
                                                    sizeof(r->token)));
    }

    if (r->digest_len) {
        ngx_memcpy(r->digest, a->digest.data, r->digest_len);
    }

    /*
     * Answers of another model with the same name must not be found in the
     * cache.  A digest distinguishes models; without a digest, replicas that
     * join after all others had gone count as another model.
     */

    known = clipper_registry_replica_digest(r, model);

    if (!known && (r->digest_len || model->digest_len || model->members == 0)) {
        model->epoch++;
        model->profiled = 0;
        clipper_registry_failure_forget_locked(zone, model);
        model->digest_len = r->digest_len;
        ngx_memcpy(model->digest, r->digest, r->digest_len);
    }

    r->epoch = model->epoch;

    clipper_batch_init(&r->batch,
                       clipper_registry_replica_learned_locked(zone, r),
                       now_us);

    model->announced = 1;
    model->input_type = a->input_type;
    model->members++;
    model->probed_us = ngx_max(model->probed_us, now_us);

    if (a->token.len == 0) {
        clipper_registry_turn_back_locked(zone, row, now_us);
    }

    clipper_row_publish(r->state, CLIPPER_PROBING);

    zone->header->registry++;

    return row;
}


/*
 * its own profile if it moves here from another worker, else that of the last
 * one gone
 */

static clipper_batch_t *
clipper_registry_replica_learned_locked(clipper_zone_t *zone,
    clipper_replica_row_t *r)
{
    uint32_t              i;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    for (i = 1; i < zone->header->replicas.n; i++) {
        if (clipper_registry_replica_same(r, &zone->replicas[i])) {
            return &zone->replicas[i].batch;
        }
    }

    model = &zone->models[r->model];

    return model->profiled ? &model->profile : NULL;
}


void
clipper_registry_replica_from_locked(clipper_zone_t *zone, uint32_t replica,
    ngx_str_t *address)
{
    size_t                  len;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    len = ngx_min(address->len, sizeof(r->address) - 1);

    ngx_memcpy(r->address, address->data, len);
    r->address[len] = '\0';
}


void
clipper_registry_replica_ready_locked(clipper_zone_t *zone, uint32_t replica)
{
    uint32_t                i;
    clipper_replica_row_t  *r, *old;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];

    if (r->state != CLIPPER_PROBING) {
        return;
    }

    /*
     * If several workers retire one after the other, a container may have
     * moved on before its probe was answered here.
     */

    for (i = 1; i < zone->header->replicas.n; i++) {
        old = &zone->replicas[i];

        if (old->id > r->id && clipper_registry_replica_same(r, old)) {
            break;
        }
    }

    if (i < zone->header->replicas.n) {
        clipper_registry_replica_leaving_locked(zone, replica);
        r->superseded = 1;
        return;
    }

    clipper_row_publish(r->state, CLIPPER_READY);
    clipper_registry_replica_probed_locked(zone, r->model);
    zone->models[r->model].replicas++;

    for (i = 1; i < zone->header->replicas.n; i++) {
        old = &zone->replicas[i];

        if (i != replica && clipper_registry_replica_same(r, old)) {
            clipper_registry_replica_stop_locked(zone, i);
            old->superseded = 1;
        }
    }

    zone->header->registry++;
}


/*
 * a replica has left `probing`: finds the latest connection that is still in
 * it
 */

static void
clipper_registry_replica_probed_locked(clipper_zone_t *zone, uint32_t model)
{
    uint32_t                i;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    if (zone->models[model].probed_us == 0) {
        return;
    }

    zone->models[model].probed_us = 0;

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == CLIPPER_PROBING && r->model == model) {
            zone->models[model].probed_us =
                        ngx_max(zone->models[model].probed_us,
                                r->connected_us);
        }
    }
}


/*
 * A connection that had taken the place of another one by its token has gone:
 * the container that is still here gets work again.  A container of a retiring
 * worker moves on anyway.
 */

static void
clipper_registry_replica_return_locked(clipper_zone_t *zone, uint32_t gone)
{
    uint32_t                i, last;
    clipper_replica_row_t  *r, *old;

    clipper_zone_locked(zone);

    r = &zone->replicas[gone];
    last = 0;

    for (i = 1; i < zone->header->replicas.n; i++) {
        old = &zone->replicas[i];

        if (i == gone || !clipper_registry_replica_twins(r, old)) {
            continue;
        }

        if (old->state == CLIPPER_READY) {
            return;
        }

        if (old->state == CLIPPER_LEAVING
            && old->superseded
            && !zone->workers[old->worker].retiring
            && (last == 0 || old->id > zone->replicas[last].id))
        {
            last = i;
        }
    }

    if (last == 0) {
        return;
    }

    old = &zone->replicas[last];
    old->superseded = 0;
    clipper_row_publish(old->state, CLIPPER_READY);
    zone->models[old->model].replicas++;

    if (old->busy == 0) {
        clipper_registry_replica_idle_locked(zone, last);
    }
}


/* whether two connections belong to one container */

static ngx_uint_t
clipper_registry_replica_same(clipper_replica_row_t *a,
    clipper_replica_row_t *b)
{
    return b->state == CLIPPER_READY && clipper_registry_replica_twins(a, b);
}


static ngx_uint_t
clipper_registry_replica_twins(clipper_replica_row_t *a,
    clipper_replica_row_t *b)
{
    static u_char  none[16];

    return a->model == b->model
           && ngx_memcmp(a->token, b->token, sizeof(a->token)) == 0
           && ngx_memcmp(a->token, none, sizeof(none)) != 0;
}


void
clipper_registry_replica_leaving_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_zone_locked(zone);

    clipper_registry_replica_stop_locked(zone, replica);
    clipper_registry_replica_probed_locked(zone,
                                           zone->replicas[replica].model);
}


/* the same of one that does not probe */

static void
clipper_registry_replica_stop_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];

    if (r->state == CLIPPER_READY) {
        clipper_registry_replica_busy_locked(zone, replica);
        zone->models[r->model].replicas--;

        /* it may have been the one that was to look at the queue again */

        if (zone->models[r->model].root) {
            (void) clipper_queue_notify_locked(zone, r->model);
        }
    }

    r->superseded = 0;
    clipper_row_publish(r->state, CLIPPER_LEAVING);
    zone->header->registry++;
}


void
clipper_registry_replica_gone_locked(clipper_zone_t *zone, uint32_t replica,
    uint64_t now_us)
{
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    model = &zone->models[r->model];

    clipper_registry_replica_leaving_locked(zone, replica);

    /* the next replica of the model starts with what this one has learned */

    if (r->epoch == model->epoch) {
        model->profiled = 0;
        model->profile = r->batch;
        clipper_row_publish(model->profiled, 1);
    }

    model->members--;

    if (model->members == 0) {
        model->left_us = now_us;
    }

    clipper_registry_replica_return_locked(zone, replica);

    if (model->fastest == replica) {
        model->fastest = 0;
    }

    clipper_registry_turn_gone_locked(zone, replica);

    r->gen++;
    clipper_row_publish(r->state, CLIPPER_FREE);
    clipper_free_give_locked(zone, replicas, replica);

    clipper_registry_replica_current_locked(zone, r->model);
}


void
clipper_registry_replica_current_locked(clipper_zone_t *zone, uint32_t model)
{
    uint32_t                i, epoch;
    clipper_model_row_t    *m;
    clipper_replica_row_t  *r, *last;

    clipper_zone_locked(zone);

    m = &zone->models[model];
    last = NULL;

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == CLIPPER_FREE || r->model != model) {
            continue;
        }

        if (r->epoch == m->epoch) {
            return;
        }

        if (last == NULL || r->id > last->id) {
            last = r;
        }
    }

    if (last == NULL) {
        return;
    }

    epoch = last->epoch;
    clipper_row_publish(m->epoch, m->epoch + 1);
    m->profiled = 0;
    m->digest_len = last->digest_len;
    ngx_memcpy(m->digest, last->digest, last->digest_len);

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state != CLIPPER_FREE && r->model == model
            && (r->epoch == epoch || clipper_registry_replica_digest(r, m)))
        {
            clipper_row_publish(r->epoch, m->epoch);
        }
    }
}


/* whether it has one, which is the current one of its model */

static ngx_uint_t
clipper_registry_replica_digest(const clipper_replica_row_t *r,
    const clipper_model_row_t *model)
{
    return r->digest_len != 0
           && r->digest_len == model->digest_len
           && ngx_memcmp(r->digest, model->digest, r->digest_len) == 0;
}


void
clipper_registry_replica_idle_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];
    r->busy = 0;
    r->stuck_us = 0;

    if (r->state != CLIPPER_READY || r->idle) {
        return;
    }

    model = &zone->models[r->model];

    r->idle = 1;
    r->prev = 0;
    r->next = model->idle;

    if (model->idle) {
        zone->replicas[model->idle].prev = replica;
    }

    model->idle = replica;
    model->idles[r->worker]++;
}


void
clipper_registry_replica_busy_locked(clipper_zone_t *zone, uint32_t replica)
{
    clipper_replica_row_t  *r;

    clipper_zone_locked(zone);

    r = &zone->replicas[replica];

    if (!r->idle) {
        return;
    }

    if (r->prev) {
        zone->replicas[r->prev].next = r->next;

    } else {
        zone->models[r->model].idle = r->next;
    }

    if (r->next) {
        zone->replicas[r->next].prev = r->prev;
    }

    r->idle = 0;
    zone->models[r->model].idles[r->worker]--;
}

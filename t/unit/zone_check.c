
/*
 * The check of a zone: derived fields must agree with the tables, and the
 * tables with each other.  For tests; it only reads.
 *
 * A list is exact if it ends, each of its rows belongs to it, and their number
 * is right: so most checks count.
 */


#include "zone_check.h"
#include "shm/clipper_registry.h"


#define ZONE_CHECK_TEXT  128

#define zone_check_list(zone, table, rows, state)                             \
    zone_check_free(#table, &(zone)->header->table,                           \
                    (u_char *) (zone)->rows,                      \
                    (size_t) ((u_char *) &(zone)->rows[1]         \
                              - (u_char *) &(zone)->rows[0]),     \
                    (size_t) ((u_char *) &(zone)->rows[0].state   \
                              - (u_char *) &(zone)->rows[0]),     \
                    (size_t) ((u_char *) &(zone)->rows[0].next    \
                              - (u_char *) &(zone)->rows[0]))


typedef const char *(*zone_check_pt)(clipper_zone_t *zone);


static const char  *zone_check_tables(clipper_zone_t *zone);
static const char  *zone_check_workers(clipper_zone_t *zone);
static const char  *zone_check_models(clipper_zone_t *zone);
static const char  *zone_check_members(clipper_zone_t *zone, uint32_t i);
static const char  *zone_check_queued(clipper_zone_t *zone, uint32_t model);
static const char  *zone_check_heap(clipper_zone_t *zone, uint32_t model);
static const char *zone_check_node(clipper_zone_t *zone, uint32_t model,
    uint32_t flight);
static const char  *zone_check_replicas(clipper_zone_t *zone);
static const char *zone_check_free(const char *name, clipper_table_t *table,
    u_char *rows, size_t size, size_t state, size_t next);


static const zone_check_pt  zone_checks[] = {
    zone_check_tables,
    zone_check_workers,
    zone_check_replicas,
    zone_check_flights,
    zone_check_hash,
    zone_check_waiters,
    zone_check_lists,
    zone_check_mail,
    zone_check_models,
    zone_check_chunks,
    NULL
};


const char *
zone_check_locked(clipper_zone_t *zone)
{
    const char  *text;
    ngx_uint_t   i;

    clipper_zone_locked(zone);

    for (i = 0; zone_checks[i]; i++) {
        text = zone_checks[i](zone);

        if (text) {
            return text;
        }
    }

    return NULL;
}


static const char *
zone_check_tables(clipper_zone_t *zone)
{
    const char  *text;

    text = zone_check_list(zone, replicas, replicas, state);

    if (text == NULL) {
        text = zone_check_list(zone, flights, flights, state);
    }

    if (text == NULL) {
        text = zone_check_list(zone, waiters, waiters, state);
    }

    return text;
}


/* the free list has exactly the free rows; all others are in use */

static const char *
zone_check_free(const char *name, clipper_table_t *table, u_char *rows,
    size_t size, size_t state, size_t next)
{
    uint32_t  i, n;

    for (n = 0, i = 1; i < table->n; i++) {
        n += (*(uint32_t *) (rows + i * size + state)
              == CLIPPER_FREE);
    }

    zone_require(table->used == table->n - 1 - n, name,
                 table->used);

    for (i = table->free; i; i = *(uint32_t *) (rows + i * size + next)) {
        zone_require(i < table->n, name, i);
        zone_require(*(uint32_t *) (rows + i * size + state)
                     == CLIPPER_FREE, name, i);
        zone_require(n, name, i);
        n--;
    }

    zone_require(n == 0, name, n);

    return NULL;
}


static const char *
zone_check_workers(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_worker_t  *w;

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];

        zone_require(w->state <= CLIPPER_USED,
                     "state of worker", i);
        zone_require(w->state || w->mail_head == 0,
                     "mail of free worker", i);
        zone_require(w->state == 0 || w->pid,
                     "pid of worker", i);
    }

    return NULL;
}


static const char *
zone_check_models(clipper_zone_t *zone)
{
    uint32_t              i, row, flights;
    ngx_str_t             name, version;
    const char           *text;
    clipper_model_row_t  *model;

    for (i = 1; i < zone->header->models.n; i++) {
        model = &zone->models[i];

        if (model->state == CLIPPER_FREE) {
            zone_require(model->root == 0 && model->queued == 0
                         && model->flights == 0 && model->idle == 0
                         && model->members == 0,
                         "use of free model", i);
            continue;
        }

        for (flights = 0, row = 1; row < zone->header->flights.n; row++) {
            flights += (zone->flights[row].state
                        && zone->flights[row].model == i);
        }

        zone_require(model->flights == flights,
                     "flights of model", i);

        name.data = model->name;
        name.len = ngx_strlen(model->name);
        version.data = model->version;
        version.len = ngx_strlen(model->version);

        zone_require(clipper_registry_find_locked(zone, &name, &version) == i,
                     "name of model", i);

        text = zone_check_heap(zone, i);

        if (text == NULL) {
            text = zone_check_members(zone, i);
        }

        if (text) {
            return text;
        }
    }

    return NULL;
}


static const char *
zone_check_members(clipper_zone_t *zone, uint32_t i)
{
    uint16_t                idles[CLIPPER_WORKERS] = { 0 };
    uint32_t                row, prev, idle, members, ready;
    uint64_t                probed_us;
    clipper_model_row_t    *model;
    clipper_replica_row_t  *r;

    model = &zone->models[i];
    members = ready = idle = 0;
    probed_us = 0;

    for (row = 1; row < zone->header->replicas.n; row++) {
        r = &zone->replicas[row];

        if (r->state && r->model == i) {
            members++;
            ready += (r->state == CLIPPER_READY);
            idle += r->idle;
            idles[r->worker] += r->idle;

            if (r->state == CLIPPER_PROBING) {
                probed_us = ngx_max(probed_us, r->connected_us);
            }
        }
    }

    zone_require(model->members == members, "members of model", i);
    zone_require(model->replicas == ready, "replicas of model", i);
    zone_require(model->probed_us == probed_us, "probing ones of model", i);

    r = &zone->replicas[model->turn];
    zone_require(model->turn == 0 || (r->state && r->model == i),
               "turn of model", i);
    zone_require(memcmp(model->idles, idles, sizeof(idles)) == 0,
                 "idle ones of workers of model", i);

    for (prev = 0, row = model->idle; row; prev = row, row = r->next) {
        r = &zone->replicas[row];

        zone_require(row < zone->header->replicas.n
                     && r->idle && r->model == i
                     && r->prev == prev && idle,
                     "idle list at replica", row);
        idle--;
    }

    zone_require(idle == 0, "idle list of model", i);

    return NULL;
}


static const char *
zone_check_queued(clipper_zone_t *zone, uint32_t model)
{
    uint32_t           flight, queued;
    uint64_t           bytes;
    clipper_flight_t  *f;

    queued = 0;
    bytes = 0;

    for (flight = 1; flight < zone->header->flights.n; flight++) {
        f = &zone->flights[flight];

        if (f->state == CLIPPER_QUEUED && f->model == model) {
            queued++;
            bytes += f->input_len;
        }
    }

    zone_require(zone->models[model].queued == queued,
                 "queued of model", model);
    zone_require(zone->models[model].queued_bytes == bytes,
                 "queued bytes of model", model);

    return NULL;
}


/* visits each node once, by the links to the parents, without a stack */

static const char *
zone_check_heap(clipper_zone_t *zone, uint32_t model)
{
    uint32_t              flight, from, n;
    const char           *text;
    clipper_flight_t     *f;
    clipper_model_row_t  *m;

    text = zone_check_queued(zone, model);
    if (text) {
        return text;
    }

    m = &zone->models[model];

    zone_require(m->root == 0
                 || (m->root < zone->header->flights.n
                     && zone->flights[m->root].parent == 0),
                 "root of model", model);

    n = 0;
    from = 0;

    for (flight = m->root; flight; /* void */ ) {
        f = &zone->flights[flight];

        if (from == f->parent) {
            text = zone_check_node(zone, model, flight);
            if (text) {
                return text;
            }

            zone_require(++n <= m->queued, "heap of model", model);
        }

        if (from == f->parent && f->left) {
            from = flight;
            flight = f->left;

        } else if ((from == f->parent || from == f->left) && f->right
                   && from != f->right)
        {
            from = flight;
            flight = f->right;

        } else {
            from = flight;
            flight = f->parent;
        }
    }

    zone_require(n == m->queued, "heap of model", model);

    return NULL;
}


static const char *
zone_check_node(clipper_zone_t *zone, uint32_t model, uint32_t flight)
{
    uint32_t           rank[2], child[2];
    ngx_uint_t         i;
    clipper_flight_t  *f, *c;

    f = &zone->flights[flight];

    zone_require(f->state == CLIPPER_QUEUED
                 && f->model == model, "heap has flight", flight);
    zone_require(f->deadline_us <= zone->models[model].tail_us,
                 "latest deadline before flight", flight);
    zone_require(zone->models[model].last != flight
                 || (f->left == 0 && f->deadline_us
                     == zone->models[model].tail_us),
                 "last of queue is not the last", flight);

    child[0] = f->left;
    child[1] = f->right;

    for (i = 0; i < 2; i++) {
        rank[i] = 0;

        if (child[i] == 0) {
            continue;
        }

        zone_require(child[i] < zone->header->flights.n
                     && child[i] != flight,
                     "child of flight", flight);

        c = &zone->flights[child[i]];
        rank[i] = c->rank;

        zone_require(c->parent == flight, "parent of flight", child[i]);
        zone_require(c->deadline_us > f->deadline_us
                     || (c->deadline_us == f->deadline_us
                         && c->seq > f->seq),
                     "order at flight", child[i]);
    }

    zone_require(child[0] == 0 || child[0] != child[1],
                 "children of flight", flight);
    zone_require(rank[0] >= rank[1] && f->rank == rank[1] + 1,
                 "rank of flight", flight);

    return NULL;
}


static const char *
zone_check_replicas(clipper_zone_t *zone)
{
    uint32_t                i, row, leases;
    ngx_uint_t              k;
    clipper_replica_row_t  *r;

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == CLIPPER_FREE) {
            continue;
        }

        zone_require(r->state <= CLIPPER_LEAVING,
                     "state of replica", i);
        zone_require(r->model && r->model < zone->header->models.n
                     && zone->models[r->model].state,
                     "model of replica", i);
        zone_require(r->worker
                     && r->worker < zone->header->workers.n
                     && zone->workers[r->worker].state,
                     "worker of replica", i);
        zone_require(r->idle
                     == (r->state == CLIPPER_READY
                         && r->busy == 0),
                     "idle mark of replica", i);

        for (leases = 0, row = 1; row < zone->header->flights.n; row++) {
            for (k = 0; k < CLIPPER_LEASES; k++) {
                leases += (zone->flights[row].state
                           && zone->flights[row].lease[k]
                              == (((uint64_t) r->gen << 32) | i));
            }
        }

        zone_require(leases <= r->busy, "leases of replica", i);
    }

    return NULL;
}


const char *
zone_check_says(const char *what, uint32_t row)
{
    static char  text[ZONE_CHECK_TEXT];

    (void) snprintf(text, sizeof(text), "%s %u", what, (unsigned) row);

    return text;
}

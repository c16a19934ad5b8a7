
/*
 * The check of a zone: whether all that is derived agrees with the tables,
 * and the tables with each other.  For tests; it only reads.
 *
 * A list that ends, of rows that each belong into it, as many as there are,
 * is exact: so most of it is counting.
 */


#include "zone_check.h"


#define NGX_HTTP_CLIPPER_CHECK_TEXT  128

#define ngx_http_clipper_check_list(zone, table, rows, state)                 \
    ngx_http_clipper_check_free(#table, &(zone)->header->table,               \
                                (u_char *) (zone)->rows,                      \
                                (size_t) ((u_char *) &(zone)->rows[1]         \
                                          - (u_char *) &(zone)->rows[0]),     \
                                (size_t) ((u_char *) &(zone)->rows[0].state   \
                                          - (u_char *) &(zone)->rows[0]),     \
                                (size_t) ((u_char *) &(zone)->rows[0].next    \
                                          - (u_char *) &(zone)->rows[0]))


typedef const char *(*ngx_http_clipper_check_pt)(
    ngx_http_clipper_zone_t *zone);


static const char *ngx_http_clipper_check_tables(ngx_http_clipper_zone_t *zone);
static const char *ngx_http_clipper_check_workers(
    ngx_http_clipper_zone_t *zone);
static const char *ngx_http_clipper_check_models(ngx_http_clipper_zone_t *zone);
static const char *ngx_http_clipper_check_members(ngx_http_clipper_zone_t *zone,
    uint32_t i);
static const char *ngx_http_clipper_check_queued(ngx_http_clipper_zone_t *zone,
    uint32_t model);
static const char *ngx_http_clipper_check_heap(ngx_http_clipper_zone_t *zone,
    uint32_t model);
static const char *ngx_http_clipper_check_node(ngx_http_clipper_zone_t *zone,
    uint32_t model, uint32_t flight);
static const char *ngx_http_clipper_check_replicas(
    ngx_http_clipper_zone_t *zone);
static const char *ngx_http_clipper_check_free(const char *name,
    ngx_http_clipper_table_t *table, u_char *rows, size_t size, size_t state,
    size_t next);


static const ngx_http_clipper_check_pt  ngx_http_clipper_checks[] = {
    ngx_http_clipper_check_tables,
    ngx_http_clipper_check_workers,
    ngx_http_clipper_check_replicas,
    ngx_http_clipper_check_flights,
    ngx_http_clipper_check_hash,
    ngx_http_clipper_check_waiters,
    ngx_http_clipper_check_lists,
    ngx_http_clipper_check_mail,
    ngx_http_clipper_check_models,
    ngx_http_clipper_check_chunks,
    NULL
};


const char *
ngx_http_clipper_check_locked(ngx_http_clipper_zone_t *zone)
{
    const char  *text;
    ngx_uint_t   i;

    ngx_http_clipper_zone_locked(zone);

    for (i = 0; ngx_http_clipper_checks[i]; i++) {
        text = ngx_http_clipper_checks[i](zone);

        if (text) {
            return text;
        }
    }

    return NULL;
}


static const char *
ngx_http_clipper_check_tables(ngx_http_clipper_zone_t *zone)
{
    const char  *text;

    text = ngx_http_clipper_check_list(zone, replicas, replicas, state);

    if (text == NULL) {
        text = ngx_http_clipper_check_list(zone, flights, flights, state);
    }

    if (text == NULL) {
        text = ngx_http_clipper_check_list(zone, waiters, waiters, state);
    }

    if (text == NULL) {
        text = ngx_http_clipper_check_list(zone, chunks, chunks, owner);
    }

    return text;
}


/* the free list has all free rows and no other, the rest is used */

static const char *
ngx_http_clipper_check_free(const char *name, ngx_http_clipper_table_t *table,
    u_char *rows, size_t size, size_t state, size_t next)
{
    uint32_t  i, n;

    for (n = 0, i = 1; i < table->n; i++) {
        n += (*(uint32_t *) (rows + i * size + state)
              == NGX_HTTP_CLIPPER_FREE);
    }

    ngx_http_clipper_check(table->used == table->n - 1 - n, name,
                           table->used);

    for (i = table->free; i; i = *(uint32_t *) (rows + i * size + next)) {
        ngx_http_clipper_check(i < table->n, name, i);
        ngx_http_clipper_check(*(uint32_t *) (rows + i * size + state)
                               == NGX_HTTP_CLIPPER_FREE, name, i);
        ngx_http_clipper_check(n, name, i);
        n--;
    }

    ngx_http_clipper_check(n == 0, name, n);

    return NULL;
}


static const char *
ngx_http_clipper_check_workers(ngx_http_clipper_zone_t *zone)
{
    uint32_t                    i;
    ngx_http_clipper_worker_t  *w;

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];

        ngx_http_clipper_check(w->state <= NGX_HTTP_CLIPPER_USED,
                               "state of worker", i);
        ngx_http_clipper_check(w->state || w->mail_head == 0,
                               "mail of free worker", i);
        ngx_http_clipper_check(w->state == 0 || w->pid,
                               "pid of worker", i);
    }

    return NULL;
}


static const char *
ngx_http_clipper_check_models(ngx_http_clipper_zone_t *zone)
{
    uint32_t                       i, row, flights;
    const char                    *text;
    ngx_http_clipper_model_row_t  *model;

    for (i = 1; i < zone->header->models.n; i++) {
        model = &zone->models[i];

        if (model->state == NGX_HTTP_CLIPPER_FREE) {
            ngx_http_clipper_check(model->root == 0 && model->queued == 0
                                   && model->flights == 0 && model->idle == 0
                                   && model->members == 0,
                                   "use of free model", i);
            continue;
        }

        for (flights = 0, row = 1; row < zone->header->flights.n; row++) {
            flights += (zone->flights[row].state
                        && zone->flights[row].model == i);
        }

        ngx_http_clipper_check(model->flights == flights,
                               "flights of model", i);

        text = ngx_http_clipper_check_heap(zone, i);

        if (text == NULL) {
            text = ngx_http_clipper_check_members(zone, i);
        }

        if (text) {
            return text;
        }
    }

    return NULL;
}


static const char *
ngx_http_clipper_check_members(ngx_http_clipper_zone_t *zone, uint32_t i)
{
    uint32_t                         row, prev, idle, members, ready;
    ngx_http_clipper_model_row_t    *model;
    ngx_http_clipper_replica_row_t  *r;

    model = &zone->models[i];
    members = ready = idle = 0;

    for (row = 1; row < zone->header->replicas.n; row++) {
        r = &zone->replicas[row];

        if (r->state && r->model == i) {
            members++;
            ready += (r->state == NGX_HTTP_CLIPPER_READY);
            idle += r->idle;
        }
    }

    ngx_http_clipper_check(model->members == members, "members of model", i);
    ngx_http_clipper_check(model->replicas == ready, "replicas of model", i);

    for (prev = 0, row = model->idle; row; prev = row, row = r->next) {
        r = &zone->replicas[row];

        ngx_http_clipper_check(row < zone->header->replicas.n
                               && r->idle && r->model == i
                               && r->prev == prev && idle,
                               "idle list at replica", row);
        idle--;
    }

    ngx_http_clipper_check(idle == 0, "idle list of model", i);

    return NULL;
}


static const char *
ngx_http_clipper_check_queued(ngx_http_clipper_zone_t *zone, uint32_t model)
{
    uint32_t                    flight, queued;
    uint64_t                    bytes;
    ngx_http_clipper_flight_t  *f;

    queued = 0;
    bytes = 0;

    for (flight = 1; flight < zone->header->flights.n; flight++) {
        f = &zone->flights[flight];

        if (f->state == NGX_HTTP_CLIPPER_QUEUED && f->model == model) {
            queued++;
            bytes += f->input_len;
        }
    }

    ngx_http_clipper_check(zone->models[model].queued == queued,
                           "queued of model", model);
    ngx_http_clipper_check(zone->models[model].queued_bytes == bytes,
                           "queued bytes of model", model);

    return NULL;
}


/* visits each node once, by the links to the parents, without a stack */

static const char *
ngx_http_clipper_check_heap(ngx_http_clipper_zone_t *zone, uint32_t model)
{
    uint32_t                       flight, from, n;
    const char                    *text;
    ngx_http_clipper_flight_t     *f;
    ngx_http_clipper_model_row_t  *m;

    text = ngx_http_clipper_check_queued(zone, model);
    if (text) {
        return text;
    }

    m = &zone->models[model];

    ngx_http_clipper_check(m->root == 0
                           || (m->root < zone->header->flights.n
                               && zone->flights[m->root].parent == 0),
                           "root of model", model);

    n = 0;
    from = 0;

    for (flight = m->root; flight; /* void */ ) {
        f = &zone->flights[flight];

        if (from == f->parent) {
            text = ngx_http_clipper_check_node(zone, model, flight);
            if (text) {
                return text;
            }

            ngx_http_clipper_check(++n <= m->queued, "heap of model", model);
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

    ngx_http_clipper_check(n == m->queued, "heap of model", model);

    return NULL;
}


static const char *
ngx_http_clipper_check_node(ngx_http_clipper_zone_t *zone, uint32_t model,
    uint32_t flight)
{
    uint32_t                    rank[2], child[2];
    ngx_uint_t                  i;
    ngx_http_clipper_flight_t  *f, *c;

    f = &zone->flights[flight];

    ngx_http_clipper_check(f->state == NGX_HTTP_CLIPPER_QUEUED
                           && f->model == model, "heap has flight", flight);
    ngx_http_clipper_check(f->deadline_us <= zone->models[model].tail_us,
                           "latest deadline before flight", flight);
    ngx_http_clipper_check(zone->models[model].last != flight
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

        ngx_http_clipper_check(child[i] < zone->header->flights.n
                               && child[i] != flight,
                               "child of flight", flight);

        c = &zone->flights[child[i]];
        rank[i] = c->rank;

        ngx_http_clipper_check(c->parent == flight, "parent of flight",
                               child[i]);
        ngx_http_clipper_check(c->deadline_us > f->deadline_us
                               || (c->deadline_us == f->deadline_us
                                   && c->seq > f->seq),
                               "order at flight", child[i]);
    }

    ngx_http_clipper_check(child[0] == 0 || child[0] != child[1],
                           "children of flight", flight);
    ngx_http_clipper_check(rank[0] >= rank[1] && f->rank == rank[1] + 1,
                           "rank of flight", flight);

    return NULL;
}


static const char *
ngx_http_clipper_check_replicas(ngx_http_clipper_zone_t *zone)
{
    uint32_t                         i, row, leases;
    ngx_uint_t                       k;
    ngx_http_clipper_replica_row_t  *r;

    for (i = 1; i < zone->header->replicas.n; i++) {
        r = &zone->replicas[i];

        if (r->state == NGX_HTTP_CLIPPER_FREE) {
            continue;
        }

        ngx_http_clipper_check(r->state <= NGX_HTTP_CLIPPER_LEAVING,
                               "state of replica", i);
        ngx_http_clipper_check(r->model && r->model < zone->header->models.n
                               && zone->models[r->model].state,
                               "model of replica", i);
        ngx_http_clipper_check(r->worker
                               && r->worker < zone->header->workers.n
                               && zone->workers[r->worker].state,
                               "worker of replica", i);
        ngx_http_clipper_check(r->idle
                               == (r->state == NGX_HTTP_CLIPPER_READY
                                   && r->busy == 0),
                               "idle mark of replica", i);

        for (leases = 0, row = 1; row < zone->header->flights.n; row++) {
            for (k = 0; k < NGX_HTTP_CLIPPER_LEASES; k++) {
                leases += (zone->flights[row].state
                           && zone->flights[row].lease[k]
                              == (((uint64_t) r->gen << 32) | i));
            }
        }

        ngx_http_clipper_check(leases <= r->busy, "leases of replica", i);
    }

    return NULL;
}


const char *
ngx_http_clipper_check_says(const char *what, uint32_t row)
{
    static char  text[NGX_HTTP_CLIPPER_CHECK_TEXT];

    (void) snprintf(text, sizeof(text), "%s %u", what, (unsigned) row);

    return text;
}

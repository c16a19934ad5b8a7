
/*
 * The queue of a model: a leftist heap of flights by deadline; equal deadlines
 * keep the order of arrival.  Insertion and removal, also from the middle,
 * take O(log n) steps (C. A. Crane, 1972; with parent links for the removal).
 *
 * Most flights have a later deadline than all that are queued.  The last
 * flight has no children, and a left child changes no rank, so such a flight
 * becomes the left child of the last one in one step; the heap is then a list.
 */


#include "shm/clipper_heap.h"


static uint32_t clipper_heap_merge_locked(clipper_zone_t *zone, uint32_t a,
    uint32_t b);
static ngx_uint_t clipper_heap_before(clipper_flight_t *a,
    clipper_flight_t *b);
static void clipper_heap_settle_locked(clipper_zone_t *zone, uint32_t flight);


void
clipper_heap_insert_locked(clipper_zone_t *zone, clipper_model_row_t *model,
    uint32_t flight)
{
    uint32_t           last;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    last = model->last;

    f = &zone->flights[flight];
    f->left = 0;
    f->right = 0;
    f->parent = 0;
    f->rank = 1;

    if (last && clipper_heap_before(&zone->flights[last], f)) {
        zone->flights[last].left = flight;
        f->parent = last;
        model->last = flight;
        model->tail_us = f->deadline_us;
        return;
    }

    if (model->root == 0 || f->deadline_us > model->tail_us) {
        model->last = flight;
        model->tail_us = f->deadline_us;
    }

    model->root = clipper_heap_merge_locked(zone, model->root, flight);
    zone->flights[model->root].parent = 0;
}


void
clipper_heap_remove_locked(clipper_zone_t *zone, clipper_model_row_t *model,
    uint32_t flight)
{
    uint32_t           merged, parent;
    clipper_flight_t  *f, *p;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];
    parent = f->parent;

    if (model->last == flight) {
        model->last = 0;
    }

    merged = clipper_heap_merge_locked(zone, f->left, f->right);

    if (merged) {
        zone->flights[merged].parent = parent;
    }

    f->left = 0;
    f->right = 0;
    f->parent = 0;

    if (parent == 0) {
        model->root = merged;
        return;
    }

    p = &zone->flights[parent];

    if (p->left == flight) {
        p->left = merged;

    } else {
        p->right = merged;
    }

    /* ranks above may have shrunk; goes up as long as one changes */

    for ( /* void */ ; parent; parent = p->parent) {
        p = &zone->flights[parent];
        merged = p->rank;

        clipper_heap_settle_locked(zone, parent);

        if (p->rank == merged) {
            break;
        }
    }
}


/* the right spines are O(log n) long, which bounds the recursion */

static uint32_t
clipper_heap_merge_locked(clipper_zone_t *zone, uint32_t a, uint32_t b)
{
    uint32_t  t;

    clipper_zone_locked(zone);

    if (a == 0 || b == 0) {
        return a + b;
    }

    if (clipper_heap_before(&zone->flights[b], &zone->flights[a])) {
        t = a;
        a = b;
        b = t;
    }

    t = clipper_heap_merge_locked(zone, zone->flights[a].right, b);

    zone->flights[a].right = t;
    zone->flights[t].parent = a;

    clipper_heap_settle_locked(zone, a);

    return a;
}


static ngx_uint_t
clipper_heap_before(clipper_flight_t *a, clipper_flight_t *b)
{
    if (a->deadline_us != b->deadline_us) {
        return a->deadline_us < b->deadline_us;
    }

    return a->seq < b->seq;
}


/* puts the child with the higher rank to the left and computes the rank */

static void
clipper_heap_settle_locked(clipper_zone_t *zone, uint32_t flight)
{
    uint32_t           t, left, right;
    clipper_flight_t  *f;

    clipper_zone_locked(zone);

    f = &zone->flights[flight];
    left = f->left ? zone->flights[f->left].rank : 0;
    right = f->right ? zone->flights[f->right].rank : 0;

    if (left < right) {
        t = f->left;
        f->left = f->right;
        f->right = t;

        right = left;
    }

    f->rank = right + 1;
}


/*
 * Workers, applications and model versions, by name.
 *
 * Loops over a whole table (up to 511 workers or names) run once in the
 * life of a worker or a name, or after a change of the registry.  Lookups of
 * queries use a hash.
 */


#include "shm/clipper_registry.h"
#include "shm/clipper_metrics.h"
#include "shm/clipper_queue_hedge.h"


static ngx_uint_t clipper_registry_named(const u_char *text, ngx_str_t *name);
static void clipper_registry_name(u_char *text, ngx_str_t *name);
static uint32_t *clipper_registry_bucket(clipper_zone_t *zone,
    const u_char *name, size_t nlen, const u_char *version, size_t vlen);
static uint32_t *clipper_registry_bucket_of_locked(clipper_zone_t *zone,
    clipper_model_row_t *model);
static uint32_t clipper_registry_spare_locked(clipper_zone_t *zone);
static void clipper_registry_pinned_locked(clipper_zone_t *zone,
    ngx_uint_t model, uint64_t *pinned);


uint32_t
clipper_registry_enter_locked(clipper_zone_t *zone, const u_char *door,
    size_t door_len, ngx_str_t *generation, int64_t now)
{
    uint32_t           i;
    clipper_worker_t  *w;

    clipper_zone_locked(zone);

    for (i = 1; i < zone->header->workers.n; i++) {
        if (zone->workers[i].state == CLIPPER_FREE) {
            break;
        }
    }

    if (i == zone->header->workers.n) {
        return 0;
    }

    w = &zone->workers[i];
    w->pid = zone->pid;
    w->cycle = zone->cycle;
    w->retiring = 0;
    w->waiting = 0;
    w->lacking = 0;
    w->armed = 0;
    w->store = 0;
    w->started = now;
    w->door_len = (uint32_t) ngx_min(door_len, sizeof(w->door));
    w->mail_head = 0;
    w->mail_tail = 0;

    ngx_memcpy(w->door, door, w->door_len);
    ngx_memzero(w->models, sizeof(w->models));
    ngx_memzero(w->apps, sizeof(w->apps));
    ngx_memzero(w->generation, sizeof(w->generation));
    ngx_memcpy(w->generation, generation->data,
               ngx_min(generation->len, sizeof(w->generation) - 1));

    clipper_row_publish(w->state, CLIPPER_USED);

    zone->slot = i;

    clipper_registry_begun_locked(zone);

    return i;
}


void
clipper_registry_begun_locked(clipper_zone_t *zone)
{
    clipper_zone_locked(zone);

    if (zone->header->cycle_entered < zone->cycle) {
        __atomic_store_n(&zone->header->cycle_entered, zone->cycle,
                         __ATOMIC_RELEASE);
    }
}


uint32_t
clipper_registry_cycle(clipper_header_t *header)
{
    return __atomic_add_fetch(&header->cycle, 1, __ATOMIC_ACQ_REL);
}


ngx_uint_t
clipper_registry_awaited(clipper_zone_t *zone)
{
    return __atomic_load_n(&zone->header->cycle_entered, __ATOMIC_ACQUIRE)
           < __atomic_load_n(&zone->header->cycle, __ATOMIC_ACQUIRE);
}


ngx_uint_t
clipper_registry_staying(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_worker_t  *w;

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];

        if (__atomic_load_n(&w->state, __ATOMIC_RELAXED) != CLIPPER_FREE
            && !__atomic_load_n(&w->retiring, __ATOMIC_RELAXED))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
clipper_registry_reloading(clipper_zone_t *zone)
{
    uint32_t           i;
    clipper_worker_t  *w;

    if (clipper_registry_awaited(zone)) {
        return 1;
    }

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];

        if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != CLIPPER_FREE
            && !__atomic_load_n(&w->retiring, __ATOMIC_RELAXED)
            && w->cycle < __atomic_load_n(&zone->header->cycle,
                                          __ATOMIC_RELAXED))
        {
            return 1;
        }
    }

    return 0;
}


uint32_t
clipper_registry_app_find_locked(clipper_zone_t *zone, ngx_str_t *name)
{
    uint32_t            i;
    clipper_app_row_t  *app;

    clipper_zone_locked(zone);

    for (i = 1; i < zone->header->apps.n; i++) {
        app = &zone->apps[i];

        if (app->state != CLIPPER_FREE
            && clipper_registry_named(app->name, name))
        {
            return i;
        }
    }

    return 0;
}


uint32_t
clipper_registry_app_locked(clipper_zone_t *zone, ngx_str_t *name)
{
    uint32_t            i, row;
    uint64_t            pinned[CLIPPER_ROWS_MAX / 64];
    clipper_app_row_t  *app;

    clipper_zone_locked(zone);

    row = clipper_registry_app_find_locked(zone, name);

    if (row) {
        return row;
    }

    for (i = 1; row == 0 && i < zone->header->apps.n; i++) {
        if (zone->apps[i].state == CLIPPER_FREE) {
            row = i;
        }
    }

    /* a full table: names that no configuration has any more make room */

    if (row == 0) {
        clipper_registry_pinned_locked(zone, 0, pinned);
    }

    for (i = 1; row == 0 && i < zone->header->apps.n; i++) {
        if (!((pinned[i / 64] >> (i % 64)) & 1)) {
            row = i;
        }
    }

    if (row == 0) {
        return 0;
    }

    app = &zone->apps[row];
    app->state = CLIPPER_FREE;

    clipper_metrics_clear_app_locked(zone, row);
    clipper_registry_name(app->name, name);
    clipper_row_publish(app->state, CLIPPER_USED);

    zone->header->registry++;

    return row;
}


uint32_t
clipper_registry_find_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version)
{
    uint32_t              row;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    if (name->len >= CLIPPER_TEXT || version->len >= CLIPPER_TEXT) {
        return 0;
    }

    row = *clipper_registry_bucket(zone, name->data, name->len, version->data,
                                   version->len);

    for ( /* void */ ; row; row = model->next) {
        model = &zone->models[row];

        if (clipper_registry_named(model->name, name)
            && clipper_registry_named(model->version, version))
        {
            return row;
        }
    }

    return 0;
}


/* containers choose names, and not all can be trusted: the hash has a key */

static uint32_t *
clipper_registry_bucket(clipper_zone_t *zone, const u_char *name, size_t nlen,
    const u_char *version, size_t vlen)
{
    uint64_t  hash[2], key[2];

    clipper_hash_siphash(zone->header->key.sip, name, nlen, key);
    clipper_hash_siphash(key, version, vlen, hash);

    return &zone->header->names[hash[0] % CLIPPER_ROWS_MAX];
}


static uint32_t *
clipper_registry_bucket_of_locked(clipper_zone_t *zone,
    clipper_model_row_t *model)
{
    clipper_zone_locked(zone);

    return clipper_registry_bucket(zone, model->name, ngx_strlen(model->name),
                                   model->version, ngx_strlen(model->version));
}


void
clipper_registry_index_locked(clipper_zone_t *zone)
{
    uint32_t  i, *bucket;

    clipper_zone_locked(zone);

    ngx_memzero(zone->header->names, sizeof(zone->header->names));

    for (i = 1; i < zone->header->models.n; i++) {

        if (zone->models[i].state == CLIPPER_USED) {
            bucket = clipper_registry_bucket_of_locked(zone, &zone->models[i]);
            zone->models[i].next = *bucket;
            *bucket = i;
        }
    }
}


/* finds a row for another name: free, or unused; 0: none */

static uint32_t
clipper_registry_spare_locked(clipper_zone_t *zone)
{
    uint32_t              i, *row;
    uint64_t              pinned[CLIPPER_ROWS_MAX / 64];
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    for (i = 1; i < zone->header->models.n; i++) {
        if (zone->models[i].state == CLIPPER_FREE) {
            return i;
        }
    }

    clipper_registry_pinned_locked(zone, 1, pinned);

    for (i = 1; i < zone->header->models.n; i++) {
        model = &zone->models[i];

        if (model->members || model->flights
            || (pinned[i / 64] >> (i % 64)) & 1)
        {
            continue;
        }

        row = clipper_registry_bucket_of_locked(zone, model);

        while (*row != i) {
            row = &zone->models[*row].next;
        }

        *row = model->next;

        return i;
    }

    return 0;
}


uint32_t
clipper_registry_model_locked(clipper_zone_t *zone, ngx_str_t *name,
    ngx_str_t *version)
{
    size_t                kept;
    uint32_t              row, *bucket;
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    row = clipper_registry_find_locked(zone, name, version);

    if (row) {
        return row;
    }

    row = clipper_registry_spare_locked(zone);

    if (row == 0) {
        return 0;
    }

    /*
     * The epoch outlives the name, so that no cache key is ever reused.  A
     * reader that loads the epoch and then finds the generation it knows has
     * the epoch of the name it knows.
     */

    model = &zone->models[row];
    clipper_row_publish(model->state, CLIPPER_FREE);
    clipper_row_publish(model->gen, model->gen + 1);
    clipper_row_publish(model->epoch, model->epoch + 1);

    kept = offsetof(clipper_model_row_t, name);

    ngx_memzero((u_char *) model + kept, sizeof(clipper_model_row_t) - kept);
    clipper_metrics_clear_model_locked(zone, row);

    model->credit = CLIPPER_HEDGE_CREDIT;

    clipper_registry_name(model->name, name);
    clipper_registry_name(model->version, version);
    clipper_row_publish(model->state, CLIPPER_USED);

    bucket = clipper_registry_bucket_of_locked(zone, model);
    model->next = *bucket;
    *bucket = row;

    zone->header->registry++;

    return row;
}


ngx_uint_t
clipper_registry_stranger_locked(clipper_zone_t *zone)
{
    uint32_t              i, n, taken;
    uint64_t              pinned[CLIPPER_ROWS_MAX / 64];
    clipper_model_row_t  *model;

    clipper_zone_locked(zone);

    for (i = 1; i < zone->header->workers.n; i++) {
        if (zone->workers[i].state != CLIPPER_FREE && zone->workers[i].lacking)
        {
            return 0;
        }
    }

    clipper_registry_pinned_locked(zone, 1, pinned);

    n = zone->header->models.n;
    taken = 0;

    for (i = 1; i < n; i++) {
        model = &zone->models[i];

        taken += model->state != CLIPPER_FREE
                 && (model->members || model->flights
                     || (pinned[i / 64] >> (i % 64)) & 1);
    }

    return taken < n - n / 4;
}


uint32_t
clipper_registry_current_locked(clipper_zone_t *zone, ngx_str_t *name,
    uint64_t now_us, uint64_t grace_us, uint64_t *until_us)
{
    uint32_t              i, row;
    ngx_uint_t            here, best_here;
    clipper_model_row_t  *model, *best;

    clipper_zone_locked(zone);

    row = 0;
    best_here = 0;

    for (i = 1; i < zone->header->models.n; i++) {
        model = &zone->models[i];

        if (model->state != CLIPPER_USED
            || !model->announced
            || !clipper_registry_named(model->name, name))
        {
            continue;
        }

        best = &zone->models[row];
        here = (model->members || now_us < model->left_us + grace_us);

        if (row == 0
            || here > best_here
            || (here == best_here
                && clipper_registry_compare(model->version,
                                            ngx_strlen(model->version),
                                            best->version,
                                            ngx_strlen(best->version))
                   > 0))
        {
            row = i;
            best_here = here;
        }
    }

    best = &zone->models[row];

    *until_us = (best_here && best->members == 0) ? best->left_us + grace_us
                                                  : 0;

    return row;
}


void
clipper_registry_pin_locked(clipper_zone_t *zone, uint64_t *map, uint32_t row)
{
    clipper_zone_locked(zone);

    map[row / 64] |= (uint64_t) 1 << (row % 64);
}


/* one bit for each row that configurations name */

static void
clipper_registry_pinned_locked(clipper_zone_t *zone, ngx_uint_t model,
    uint64_t *pinned)
{
    uint64_t          *map;
    ngx_uint_t         i, k;
    clipper_worker_t  *w;

    clipper_zone_locked(zone);

    ngx_memzero(pinned, CLIPPER_ROWS_MAX / 8);

    for (i = 1; i < zone->header->workers.n; i++) {
        w = &zone->workers[i];
        map = model ? w->models : w->apps;

        for (k = 0; w->state && k < CLIPPER_ROWS_MAX / 64; k++) {
            pinned[k] |= map[k];
        }
    }
}


static ngx_uint_t
clipper_registry_named(const u_char *text, ngx_str_t *name)
{
    return name->len < CLIPPER_TEXT
           && ngx_memcmp(text, name->data, name->len) == 0
           && text[name->len] == '\0';
}


static void
clipper_registry_name(u_char *text, ngx_str_t *name)
{
    size_t  len;

    len = ngx_min(name->len, CLIPPER_TEXT - 1);

    ngx_memcpy(text, name->data, len);
    ngx_memzero(text + len, CLIPPER_TEXT - len);
}


ngx_int_t
clipper_registry_compare(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    size_t         i, j, n, m;
    ngx_int_t      rc;

    i = 0;
    j = 0;

    while (i < alen && j < blen) {

        if (a[i] < '0' || a[i] > '9' || b[j] < '0' || b[j] > '9') {
            if (a[i] != b[j]) {
                return (ngx_int_t) a[i] - (ngx_int_t) b[j];
            }

            i++;
            j++;
            continue;
        }

        /* two numbers: without leading zeros, the longer one is larger */

        while (i < alen && a[i] == '0') { i++; }
        while (j < blen && b[j] == '0') { j++; }

        for (n = 0; i + n < alen && a[i + n] >= '0' && a[i + n] <= '9'; n++) {
            /* void */
        }

        for (m = 0; j + m < blen && b[j + m] >= '0' && b[j + m] <= '9'; m++) {
            /* void */
        }

        if (n != m) {
            return n < m ? -1 : 1;
        }

        rc = ngx_memcmp(a + i, b + j, n);

        if (rc) {
            return rc;
        }

        i += n;
        j += m;
    }

    if (i < alen || j < blen) {
        return i < alen ? 1 : -1;
    }

    return 0;
}
